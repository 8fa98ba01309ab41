"""The gateway's own API and the operator's addresses, from the socket to the disk and back."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.http_edge.serving import is_problem
from tests.system.client import connected

if TYPE_CHECKING:
    from pathlib import Path

    from tests.http_edge.serving import Reply
    from tests.system.conftest import Processes

pytestmark = pytest.mark.real_time

CUSTOMER: dict[str, Any] = {"name": "Ada Lovelace", "email": "ada@example.com"}
ROOM: dict[str, Any] = {
    "type": "double",
    "rate": {"amount": 12_000, "currency": "EUR"},
    "number": "12a",
}
TWEET: dict[str, Any] = {"author": "ada", "text": "tutorialedge rocks"}
RESOURCES = [("/api/v1/customers", CUSTOMER), ("/api/v1/rooms", ROOM), ("/api/v1/tweets", TWEET)]

DEADLINE_S = 0.6


# --- Customers, rooms, tweets ----------------------------------------------------------------


@pytest.mark.parametrize(("path", "body"), RESOURCES)
async def test_what_is_created_is_found_and_listed_also_after_a_restart(
    processes: Processes, path: str, body: dict[str, Any]
) -> None:
    """201, 200, 404; pages by cursor hold everything once and in order."""
    process = await asyncio.to_thread(processes.make().start)
    async with connected(process) as client:
        assert await client.list_all(path) == []
        created = [await client.create(path, body) for _ in range(5)]
        assert all(body.items() <= each.items() for each in created)
        assert len({each["id"] for each in created}) == 5
        is_problem(await client.send("GET", f"{path}/nobody"), 404)
    assert await asyncio.to_thread(process.stop) == 0
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        for each in created:
            reply = await client.send("GET", f"{path}/{each['id']}")
            assert (reply.status, reply.json) == (200, each)
        pages = [(await client.send("GET", f"{path}?limit=2")).json]
        while pages[-1]["next"] is not None:
            after = pages[-1]["next"]
            pages.append((await client.send("GET", f"{path}?limit=2&after={after}")).json)
        assert [page["items"] for page in pages] == [created[:2], created[2:4], created[4:]]


async def test_filters(processes: Processes) -> None:
    """Rooms by type, tweets by author; a page of a filtered list is a page of it alone."""
    process = await asyncio.to_thread(processes.make().start)
    async with connected(process) as client:
        rooms = [await client.create("/api/v1/rooms", ROOM | {"type": t}) for t in "abab"]
        tweets = [await client.create("/api/v1/tweets", TWEET | {"author": a}) for a in "xyxy"]
        for query, wanted in (("rooms?type=b", rooms[1::2]), ("tweets?author=y", tweets[1::2])):
            assert (await client.send("GET", f"/api/v1/{query}")).json["items"] == wanted
            page = (await client.send("GET", f"/api/v1/{query}&limit=1")).json
            assert page["items"] == wanted[:1]
            page = (await client.send("GET", f"/api/v1/{query}&after={page['next']}")).json
            assert page == {"items": wanted[1:], "next": None}


async def test_a_known_external_id_is_200_with_the_tweet_that_stands(processes: Processes) -> None:
    """Also where many tell of it at once: one is created."""
    process = await asyncio.to_thread(processes.make().start)
    async with connected(process) as client:
        body = TWEET | {"external_id": "x-1"}
        posts = [client.send("POST", "/api/v1/tweets", json=body) for _ in range(20)]
        replies = await asyncio.gather(*posts)
        assert sorted(reply.status for reply in replies) == [200] * 19 + [201]
        assert len({reply.body for reply in replies}) == 1
        assert await client.list_all("/api/v1/tweets") == [replies[0].json]


async def test_what_a_client_got_wrong_is_named(processes: Processes) -> None:
    """400 malformed, 404 no such address, 405 no such method, 413 too large, 422 the field."""
    process = await asyncio.to_thread(processes.make().start)
    async with connected(process) as client:
        for path, body in RESOURCES:
            is_problem(await client.send("POST", path, data=b'{"name"'), 400)
            is_problem(await client.send("PUT", path, json=body), 405)
            is_problem(await client.send("POST", path, data=b" " * 70_000), 413)
            unknown = await client.send("POST", path, json=body | {"nonsense": 1})
            is_problem(unknown, 422, "nonsense")
            for field in body.keys() - {"number"}:
                less = {key: value for key, value in body.items() if key != field}
                is_problem(await client.send("POST", path, json=less), 422, field)
            is_problem(await client.send("GET", f"{path}?limit=0"), 422, "limit")
            assert await client.list_all(path) == []
        bad_rate = ROOM | {"rate": {"amount": -1, "currency": "EUR"}}
        is_problem(await client.send("POST", "/api/v1/rooms", json=bad_rate), 422, "rate.amount")
        is_problem(await client.send("GET", "/api/v2/rooms"), 404)


@pytest.mark.parametrize(("path", "body"), RESOURCES)
async def test_an_idempotency_key_makes_a_retry_harmless(
    processes: Processes, path: str, body: dict[str, Any]
) -> None:
    """The same body gets the first reply, after a restart too; another body is a 422."""
    process = await asyncio.to_thread(processes.make().start)
    key = {"Idempotency-Key": "key-1"}
    async with connected(process) as client:
        posts = [client.send("POST", path, json=body, headers=key) for _ in range(10)]
        replies = await asyncio.gather(*posts)
        assert {reply.status for reply in replies} == {201}
        assert len({reply.body for reply in replies}) == 1
        first = replies[0]
        reordered = dict(reversed(body.items()))
        assert (await client.send("POST", path, json=reordered, headers=key)).json == first.json
        other = body | {next(iter(body)): "another"}
        refused = await client.send("POST", path, json=other, headers=key)
        is_problem(refused, 422, "Idempotency-Key")
    await asyncio.to_thread(process.kill)
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        again = await client.send("POST", path, json=body, headers=key)
        assert (again.status, again.json) == (201, first.json)
        assert again.headers["Location"] == first.headers["Location"]
        refused = await client.send("POST", path, json=other, headers=key)
        is_problem(refused, 422, "Idempotency-Key")
        assert await client.list_all(path) == [first.json]


# --- Health and the operator -----------------------------------------------------------------


async def test_health_and_the_tree(processes: Processes) -> None:
    """Alive, ready, and everything in the tree by its name."""
    process = await asyncio.to_thread(processes.make().start)
    async with connected(process) as client:
        assert (await client.send("GET", "/healthz")).status == 200
        assert (await client.send("GET", "/readyz")).status == 200
        reply = await client.admin("GET", "/admin/actors")
        tree = {item["name"]: item for item in reply.json["items"]}
        assert {name: item["parent"] for name, item in tree.items()} == {
            "root": None, "customer": "root", "room": "root", "tweets": "root",
        }  # fmt: skip
        for item in tree.values():
            assert (item["state"], item["incarnation"], item["restarts"]) == ("running", 1, 0)
            assert item["last_error"] is None
        reply = await client.admin("GET", "/admin/registry")
        assert {item["name"]: item["replicas"] for item in reply.json["items"]} == {
            name: [{"name": name, "healthy": True, "state": "running"}]
            for name in ("customer", "room", "tweets")
        }
        assert (await client.admin("GET", "/admin/dead-letters")).json["items"] == []


async def test_the_operators_addresses_want_the_token(processes: Processes) -> None:
    """Without it, or with another, 401 and nothing happens; an unknown actor is a 404."""
    process = await asyncio.to_thread(processes.make().start)
    async with connected(process) as client:
        addresses = [("GET", f"/admin/{name}") for name in ("actors", "registry", "dead-letters")]
        actions = ("kill", "restart", "suspend", "resume")
        addresses += [("POST", f"/admin/actors/room/{action}") for action in actions]
        for method, path in addresses:
            for headers in ({}, {"Authorization": f"Bearer {process.token}x"}):
                reply = await client.send(method, path, headers=headers)
                is_problem(reply, 401)
                assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await client.actor("room"))["incarnation"] == 1
        for action in actions:
            reply = await client.admin("POST", f"/admin/actors/nobody/{action}")
            is_problem(reply, 404, "name")
            is_problem(await client.admin("GET", f"/admin/actors/room/{action}"), 405)
        # Not on the tutorials' listeners.
        is_problem(await client.send("GET", "/admin/actors", "hotel"), 404)


@pytest.mark.parametrize("action", ["kill", "restart"])
async def test_a_killed_or_restarted_service_is_back_with_all_it_knew(
    processes: Processes, action: str
) -> None:
    """202; the next request is answered by the next incarnation; a restart is no crash."""
    process = await asyncio.to_thread(processes.make().start)
    async with connected(process) as client:
        created = await client.create("/api/v1/rooms", ROOM)
        await client.order("room", action)
        found = await client.send("GET", f"/api/v1/rooms/{created['id']}")
        assert (found.status, found.json) == (200, created)
        actor = await client.actor_where("room", lambda actor: actor["restarts"] == 1)
        assert (actor["state"], actor["incarnation"]) == ("running", 2)
        crashes = process.events("crashed")
        assert [(line["actor"], line["killed"]) for line in crashes] == (
            [("room", True)] if action == "kill" else []
        )
        for other in ("customer", "tweets", "root"):
            assert (await client.actor(other))["restarts"] == 0


@pytest.mark.parametrize("action", ["kill", "restart"])
async def test_requests_under_way_do_not_hold_up_a_kill_or_a_restart(
    processes: Processes, action: str
) -> None:
    """What is in hand is finished or handed on; each answer comes as soon as without it."""
    process = await asyncio.to_thread(processes.make().start)
    loop = asyncio.get_running_loop()
    async with connected(process) as client:
        for _ in range(10):
            begun = loop.time()
            posts = [
                asyncio.create_task(client.send("POST", "/api/v1/rooms", json=ROOM))
                for _ in range(40)
            ]
            # Let some be in hand and some be queued at the order.
            await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
            await client.order("room", action)
            assert {reply.status for reply in await asyncio.gather(*posts)} == {201}
            assert loop.time() - begun < 2
        assert len(await client.list_all("/api/v1/rooms")) == 400
    killed = [line["error"] for line in process.events("crashed")]
    assert set(killed) == ({"Killed: killed by an operator"} if action == "kill" else set())


@pytest.mark.parametrize("action", ["kill", "restart"])
async def test_the_root_killed_or_restarted_brings_the_whole_tree_back(
    processes: Processes, action: str
) -> None:
    """What was in hand or queued is answered by the next incarnations; nothing is lost."""
    process = await asyncio.to_thread(processes.make().start)
    async with connected(process) as client:
        for _ in range(3):
            writes = [
                asyncio.create_task(client.send("POST", path, json=body))
                for path, body in RESOURCES
                for _ in range(20)
            ]
            await client.order("root", action)
            assert {reply.status for reply in await asyncio.gather(*writes)} == {201}
        for path, _ in RESOURCES:
            assert len(await client.list_all(path)) == 60
        assert (await client.send("GET", "/readyz")).status == 200
        is_problem(await client.admin("POST", "/admin/actors/root/suspend"), 409)


async def test_a_suspended_service_answers_504_at_the_deadline_and_alone(
    processes: Processes,
) -> None:
    """Its neighbours serve on, readyz names it, and resumed it serves what can still be served."""
    process = processes.make(f"--set=edge.deadline_s={DEADLINE_S}")
    await asyncio.to_thread(process.start)
    loop = asyncio.get_running_loop()
    async with connected(process) as client:
        await client.order("room", "suspend")
        await client.actor_where("room", lambda actor: actor["state"] == "suspended")
        begun = loop.time()
        late = await asyncio.gather(
            client.send("POST", "/api/v1/rooms", json=ROOM), client.send("GET", "/api/v1/rooms")
        )
        assert DEADLINE_S * 0.9 < loop.time() - begun < DEADLINE_S + 1
        for reply in late:
            is_problem(reply, 504)
        await client.create("/api/v1/customers", CUSTOMER)
        reply = await client.send("GET", "/readyz")
        is_problem(reply, 503)
        assert reply.json["services"] == ["room"]
        assert "room" in reply.json["detail"]
        assert (await client.send("GET", "/healthz")).status == 200

        waiting = asyncio.create_task(client.send("POST", "/api/v1/rooms", json=ROOM))
        # Two that nobody waits for any more, and this one.
        await client.actor_where("room", lambda actor: actor["mailbox_depth"] >= 2)
        await client.order("room", "resume")
        served = await waiting
        assert served.status == 201
        assert (await client.send("GET", "/readyz")).status == 200
        # What was given up at its deadline was not run afterwards.
        assert await client.list_all("/api/v1/rooms") == [served.json]


async def test_a_kill_does_not_resume_what_an_operator_suspended(processes: Processes) -> None:
    """The next incarnation is suspended too, until somebody resumes it."""
    process = processes.make(f"--set=edge.deadline_s={DEADLINE_S}")
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        await client.order("room", "suspend")
        await client.order("room", "kill")
        actor = await client.actor_where("room", lambda actor: actor["restarts"] == 1)
        assert actor["state"] == "suspended"
        is_problem(await client.send("GET", "/api/v1/rooms"), 504)
        await client.order("room", "resume")
        assert (await client.send("GET", "/api/v1/rooms")).status == 200


async def test_a_full_mailbox_is_503_with_retry_after(processes: Processes) -> None:
    """Beyond its capacity at once and with a hint; what was accepted is served; reads go on."""
    process = processes.make("--set=mailbox.capacity=4", "--set=mailbox.retry_after_s=2.5")
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        await client.order("tweets", "suspend")
        await client.actor_where("tweets", lambda actor: actor["state"] == "suspended")
        posts = [
            asyncio.create_task(client.send("POST", "/api/v1/tweets", json=TWEET))
            for _ in range(12)
        ]
        await client.actor_where("tweets", lambda actor: actor["rejected"] == 8)
        # Commands may be full: queries have their own lane.
        read = asyncio.create_task(client.send("GET", "/api/v1/tweets"))
        await client.actor_where("tweets", lambda actor: actor["mailbox_depth"] == 5)
        await client.order("tweets", "resume")
        replies: list[Reply] = await asyncio.gather(*posts)
        assert sorted(reply.status for reply in replies) == [201] * 4 + [503] * 8
        for reply in replies:
            if reply.status == 503:
                is_problem(reply, 503)
                assert reply.headers["Retry-After"] == "3"
                assert reply.json["retry_after"] == 3
                assert "tweets" in reply.json["detail"]
        assert (await read).status == 200
        assert len(await client.list_all("/api/v1/tweets")) == 4


async def test_a_message_that_crashes_its_service_is_a_dead_letter(processes: Processes) -> None:
    """Tried attempts_max times, then kept with its reason, over restarts; the rest serves on."""
    process = await asyncio.to_thread(processes.make().start)
    async with connected(process) as client:
        # A handler's bug, made from outside: its table is not what it takes it for.
        rename(process.data_dir, "tweet", "hidden")
        reply = await client.send(
            "POST", "/api/v1/tweets", json=TWEET, headers={"X-Request-ID": "poison"}
        )
        is_problem(reply, 503)
        assert reply.json["type"] == "/problems/dead-lettered"
        await client.create("/api/v1/customers", CUSTOMER)
        rename(process.data_dir, "hidden", "tweet")
        await client.create("/api/v1/tweets", TWEET)
        actor = await client.actor("tweets")
        assert (actor["state"], actor["restarts"], actor["dead_lettered"]) == ("running", 3, 1)
        letters = (await client.admin("GET", "/admin/dead-letters")).json["items"]
    await asyncio.to_thread(process.stop)
    (letter,) = letters
    assert (letter["actor"], letter["message_type"], letter["attempts"], letter["durable"]) == (
        "tweets", "StoreTweet", 3, True,
    )  # fmt: skip
    assert "no such table" in letter["reason"]
    assert TWEET["text"] in letter["message"]
    crashes = process.events("crashed", actor="tweets", request_id="poison")
    assert [line["message_type"] for line in crashes] == ["StoreTweet"] * 3
    assert len(process.events("dead lettered", actor="tweets", request_id="poison")) == 1
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        reply = await client.admin("GET", "/admin/dead-letters")
        assert reply.json["items"] == letters


async def test_dead_letters_are_listed_newest_first_up_to_the_limit(processes: Processes) -> None:
    """Those of all services together, those that no store keeps included."""
    process = processes.make("--set=mailbox.capacity=1", "--set=mailbox.overflow=drop_oldest")
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        for name in ("customer", "room"):
            await client.order(name, "suspend")
            await client.actor_where(name, lambda actor: actor["state"] == "suspended")
        posts = []
        for dropped in range(4):
            for path, body in RESOURCES[:2]:
                posts.append(asyncio.create_task(client.send("POST", path, json=body)))
                name = path.rpartition("/")[2].removesuffix("s")
                # One stays in the mailbox and drives the one before it out.
                await client.actor_where(name, partial(has_dead_lettered, dropped))
        reply = await client.admin("GET", "/admin/dead-letters")
        letters = reply.json["items"]
        assert [letter["actor"] for letter in letters] == ["room", "customer"] * 3
        assert [letter["durable"] for letter in letters] == [False] * 6
        assert all("mailbox" in letter["reason"] for letter in letters)
        limited = await client.admin("GET", "/admin/dead-letters?limit=2")
        assert limited.json["items"] == letters[:2]
        for name in ("customer", "room"):
            await client.order(name, "resume")
        replies = await asyncio.gather(*posts)
        assert [reply.status for reply in replies] == [503] * 6 + [201] * 2


# --- Inside ----------------------------------------------------------------------------------


def has_dead_lettered(count: int, actor: dict[str, Any]) -> bool:
    """Whether the actor has taken one message more than it gave up."""
    taken: bool = actor["accepted"] == count + 1
    return taken and bool(actor["dead_lettered"] == count)


def rename(data_dir: Path, old: str, new: str) -> None:
    """Rename a table of the tweets service, under its feet."""
    with closing(sqlite3.connect(data_dir / "tweets.db", timeout=5)) as connection:
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")
