"""The operator's addresses of faults, and what they do to requests at the edge."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http_edge.serving import is_problem, serving

FAULTS = "/admin/faults"
ROOMS = "GET /api/v1/rooms"
LATENCY: dict[str, Any] = {"kind": "latency", "service": "room", "latency_ms": 200}
ABORT: dict[str, Any] = {"kind": "abort", "route": ROOMS, "status": 418}


async def test_faults_are_put_in_listed_and_taken_out() -> None:
    """Each with who wants it; one by its id, or all."""
    async with serving() as served:
        begun = await served.admin("POST", FAULTS, json={**LATENCY, "percent": 20, "by": "ada"})
        assert begun.status == 201
        assert begun.json.keys() == {
            *("id", "what", "order", "seed", "begun_us", "until_us", "hits", "seen", "by"),
        }
        assert (begun.json["id"], begun.json["by"]) == ("f1", "ada")
        assert begun.json["order"] == {**LATENCY, "percent": 20.0, "by": "ada"}
        listed = (await served.admin("GET", FAULTS)).json
        assert listed == {"items": [begun.json], "next": None, "stopped": False}
        gone = await served.admin("DELETE", f"{FAULTS}/f1")
        assert (gone.status, gone.json) == (200, begun.json)
        is_problem(await served.admin("DELETE", f"{FAULTS}/f1"), 404, "id")
        is_problem(await served.admin("POST", f"{FAULTS}/f1/renew"), 404, "id")
        # As a simulation has it.
        learnt = {"name": "slow_store", "target": "room", "amount_ms": 100}
        again = await served.admin("POST", FAULTS, json=learnt)
        assert again.json["what"] == "latency 100 ms of commits at room"
        ended = (await served.admin("DELETE", FAULTS)).json
        assert ([each["id"] for each in ended["ended"]], ended["stopped"]) == (["f2"], False)
        assert (await served.send("GET", FAULTS)).status == 401


async def test_the_lever_ends_all_and_lets_none_begin() -> None:
    async with serving() as served:
        await served.admin("POST", FAULTS, json=LATENCY)
        stopped = (await served.admin("POST", f"{FAULTS}/stop")).json
        assert ([each["id"] for each in stopped["ended"]], stopped["stopped"]) == (["f1"], True)
        is_problem(await served.admin("POST", FAULTS, json=LATENCY), 409)
        assert (await served.admin("GET", FAULTS)).json["stopped"] is True
        released = await served.admin("POST", f"{FAULTS}/release")
        assert released.json == {"stopped": False}
        assert (await served.admin("POST", FAULTS, json=LATENCY)).status == 201


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"kind": "burn"}, "kind"),
        ({**LATENCY, "percent": 101}, "percent"),
        ({**LATENCY, "service": "x"}, "service"),
        ({**LATENCY, "service": "root"}, "service"),
        ({**LATENCY, "jitter_ms": "much"}, "jitter_ms"),
        ({**LATENCY, "colour": "red"}, "colour"),
        ({**ABORT, "route": "GET /admin/faults"}, "route"),
        ({**ABORT, "headers": {"X": "a\r\nY: b"}}, "headers"),
        ({**ABORT, "header": "X-Test"}, None),
        ({"name": "burn", "target": "room"}, "name"),
        ({"name": "cut_power", "target": "process"}, "name"),
        ({"name": "kill_at", "target": "room"}, "target"),
        ({"name": "slow_store", "target": "x", "amount_ms": 1}, "service"),
    ],
)
async def test_a_wrong_order_is_named(said: dict[str, Any], field: str | None) -> None:
    """And nothing is done."""
    async with serving() as served:
        reply = await served.admin("POST", FAULTS, json=said)
        if field is None:
            assert reply.status == 201
            return
        assert reply.status == 422, reply.json
        assert reply.json["field"].split("[")[0] == field
        assert (await served.admin("GET", FAULTS)).json["items"] == []


async def test_a_route_is_aborted_for_whom_it_is_meant() -> None:
    """With this status, these headers, this body; others, and the lever, are let be."""
    said = {
        **ABORT,
        "headers": {"Content-Type": "text/html", "X-Why": "on purpose"},
        "body": "<p>tea",
        "header": "X-Guest: Ada",
        "first": 2,
    }
    async with serving() as served:
        await served.admin("POST", FAULTS, json=said)
        for given in ({}, {"X-Guest": "Ben"}):
            assert (await served.send("GET", "/api/v1/rooms", headers=given)).status == 200
        given = {"x-guest": "Ada"}
        reply = await served.send("GET", "/api/v1/rooms?limit=1", headers=given)
        assert reply.status == 418
        assert (reply.body, reply.headers["X-Why"]) == (b"<p>tea", "on purpose")
        assert reply.headers["Content-Type"] == "text/html"
        assert (await served.send("GET", "/api/v1/customers")).status == 200
        assert len(served.system.seen) == 3
        (listed,) = (await served.admin("GET", FAULTS)).json["items"]
        assert (listed["hits"], listed["seen"]) == (1, 1)
        await served.admin("DELETE", FAULTS)
        assert (await served.send("GET", "/api/v1/rooms", headers=given)).status == 200


async def test_a_posted_body_is_read_past_and_a_path_is_of_every_method() -> None:
    """The connection serves on, whatever of the request nobody read."""
    async with serving() as served:
        await served.admin("POST", FAULTS, json={**ABORT, "route": "/api/v1/rooms", "status": 204})
        for method, body in (("POST", {"type": "x" * 10_000}), ("GET", None)):
            aborted = await served.send(method, "/api/v1/rooms", json=body)
            assert (aborted.status, aborted.body) == (204, b"")
        assert served.system.seen == []


async def test_a_route_is_late_but_no_later_than_its_deadline() -> None:
    async with serving(deadline_s=0.05) as served:
        late = {"kind": "latency", "route": ROOMS, "latency_ms": 10, "every": 2}
        await served.admin("POST", FAULTS, json=late)
        for _ in range(2):
            assert (await served.send("GET", "/api/v1/rooms")).status == 200
        await served.admin("POST", FAULTS, json={**late, "latency_ms": 10_000})
        statuses = [(await served.send("GET", "/api/v1/rooms")).status for _ in range(2)]
        assert statuses == [200, 504]
        assert len(served.system.seen) == 3
