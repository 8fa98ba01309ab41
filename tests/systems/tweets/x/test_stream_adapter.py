"""X's stream as an iteration: what it says in its order, then how it ended."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from actors.systems.tweets.x import stream_adapter
from actors.systems.tweets.x.access import XAccess
from actors.systems.tweets.x.stream_adapter import KeepAlive, Said, StreamAdapter, StreamOpen
from actors.systems.tweets.x.x_errors import XStreamClosed, XUnreachable
from tests.systems.tweets.reading.reading_stage import CREDENTIALS
from tests.systems.tweets.rough_x import RoughX, Stage, opens, rough_x


def adapter(x: RoughX) -> StreamAdapter:
    access = XAccess(CREDENTIALS, simulator=True, write=False)
    access.open(x.url)
    return StreamAdapter(access, stall_s=5.0)


async def follow(x: RoughX, said: list[Said]) -> None:
    async for each in adapter(x).follow():
        said += [each]


@pytest.mark.parametrize(
    ("then", "end"), [("close", XStreamClosed), ("abort", XUnreachable)], ids=["closed", "broken"]
)
async def test_all_that_was_said_comes_before_the_end(then: str, end: type[Exception]) -> None:
    """In its order; an end in order has a name of its own."""
    said: list[Said] = []
    async with rough_x() as x:
        x.streams.append(opens(b"1", b"", b"2", then=then))
        with pytest.raises(XUnreachable) as raised:
            await follow(x, said)
    assert type(raised.value) is end
    kinds = [each if isinstance(each, bytes) else type(each) for each in said]
    whole = [StreamOpen, b"1", KeepAlive, b"2"]
    # Of a connection that breaks, what has come and is not read yet goes with it.
    assert kinds == (whole if then == "close" else whole[: len(kinds)])


async def test_it_reads_no_further_ahead_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is slow makes X wait, and holds no more lines than so many."""
    monkeypatch.setattr(stream_adapter, "AHEAD_MAX", 3)
    lines: list[bytes] = []
    on_data = stream_adapter._OneConnection.on_data

    async def counted(self: Any, line: bytes) -> None:
        lines.append(line)
        await on_data(self, line)

    monkeypatch.setattr(stream_adapter._OneConnection, "on_data", counted)
    async with rough_x() as x, asyncio.timeout(100):
        x.streams.append(opens(*[b"%d" % number for number in range(20)]))
        async with aclosing(adapter(x).follow()) as stream:
            assert [await anext(stream), await anext(stream)] == [StreamOpen(), b"0"]
            while len(lines) < 5:  # noqa: ASYNC110 - 0 is taken, three wait, and one has no room
                await asyncio.sleep(0)
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(lines) == 5


async def test_whoever_closes_it_has_no_connection_left() -> None:
    """At whatever it has said."""
    ended = asyncio.Event()

    async def act(stage: Stage) -> None:
        await stage.open()
        await stage.send(b"1")
        try:
            while True:
                await stage.send(b"")
                await asyncio.sleep(0.001)
        except OSError:
            ended.set()

    async with rough_x() as x, asyncio.timeout(100):
        for lasts in (0, 1, 5):
            x.streams.append(act)
            ended.clear()
            async with aclosing(adapter(x).follow()) as stream:
                assert await anext(stream) == StreamOpen()
                for _ in range(lasts):
                    await anext(stream)
            await ended.wait()
