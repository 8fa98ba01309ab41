"""Which answers use up an Idempotency-Key: one rule, at every address that writes."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from actors.kernel.messages import Command
from http_edge.endpoints.service_endpoint import ServiceEndpoint
from tests.http_edge.rows import rows
from tests.http_edge.serving import is_problem
from tests.system.client import connected
from tests.system.resources import CUSTOMER, ROOM, TWEET

if TYPE_CHECKING:
    from actors.testing.live_system import LiveSystem
    from tests.http_edge.serving import Reply
    from tests.system.client import Client

pytestmark = pytest.mark.real_time

LISTENERS = ("gateway", "hotel", "tweets")
STAY = {"customer_id": "ada", "room_id": "r1", "check_in": "2100-01-01", "check_out": "2100-01-03"}
GO_STAY = {"CustomerID": "ada", "RoomID": "r1", "CheckIn": "2100-02-01", "CheckOut": "2100-02-03"}
GO_CUSTOMER = {"Name": "Bob", "Email": "bob@example.com"}
GO_ROOM = {"Type": "suite", "Status": "available"}
TOO_LONG = {"Name": "x" * 201}
# The edge says no to the one, the service to the other: it knows that a stay has to end.
BACKWARDS = ({"check_in": "2100-02-30"}, {"check_out": "2100-01-01"})
GO_BACKWARDS = ({"CheckIn": "2100-02-30"}, {"CheckOut": "2100-01-01"})

# Method, listener, path, right body, what makes it wrong: one or more ways to be answered 422.
WRITES: list[tuple[str, str, str, dict[str, Any], tuple[dict[str, Any], ...]]] = [
    ("POST", "gateway", "/api/v1/customers", CUSTOMER, ({"name": ""}, {"surprise": 1})),
    ("POST", "gateway", "/api/v1/rooms", ROOM, ({"type": 7}, {"rate": None})),
    ("PATCH", "gateway", "/api/v1/rooms/{room}", {"number": "7"}, ({"rate": None},)),
    ("POST", "gateway", "/api/v1/bookings", STAY, BACKWARDS),
    ("POST", "gateway", "/api/v1/tweets", TWEET, ({"text": ""},)),
    ("PATCH", "gateway", "/api/v1/flags/{flag}", {"note": "seen"}, ({"status": "shut"},)),
    ("POST", "gateway", "/api/booking", GO_STAY, GO_BACKWARDS),
    ("POST", "gateway", "/api/customer", GO_CUSTOMER, (TOO_LONG,)),
    ("POST", "gateway", "/api/room", GO_ROOM, ({"Type": "x" * 101},)),
    ("POST", "hotel", "/booking", GO_STAY | {"RoomID": "r2"}, GO_BACKWARDS),
    ("POST", "hotel", "/customer", GO_CUSTOMER, (TOO_LONG,)),
    ("POST", "hotel", "/room", GO_ROOM, ({"Type": "x" * 101},)),
]  # fmt: skip


async def test_what_is_invalid_leaves_its_key_free_at_every_address(standing: LiveSystem) -> None:
    """422, whoever says so; corrected, the same key is good, and then it is used up."""
    async with connected(standing) as client:
        await client.create("/customer", {"ID": "ada", **GO_CUSTOMER}, listener="hotel")
        for room in ("r1", "r2"):
            await client.create("/room", {"ID": room, **GO_ROOM}, listener="hotel")
        flag = await flagged(client)
        for number, (method, listener, path, right, wrongs) in enumerate(WRITES):
            path = path.format(flag=flag, room="r1")  # noqa: PLW2901 - what there is
            key = {"Idempotency-Key": f"key-{number}"}

            async def ask(
                body: dict[str, Any],
                *,
                where: tuple[str, str, str] = (method, path, listener),
                key: dict[str, str] = key,
            ) -> Reply:
                return await client.send(*where, json=body, headers=key)

            for wrong in wrongs:
                for _ in range(2):
                    is_problem(await ask(right | wrong), 422, next(iter(wrong)))
            done = await ask(right)
            assert done.status in {200, 201}, (path, done.body)
            again = await ask(right)
            assert (again.status, again.body) == (done.status, done.body), path
            name = next(iter(right))
            other = right | {name: right[name] + "x"}
            is_problem(await ask(other), 422, "Idempotency-Key")
        tested = {(method, path) for method, _, path, _, _ in WRITES}
        tested |= {("DELETE", "/api/v1/bookings/{}"), ("GET", "/insert/{}/{}")}
        assert {(method, pattern(path)) for method, path in tested} == writing_addresses()


def pattern(path: str) -> str:
    return re.sub(r"\{.*?\}", "{}", path)


def writing_addresses() -> set[tuple[str, str]]:
    return {
        (row.method, pattern(row.path))
        for listener in LISTENERS
        for row in rows(listener)
        if isinstance(row.endpoint, ServiceEndpoint) and issubclass(row.endpoint.message, Command)
    }


async def flagged(client: Client) -> str:
    """Have a negative tweet flagged; return the flag's id."""
    await client.create("/api/v1/tweets", {"author": "eve", "text": "awful, I hate it"})
    async with asyncio.timeout(10):
        while not (flags := await client.list_all("/api/v1/flags")):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)
    return str(flags[0]["id"])


async def test_what_was_done_or_is_forbidden_as_things_stand_uses_its_key_up(
    standing: LiveSystem,
) -> None:
    """404 and 409 are remembered like a 201, and a booking that was rejected has its key."""
    async with connected(standing) as client:
        # The process is the other test's, too: a guest and a room of its own.
        await client.create("/customer", {"ID": "eve", **GO_CUSTOMER}, listener="hotel")
        await client.create("/room", {"ID": "r3", **GO_ROOM}, listener="hotel")
        before = len(await client.list_all("/api/v1/bookings"))
        stay = STAY | {"customer_id": "eve", "room_id": "r3"}
        k1, k2, k3, k4, k5 = ({"Idempotency-Key": f"k{number}"} for number in range(1, 6))
        # Without a body, what is corrected is the address.
        is_problem(await client.send("DELETE", "/api/v1/bookings/b1?x=1", headers=k1), 422, "x")
        is_problem(await client.send("DELETE", "/api/v1/bookings/b1", headers=k1), 404)
        wish = {"ID": "b1", **GO_STAY, "CustomerID": "eve", "RoomID": "r3"}
        assert (await client.send("POST", "/booking", "hotel", json=wish)).status == 201
        is_problem(await client.send("DELETE", "/api/v1/bookings/b1", headers=k1), 404)
        long = f"/insert/{'x' * 101}/hello"
        is_problem(await client.send("GET", long, "tweets", headers=k2), 422, "author")
        for _ in range(2):
            reply = await client.send("GET", "/insert/x/hello", "tweets", headers=k2)
            assert reply.body == b"Inserted one into the Database"
        taken = await client.send("POST", "/customer", "hotel", json={"ID": "eve"}, headers=k3)
        is_problem(taken, 409)
        other = await client.send("POST", "/customer", "hotel", json={"ID": "bob"}, headers=k3)
        is_problem(other, 422, "Idempotency-Key")
        declined = stay | {"card_number": "4000000000000002"}
        for _ in range(2):
            reply = await client.send("POST", "/api/v1/bookings", json=declined, headers=k4)
            is_problem(reply, 409)
        paid = await client.send("POST", "/api/v1/bookings", json=stay, headers=k4)
        is_problem(paid, 422, "Idempotency-Key")
        # A no that comes late, from another service, is never a 422: somebody may wait for it.
        dear = {"rate": {"amount": 10**12, "currency": "EUR"}}
        assert (await client.send("PATCH", "/api/v1/rooms/r3", json=dear)).status == 200
        for _ in range(2):
            is_problem(await client.send("POST", "/api/v1/bookings", json=stay, headers=k5), 409)
        assert len(await client.list_all("/api/v1/bookings")) == before + 3
        hello = [each for each in await client.list_all("/api/v1/tweets") if each["author"] == "x"]
        assert len(hello) == 1
