"""What is not HTTP, or hardly: a clean 4xx or a closed connection."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http_edge.serving import serving

GARBAGE = {
    "noise": b"\x00\x01\x02\xff\xfe\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "unknown version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "bad method": b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "space in header": b"GET / HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n",
    "NUL in path": b"GET /a\x00b HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in header": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
    "long path": b"GET /" + b"a" * 131_080 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 10_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "negative length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "length and chunks": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "fragment": b"GET /healthz#x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "raw bytes in path": b"GET /api/v1/rooms/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "asterisk": b"DELETE * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "connect": b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "websocket": (
        b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
        b"Upgrade: websocket\r\n\r\n"
    ),
    "no path": b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("label", GARBAGE)
async def test_garbage_is_a_4xx_problem_without_a_trace(label: str) -> None:
    """The parser's own refusals look like all others, and tell nothing about what runs here."""
    async with serving() as served:
        reply = await served.raw(GARBAGE[label])
        head, _, body = reply.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 4"), reply[:200]
        assert b"Content-Type: application/problem+json" in head
        assert json.loads(body[: int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])])
        assert b"Traceback" not in reply
        assert b"aiohttp" not in reply
        assert (await served.send("GET", "/healthz")).status == 200


async def test_an_absolute_target_is_its_path() -> None:
    """The form that proxies are sent (RFC 9112 section 3.2.2)."""
    async with serving() as served:
        reply = await served.raw(
            b"GET http://elsewhere/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert reply.startswith(b"HTTP/1.1 200 ")


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=300), max_size=5))
async def test_random_bytes_never_break_the_listener(pieces: list[bytes]) -> None:
    """Whatever arrives, the answer is a 4xx, and the next client is served."""
    async with serving() as served:
        # Should it all have been a valid beginning, this end is not.
        reply = await served.raw(b"".join(pieces) + b"\r\n\r\n\0\r\n\r\n")
        assert reply.startswith(b"HTTP/1.1 4")
        assert (await served.send("GET", "/healthz")).status == 200
