"""Every answer has a request id, the client's own if it is sane."""

from __future__ import annotations

import pytest

from actors.log import request_id
from tests.http_edge.serving import serving

GET = "/api/v1/customers/c1"


async def test_a_sane_id_is_kept_and_known_within_the_request() -> None:
    """It is returned, and in the context of everything that happens for the request."""
    async with serving() as served:
        known: list[str | None] = []
        served.system.on_ask = lambda _: known.append(request_id.get())
        reply = await served.send("GET", GET, headers={"X-Request-ID": "r" * 64})
        assert reply.headers["X-Request-ID"] == "r" * 64
        assert known == ["r" * 64]


@pytest.mark.parametrize("given", ["", "r" * 65, "a b", "é", "a\tb"])
async def test_any_other_is_replaced(given: str) -> None:
    """Too long, empty or not visible ASCII: it must not get into logs and headers."""
    async with serving() as served:
        reply = await served.send("GET", GET, headers={"X-Request-ID": given})
        made = reply.headers["X-Request-ID"]
        assert made != given
        assert len(made) == 16


async def test_ids_differ_and_every_kind_of_answer_has_one() -> None:
    """Also answers to what has no handler, and to what is no HTTP."""
    async with serving() as served:
        replies = [await served.send("GET", path) for path in (GET, GET, "/nothing", "/healthz")]
        ids = {reply.headers["X-Request-ID"] for reply in replies}
        assert len(ids) == 4
        assert b"X-Request-ID: " in await served.raw(b"rubbish\r\n\r\n")
