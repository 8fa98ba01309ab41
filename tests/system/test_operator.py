"""Health and the operator's addresses: services killed, suspended and overloaded from outside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.http_edge.serving import is_problem
from tests.system.client import connected
from tests.system.conftest import IMPATIENT_S
from tests.system.resources import (
    CUSTOMER,
    GROUPED,
    REPLICAS,
    RESOURCES,
    ROOM,
    SERVICES,
    STARTED,
    TWEET,
)

if TYPE_CHECKING:
    from actors.testing.live_system import LiveSystem
    from tests.http_edge.serving import Reply
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time


async def test_health_and_the_tree(standing: LiveSystem) -> None:
    """Alive, ready, and everything in the tree by its name."""
    async with connected(standing) as client:
        assert (await client.send("GET", "/healthz")).status == 200
        await client.until_ready()
        reply = await client.admin("GET", "/admin/actors")
        tree = {item["name"]: item for item in reply.json["items"]}
        assert {name: item["parent"] for name, item in tree.items()} == {
            "root": None,
            **dict.fromkeys(STARTED, "root"),
            **GROUPED,
        }
        for item in tree.values():
            assert (item["state"], item["incarnation"], item["restarts"]) == ("running", 1, 0)
            assert item["last_error"] is None
        reply = await client.admin("GET", "/admin/registry")
        assert reply.json["version"] > 0
        known = ("name", "healthy", "state", "health", "in_rotation", "why")
        assert {
            item["name"]: [{key: each[key] for key in known} for each in item["replicas"]]
            for item in reply.json["items"]
        } == {
            name: [
                dict(zip(known, (replica, True, "running", "up", True, None), strict=True))
                for replica in (REPLICAS if name == "sentiment" else [name])
            ]
            for name in SERVICES
        }
        assert (await client.admin("GET", "/admin/dead-letters")).json["items"] == []


async def test_the_operators_addresses_want_the_token(hotel: LiveSystem) -> None:
    """Without it, or with another, 401 and nothing happens; an unknown actor is a 404."""
    async with connected(hotel) as client:
        before = await client.actor("room")
        listings = ("actors", "registry", "channels", "timers", "dead-letters")
        addresses = [("GET", f"/admin/{name}") for name in listings]
        addresses += [("POST", "/admin/dead-letters/x/replay"), ("DELETE", "/admin/dead-letters/x")]
        actions = ("kill", "restart", "suspend", "resume")
        addresses += [("POST", f"/admin/actors/room/{action}") for action in actions]
        for method, path in addresses:
            for headers in ({}, {"Authorization": f"Bearer {hotel.token}x"}):
                reply = await client.send(method, path, headers=headers)
                is_problem(reply, 401)
                assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        after = await client.actor("room")
        assert (after["incarnation"], after["state"]) == (before["incarnation"], "running")
        for action in actions:
            reply = await client.admin("POST", f"/admin/actors/nobody/{action}")
            is_problem(reply, 404, "name")
            is_problem(await client.admin("GET", f"/admin/actors/room/{action}"), 405)
        # Not on the tutorials' listeners.
        is_problem(await client.send("GET", "/admin/actors", "hotel"), 404)


@pytest.mark.parametrize("action", ["kill", "restart"])
async def test_a_killed_or_restarted_service_is_back_with_all_it_knew(
    hotel: LiveSystem, action: str
) -> None:
    """202; the next request is answered by the next incarnation; a restart is no crash."""
    told = len(hotel.events("crashed"))
    async with connected(hotel) as client:
        names = ("room", "customer", "booking", "root")
        before = {name: await client.actor(name) for name in names}
        restarts = before["room"]["restarts"] + 1
        created = await client.create("/api/v1/rooms", ROOM)
        await client.order("room", action)
        found = await client.send("GET", f"/api/v1/rooms/{created['id']}")
        assert (found.status, found.json) == (200, created)
        actor = await client.actor_where("room", lambda actor: actor["restarts"] == restarts)
        assert actor["state"] == "running"
        assert actor["incarnation"] == before["room"]["incarnation"] + 1
        crashes = hotel.events("crashed")[told:]
        assert [(line["actor"], line["killed"]) for line in crashes] == (
            [("room", True)] if action == "kill" else []
        )
        for other in names[1:]:
            assert (await client.actor(other))["restarts"] == before[other]["restarts"]


@pytest.mark.parametrize("action", ["kill", "restart"])
async def test_requests_under_way_do_not_hold_up_a_kill_or_a_restart(
    hotel: LiveSystem, action: str
) -> None:
    """What is in hand is finished or handed on; each answer comes as soon as without it."""
    told = len(hotel.events("crashed"))
    loop = asyncio.get_running_loop()
    took_s = []
    async with connected(hotel) as client:
        before = len(await client.list_all("/api/v1/rooms"))
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
            took_s.append(loop.time() - begun)
        assert min(took_s) < 2  # the others are the machine's
        assert len(await client.list_all("/api/v1/rooms")) == before + 400
    killed = [line["error"] for line in hotel.events("crashed")[told:]]
    assert set(killed) == ({"Killed: killed by an operator"} if action == "kill" else set())


@pytest.mark.parametrize("action", ["kill", "restart"])
async def test_the_root_killed_or_restarted_brings_the_whole_tree_back(
    standing: LiveSystem, action: str
) -> None:
    """What was in hand or queued is answered by the next incarnations; nothing is lost."""
    async with connected(standing) as client:
        before = {path: len(await client.list_all(path)) for path, _ in RESOURCES}
        for _ in range(3):
            writes = [
                asyncio.create_task(client.send("POST", path, json=body))
                for path, body in RESOURCES
                for _ in range(20)
            ]
            await client.order("root", action)
            assert {reply.status for reply in await asyncio.gather(*writes)} == {201}
        for path, _ in RESOURCES:
            assert len(await client.list_all(path)) == before[path] + 60
        await client.until_ready()
        is_problem(await client.admin("POST", "/admin/actors/root/suspend"), 409)


async def test_a_suspended_service_answers_504_at_the_deadline_and_alone(
    impatient_hotel: LiveSystem,
) -> None:
    """Its neighbours serve on, readyz names it, and resumed it serves what can still be served."""
    loop = asyncio.get_running_loop()
    async with connected(impatient_hotel) as client:
        before = await client.list_all("/api/v1/rooms")
        await client.order("room", "suspend")
        await client.actor_where("room", lambda actor: actor["state"] == "suspended")
        begun = loop.time()
        late = await asyncio.gather(
            client.send("POST", "/api/v1/rooms", json=ROOM), client.send("GET", "/api/v1/rooms")
        )
        assert IMPATIENT_S * 0.9 < loop.time() - begun < IMPATIENT_S + 30
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
        await client.until_ready()
        # What was given up at its deadline was not run afterwards.
        assert await client.list_all("/api/v1/rooms") == [*before, served.json]


async def test_a_kill_does_not_resume_what_an_operator_suspended(
    impatient_hotel: LiveSystem,
) -> None:
    """The next incarnation is suspended too, until somebody resumes it."""
    async with connected(impatient_hotel) as client:
        restarts = (await client.actor("room"))["restarts"] + 1
        await client.order("room", "suspend")
        await client.order("room", "kill")
        actor = await client.actor_where("room", lambda actor: actor["restarts"] == restarts)
        assert actor["state"] == "suspended"
        is_problem(await client.send("GET", "/api/v1/rooms"), 504)
        await client.order("room", "resume")
        assert (await client.send("GET", "/api/v1/rooms")).status == 200


async def test_a_full_mailbox_is_503_with_retry_after(processes: Processes) -> None:
    """Beyond its capacity at once and with a hint; what was accepted is served; reads go on."""
    process = processes.boot("mailbox.capacity=4", "mailbox.retry_after_s=2.5")
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
