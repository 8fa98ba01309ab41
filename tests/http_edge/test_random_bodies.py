"""Random JSON to every address that takes a body: never a 5xx, and a problem unless accepted."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from http_edge.endpoints.service_endpoint import ServiceEndpoint
from tests.few_examples import few
from tests.http_edge.bad_input import valid_body, valid_path
from tests.http_edge.rows import rows
from tests.http_edge.serving import serving

WRITES = [
    (listener, row)
    for listener in ("gateway", "hotel")
    for row in rows(listener)
    if isinstance(row.endpoint, ServiceEndpoint) and row.method in {"POST", "PATCH"}
]
TEXT = st.text(st.characters(codec=None), max_size=30)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[int, bytes]:
    """Draw a row, and a body for it: anything at all, or a valid one with some fields changed."""
    index = draw(st.integers(0, len(WRITES) - 1))
    body: Any = draw(JSON)
    if draw(st.booleans()):
        body = valid_body(WRITES[index][1])
        for name in draw(st.sets(st.sampled_from(sorted(body)))):
            body[name] = draw(JSON)
    data = json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.booleans()) and data:
        at = draw(st.integers(0, len(data) - 1))
        data = data[:at] + draw(st.binary(max_size=3)) + data[at + 1 :]
    return index, data


@few(4)
@given(st.lists(bodies(), min_size=20, max_size=40))
async def test_no_body_produces_a_5xx(drawn: list[tuple[int, bytes]]) -> None:
    """Accepted or refused with a 4xx problem; what is accepted holds no NUL and no half pair."""
    async with serving() as served:
        for index, data in drawn:
            listener, row = WRITES[index]
            reply = await served.send(row.method, valid_path(row), listener, data=data)
            assert reply.status in {200, 201, 400, 404, 415, 422}, (row.path, data, reply)
            if reply.status >= 400:
                assert reply.json["status"] == reply.status
                continue
            assert "\0" not in repr(served.system.seen[-1].message).replace("\\x00", "\0")
            reply.body.decode()


@few(4)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=10, max_size=30))
async def test_no_address_produces_a_5xx(texts: list[str]) -> None:
    """Any text as query or as id, escaped or not: 200, or a 4xx problem."""
    async with serving() as served:
        for text in texts:
            raw = text.encode().replace(b" ", b"%20")
            head = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            for prefix in (b"/api/v1/tweets?", b"/api/v1/tweets?author=", b"/api/v1/rooms/", b"/"):
                reply = await served.raw(head % (prefix + raw))
                assert reply == b"" or reply[9:10] in b"24", (prefix, raw, reply[:200])
