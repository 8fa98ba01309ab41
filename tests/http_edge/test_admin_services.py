"""The operator's addresses of services: what they take, and what they say no to."""

from __future__ import annotations

import pytest

from tests.http_edge.serving import is_problem, serving

REPLICAS = "/admin/services/room/replicas"


async def test_the_registry_is_waited_for_by_its_version() -> None:
    """Whoever names none is answered at once; the wait has a limit of ours."""
    async with serving() as served:
        reply = await served.admin("GET", "/admin/registry")
        assert (reply.json["version"], reply.json["next"]) == (7, None)
        assert served.system.signals == []
        for query in ("after=3", "after=3&wait_s=0.5", "wait_s=2&after=0"):
            assert (await served.admin("GET", f"/admin/registry?{query}")).json["version"] == 7
        assert served.system.signals == [
            ("changed", "3 60"),
            ("changed", "3 0.5"),
            ("changed", "0 2"),
        ]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=x", "after"),
        ("after=", "after"),
        ("after=-1", "after"),
        ("after=1.5", "after"),
        ("after=1&wait_s=61", "wait_s"),
        ("after=1&wait_s=nan", "wait_s"),
        ("after=1&wait_s=.", "wait_s"),
        ("after=1&wait_s=%D9%A3", "wait_s"),
        ("wait_s=1", "wait_s"),
        ("limit=1", "limit"),
    ],
)
async def test_a_wrong_wait_is_named(query: str, field: str) -> None:
    """And nothing waits."""
    async with serving() as served:
        is_problem(await served.admin("GET", f"/admin/registry?{query}"), 422, field)
        assert served.system.signals == []


async def test_replicas_are_ordered_and_a_wrong_number_is_named() -> None:
    """With how many there may be, and of which service."""
    async with serving() as served:
        reply = await served.admin("PUT", REPLICAS, json={"replicas": 4})
        assert (reply.status, reply.json) == (200, {"service": "room", "replicas": 4, "before": 2})
        assert served.system.signals == [("scale to 4", "room")]
        is_problem(await served.admin("PUT", REPLICAS, json={"replicas": 65}), 409, "replicas")
        wrong = [{"replicas": "4"}, {"replicas": 0}, {}]
        for body, field in (*((each, "replicas") for each in wrong), ({"n": 4}, "n")):
            is_problem(await served.admin("PUT", REPLICAS, json=body), 422, field)
        nobody = await served.admin("PUT", "/admin/services/x/replicas", json={"replicas": 1})
        is_problem(nobody, 404, "name")


async def test_one_service_or_all_restart_in_turn() -> None:
    """The answer says who has."""
    async with serving() as served:
        one = await served.admin("POST", "/admin/services/room/restart")
        everyone = await served.admin("POST", "/admin/services/restart")
        assert (one.status, one.json) == (200, {"restarted": ["room"]})
        assert everyone.json == {"restarted": ["room"]}
        is_problem(await served.admin("POST", "/admin/services/x/restart"), 404, "name")
