"""Bad input to every row of every table: a 4xx that says what is wrong, never a 5xx."""

from __future__ import annotations

from tests.http_edge.bad_input import Bad, bad_inputs, valid_path
from tests.http_edge.rows import rows
from tests.http_edge.serving import Served, is_problem, serving

LISTENERS = ("gateway", "hotel", "tweets")


def authorized(served: Served, bad: Bad) -> dict[str, object]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {served.token}"}
    return {**bad.options, "headers": {**headers, **bad.options.get("headers", {})}}


async def test_every_kind_of_bad_input_to_every_route_is_a_4xx_that_names_the_trouble() -> None:
    """Each row x each kind of bad input: the right 4xx as a problem, naming the field at fault."""
    tried = 0
    troubles: list[str] = []
    async with serving() as served:
        for listener in LISTENERS:
            for row in rows(listener):
                for bad in bad_inputs(row, listener):
                    method, path = bad.method or row.method, bad.path or valid_path(row)
                    options = authorized(served, bad)
                    reply = await served.send(method, path + bad.query, listener, **options)
                    tried += 1
                    try:
                        is_problem(reply, bad.status, bad.field)
                    except (AssertionError, KeyError, ValueError) as error:
                        troubles.append(f"{listener} {row.method} {row.path}: {bad.label}: {error}")
    assert not troubles, "\n".join(troubles)
    assert tried > 500


async def test_nothing_bad_reaches_a_service() -> None:
    """What is refused at the edge is not asked of anybody, and does nothing to an actor."""
    async with serving() as served:
        letters = dict(served.system.letters)
        for listener in LISTENERS:
            for row in rows(listener):
                for bad in bad_inputs(row, listener):
                    method, path = bad.method or row.method, bad.path or valid_path(row)
                    options = authorized(served, bad)
                    await served.send(method, path + bad.query, listener, **options)
        assert served.system.seen == []
        assert served.system.signals == []
        assert served.system.letters == letters


async def test_a_head_is_its_get_without_the_body() -> None:
    """HEAD works wherever GET does: same status, same type and length, no body."""
    async with serving() as served:
        headers = {"Authorization": f"Bearer {served.token}"}
        for listener in LISTENERS:
            for row in rows(listener):
                if row.method != "GET":
                    continue
                get = await served.send("GET", valid_path(row), listener, headers=headers)
                head = await served.send("HEAD", valid_path(row), listener, headers=headers)
                assert head.status == get.status, row.path
                assert head.body == b""
                for name in ("Content-Type", "Content-Length"):
                    assert head.headers.get(name) == get.headers.get(name), row.path


async def test_a_405_lists_what_is_allowed() -> None:
    """Each address says its methods in Allow, and every method it says is not a 405."""
    async with serving() as served:
        for listener in ("gateway", "hotel"):  # the third minds no method
            for path in {valid_path(row) for row in rows(listener)}:
                reply = await served.send("PROPFIND", path, listener)
                is_problem(reply, 405)
                allowed = reply.headers["Allow"].split(", ")
                assert "PROPFIND" not in allowed
                for method in allowed:
                    answered = await served.send(method, path, listener)
                    assert answered.status != 405, (method, path)
