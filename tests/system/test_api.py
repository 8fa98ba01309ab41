"""The gateway's own API, from the socket to the disk and back; bookings are in test_bookings.py."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.http_edge.serving import is_problem
from tests.system.client import connected
from tests.system.resources import CUSTOMER, RESOURCES, ROOM, TWEET, as_created

if TYPE_CHECKING:
    from actors.testing.live_system import LiveSystem
    from tests.http_edge.serving import Reply
    from tests.system.client import Client
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time

# One for all services: a key is the service's own.
KEY = {"Idempotency-Key": "key-1"}


async def test_what_is_created_is_found_and_listed_also_after_a_restart(
    processes: Processes,
) -> None:
    """201, 200, 404; pages by cursor hold everything once and in order."""
    process = processes.boot()
    async with connected(process) as client:
        created = {path: await create_five(client, path, body) for path, body in RESOURCES}
    assert await asyncio.to_thread(process.stop) == 0
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        for path, five in created.items():
            await find_five(client, path, five)


async def create_five(client: Client, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Create five of these, the first that there are; return them as they were acknowledged."""
    assert await client.list_all(path) == []
    created = [await client.create(path, body) for _ in range(5)]
    assert all(body.items() <= each.items() for each in created)
    assert len({each["id"] for each in created}) == 5
    is_problem(await client.send("GET", f"{path}/nobody"), 404)
    return created


async def find_five(client: Client, path: str, created: list[dict[str, Any]]) -> None:
    """Assert that each is found, and all of them on pages, as they were acknowledged."""
    for each in created:
        reply = await client.send("GET", f"{path}/{each['id']}")
        assert (reply.status, as_created(reply.json)) == (200, each)
    pages = [(await client.send("GET", f"{path}?limit=2")).json]
    while pages[-1]["next"] is not None:
        after = pages[-1]["next"]
        pages.append((await client.send("GET", f"{path}?limit=2&after={after}")).json)
    items = [[as_created(item) for item in page["items"]] for page in pages]
    assert items == [created[:2], created[2:4], created[4:]]


async def test_filters(standing: LiveSystem) -> None:
    """Rooms by type, tweets by author; a page of a filtered list is a page of it alone."""
    async with connected(standing) as client:
        rooms = [await client.create("/api/v1/rooms", ROOM | {"type": t}) for t in "abab"]
        tweets = [await client.create("/api/v1/tweets", TWEET | {"author": a}) for a in "xyxy"]
        for query, wanted in (("rooms?type=b", rooms[1::2]), ("tweets?author=y", tweets[1::2])):
            page = (await client.send("GET", f"/api/v1/{query}")).json
            assert [as_created(item) for item in page["items"]] == wanted
            page = (await client.send("GET", f"/api/v1/{query}&limit=1")).json
            assert [as_created(item) for item in page["items"]] == wanted[:1]
            page = (await client.send("GET", f"/api/v1/{query}&after={page['next']}")).json
            assert [as_created(item) for item in page["items"]] == wanted[1:]
            assert page["next"] is None


async def test_a_known_external_id_is_200_with_the_tweet_that_stands(
    standing: LiveSystem,
) -> None:
    """Also where many tell of it at once: one is created."""
    async with connected(standing) as client:
        body = TWEET | {"author": "twenty", "external_id": "x-1"}
        posts = [client.send("POST", "/api/v1/tweets", json=body) for _ in range(20)]
        replies = await asyncio.gather(*posts)
        assert sorted(reply.status for reply in replies) == [200] * 19 + [201]
        assert len({reply.json["id"] for reply in replies}) == 1
        page = await client.send("GET", "/api/v1/tweets?author=twenty")
        (stands,) = page.json["items"]
        assert as_created(stands) == as_created(replies[0].json)


async def test_a_room_that_is_closed_is_not_booked_until_it_is_opened(
    hotels: Processes,
) -> None:
    """By nobody, at no address; what was booked before stands. Null takes its number away."""
    process = hotels.boot()
    async with connected(process) as client:
        room = await client.create("/api/v1/rooms", ROOM | {"number": "7"})
        guest = await client.create("/api/v1/customers", CUSTOMER)
        path = f"/api/v1/rooms/{room['id']}"

        async def book(day: int) -> int:
            dates = {"check_in": f"2050-01-{day:02}", "check_out": f"2050-01-{day + 1:02}"}
            body = {"customer_id": guest["id"], "room_id": room["id"], **dates}
            return (await client.send("POST", "/api/v1/bookings", json=body)).status

        assert await book(1) == 201
        closed = await client.send("PATCH", path, json={"status": "maintenance", "number": None})
        assert (closed.status, closed.json) == (
            200,
            room | {"status": "maintenance", "number": None},
        )
        assert await book(2) == 409
        rent = {"ID": "1", "CustomerID": guest["id"], "RoomID": room["id"]}
        rent |= {"CheckIn": "2050-01-02", "CheckOut": "2050-01-03"}
        is_problem(await client.send("POST", "/booking", "hotel", json=rent), 409)
        free = "/api/v1/rooms?check_in=2050-01-02&check_out=2050-01-03"
        assert (await client.send("GET", free)).json["items"] == []
        (booking,) = [
            each
            for each in await client.list_all("/api/v1/bookings")
            if each["status"] != "rejected"
        ]
        assert booking["status"] == "confirmed"
        for change, field in (
            ({"status": None}, "status"),
            ({"status": "on fire"}, "status"),
            ({"rate": {"amount": 1, "currency": "XXX"}}, "rate.currency"),
        ):
            is_problem(await client.send("PATCH", path, json=change), 422, field)
        is_problem(await client.send("PATCH", "/api/v1/rooms/nowhere", json={}), 404)
        await client.send("PATCH", path, json={"status": "available"})
        assert (await client.send("POST", "/booking", "hotel", json=rent)).status == 201


async def test_what_a_client_got_wrong_is_named(standing: LiveSystem) -> None:
    """400 malformed, 404 no such address, 405 no such method, 413 too large, 422 the field."""
    async with connected(standing) as client:
        for path, body in RESOURCES:
            # What other tests have made may be scored, or paid for, meanwhile.
            before = [each["id"] for each in await client.list_all(path)]
            is_problem(await client.send("POST", path, data=b'{"name"'), 400)
            is_problem(await client.send("PUT", path, json=body), 405)
            is_problem(await client.send("POST", path, data=b" " * 132_000), 413)
            unknown = await client.send("POST", path, json=body | {"nonsense": 1})
            is_problem(unknown, 422, "nonsense")
            for field in body.keys() - {"number"}:
                less = {key: value for key, value in body.items() if key != field}
                is_problem(await client.send("POST", path, json=less), 422, field)
            is_problem(await client.send("GET", f"{path}?limit=0"), 422, "limit")
            assert [each["id"] for each in await client.list_all(path)] == before
        bad_rate = ROOM | {"rate": {"amount": -1, "currency": "EUR"}}
        is_problem(await client.send("POST", "/api/v1/rooms", json=bad_rate), 422, "rate.amount")
        is_problem(await client.send("GET", "/api/v2/rooms"), 404)


async def test_an_idempotency_key_makes_a_retry_harmless(processes: Processes) -> None:
    """The same body gets the first reply, after a restart too; another body is a 422."""
    process = processes.boot()
    async with connected(process) as client:
        firsts = [await repeat(client, path, body) for path, body in RESOURCES]
    await asyncio.to_thread(process.kill_process)
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        for (path, body), first in zip(RESOURCES, firsts, strict=True):
            again = await client.send("POST", path, json=body, headers=KEY)
            assert (again.status, again.json) == (201, first.json)
            assert again.headers["Location"] == first.headers["Location"]
            await refuse_another(client, path, body)
            listed = await client.list_all(path)
            assert [as_created(item) for item in listed] == [first.json]


async def repeat(client: Client, path: str, body: dict[str, Any]) -> Reply:
    """Send it ten times at once and once more, with one key; return the answer that all get."""
    posts = [client.send("POST", path, json=body, headers=KEY) for _ in range(10)]
    replies = await asyncio.gather(*posts)
    assert {reply.status for reply in replies} == {201}
    assert len({reply.body for reply in replies}) == 1
    reordered = dict(reversed(body.items()))
    again = await client.send("POST", path, json=reordered, headers=KEY)
    assert again.json == replies[0].json
    await refuse_another(client, path, body)
    return replies[0]


async def refuse_another(client: Client, path: str, body: dict[str, Any]) -> None:
    """Assert that the key is refused with another body."""
    other = body | {next(iter(body)): "another"}
    is_problem(await client.send("POST", path, json=other, headers=KEY), 422, "Idempotency-Key")
