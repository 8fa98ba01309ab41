"""The operator's addresses and the token before them."""

from __future__ import annotations

import pytest

from tests.http_edge.serving import is_problem, serving

LISTINGS = ("/admin/actors", "/admin/registry", "/admin/dead-letters")


async def test_no_admin_address_answers_without_the_token() -> None:
    """Missing, wrong, cut, or under another scheme: 401, and how to authenticate."""
    async with serving() as served:
        wrong = [
            None,
            "",
            "Bearer",
            "Bearer ",
            f"Bearer {served.token[:-1]}",
            f"Bearer {served.token}x",
            f"Basic {served.token}",
            served.token,
            "Bearer é",
        ]
        actions = [("POST", f"/admin/actors/room/{name}") for name in ("kill", "restart")]
        for header in wrong:
            headers = {} if header is None else {"Authorization": header}
            for method, path in [*(("GET", path) for path in LISTINGS), *actions]:
                reply = await served.send(method, path, headers=headers)
                is_problem(reply, 401)
                assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert served.system.signals == []


async def test_the_tree_the_registry_and_the_dead_letters_are_lists() -> None:
    """Each is {"items", "next"} of what the kernel says, as it says it."""
    async with serving() as served:
        actors = await served.admin("GET", "/admin/actors")
        assert actors.status == 200
        assert actors.json["next"] is None
        assert actors.json["items"][0] == {"name": "root", "state": "running"}
        registry = await served.admin("GET", "/admin/registry")
        assert registry.json["items"] == [{"name": "room", "state": "running"}]
        for query, count in [("", 50), ("?limit=3", 3), ("?limit=200", 200)]:
            letters = await served.admin("GET", f"/admin/dead-letters{query}")
            assert len(letters.json["items"]) == count


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "", "1e1", "9" * 100, "%D9%A3"])
async def test_a_bad_limit_is_named(limit: str) -> None:
    """As for every other list."""
    async with serving() as served:
        reply = await served.admin("GET", f"/admin/dead-letters?limit={limit}")
        is_problem(reply, 422, "limit")


@pytest.mark.parametrize("action", ["kill", "restart", "suspend", "resume"])
async def test_each_action_reaches_its_actor(action: str) -> None:
    """202, naming what was done to whom; an unknown actor is a 404."""
    async with serving() as served:
        reply = await served.admin("POST", f"/admin/actors/room/{action}")
        assert (reply.status, reply.json) == (202, {"actor": "room", "action": action})
        assert served.system.signals == [(action, "room")]
        is_problem(await served.admin("POST", f"/admin/actors/nobody/{action}"), 404, "name")


async def test_an_operation_that_makes_no_sense_is_a_conflict() -> None:
    """The kernel says why."""
    async with serving() as served:
        reply = await served.admin("POST", "/admin/actors/root/suspend")
        is_problem(reply, 409)
        assert "supervisor" in reply.json["detail"]
