"""Answers as servers frame them, in whatever parts they come."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

import pytest

from actors.load.connection_pool import ConnectionPool
from actors.load.load_exchange import LoadExchange
from actors.simulation.net.current_host import on_host
from tests.load.notebook import virtually

if TYPE_CHECKING:
    from actors.simulation.time.loop import SimulationLoop

GET = b"GET / HTTP/1.1\r\nHost: server\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: server\r\n\r\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
)
LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde"


def asked(answer: bytes, *, request: bytes = GET, step: int = 1000) -> list[tuple[int, bytes, str]]:
    """Return what two requests come to, each answered so, `step` bytes at a time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                for begin in range(0, len(answer), step):
                    writer.write(answer[begin : begin + step])
                    await asyncio.sleep(0.01)
                if not re.search(rb"(?i)content-length|chunked|SSH", answer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def main(loop: SimulationLoop) -> list[tuple[int, bytes, str]]:
        with on_host("server"):
            listening = await asyncio.start_server(serve, "server", 80)
        found = []
        with on_host("client"):
            pool = ConnectionPool("server", 80, loop.clock, connections_max=1, timeout_s=5.0)
            for _ in range(2):
                ended: asyncio.Future[LoadExchange] = loop.create_future()
                pool.send(LoadExchange(request, loop.time(), ended.set_result))
                exchange = await ended
                found.append((exchange.status, exchange.body, exchange.failure))
            await pool.close()
        listening.close()
        await asyncio.sleep(10)
        return found

    return virtually(main)


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("answer", [CHUNKED, LENGTH, b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH])
def test_an_answer_comes_in_any_parts(answer: bytes, step: int) -> None:
    """By its length, in chunks, and behind an interim one; and the connection is used again."""
    assert asked(answer, step=step) == [(200, b"abcde", "")] * 2


def test_an_answer_may_end_with_its_connection() -> None:
    """Then the next request opens another."""
    assert asked(b"HTTP/1.0 200 OK\r\n\r\nabcde") == [(200, b"abcde", "")] * 2


def test_a_connection_that_closes_is_not_used_again() -> None:
    """It was answered all the same."""
    answer = b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"
    assert asked(answer) == [(503, b"no", "")] * 2


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED])
def test_nobody_has_the_answer_to_what_was_not_asked(answer: bytes) -> None:
    """Who answers twice has answered the first time, and the connection is given up."""
    other = LENGTH.replace(b"abcde", b"other")
    assert asked(answer + other) == [(200, b"abcde", "")] * 2
    assert asked(answer + b"HTTP", step=1000) == [(200, b"abcde", "")] * 2


def test_a_head_has_no_body() -> None:
    """Whatever length it says."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    assert asked(answer, request=HEAD) == [(200, b"", "")] * 2


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"SSH-2.0-x\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 -20 OK\r\nContent-Length: 5\r\n\r\nabcde", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\n", "connection lost"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5000 + b"SSH\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-7\r\n", "no HTTP answer"),
    ],
)
def test_what_is_no_answer_is_a_failure(answer: bytes, failure: str) -> None:
    """And the next request is sent on another connection."""
    assert asked(answer) == [(0, b"", failure)] * 2


def test_a_connection_that_cannot_be_made_takes_no_request_of_another() -> None:
    """By then the one that it was for may have gone by a connection that was free again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                writer.write(LENGTH)
        writer.close()

    async def main(loop: SimulationLoop) -> list[int]:
        with on_host("server"):
            listening = await asyncio.start_server(serve, "server", 80)
        ends: list[int] = []
        with on_host("client"):
            pool = ConnectionPool("server", 80, loop.clock, connections_max=2, timeout_s=5.0)
            pool.send(LoadExchange(GET, loop.time(), lambda each: ends.append(each.status)))
            await asyncio.sleep(1.0)
            (first,) = pool._open
            pool._idle.clear()  # it is at work
            pool.send(LoadExchange(GET, loop.time(), lambda each: ends.append(each.status)))
            (opening,) = pool._opening
            listening.close()
            pool._freed(first)
            await asyncio.sleep(1.0)
            await pool.close()
        await asyncio.sleep(10)
        assert opening.exception() is None
        return ends

    assert virtually(main) == [200, 200]
