"""Clients that read slowly, or not at all: told why, cut off, and never a matter of memory."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.systems.x_platform.api.embedded_x import (
    EmbeddedX,
    disconnect,
    embedded_x,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.systems.x_platform.api.open_stream import OpenStream

SOON_S = 100.0


async def flood(x: EmbeddedX, numbers: Iterator[int], count: int = 100) -> None:
    for number in itertools.islice(numbers, count):
        await x.tweet_as("ada", f"cats {number} " + "x" * 3900)


async def open_and_read_nothing(x: EmbeddedX) -> tuple[OpenStream, Any]:
    """Return a stream that nobody reads, and the server's side of its connection."""
    stream = await x.open_stream(narrow=True)
    stream.writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's can
    return stream, x.transport(stream)


@pytest.mark.real_time
async def test_a_client_that_reads_nothing_is_disconnected_and_costs_no_memory() -> None:
    """As a slow reader, after `send_s_max`: its place is free then, and it may yet read why."""
    async with embedded_x(edge={"send_s_max": 1.0}) as x:
        await x.add_rules("cats")
        stream, transport = await open_and_read_nothing(x)
        numbers, waiting = itertools.count(), 0
        async with asyncio.timeout(200):
            while x.places_taken():
                await flood(x, numbers, 5)  # looked at often: it is cut soon after it is full
                waiting = max(waiting, transport.get_write_buffer_size())
        # What asyncio lets wait, and the objects that went beyond it: a tweet, and the last.
        assert 2**15 < waiting < 2**16 + 2**13
        again = await x.open_stream()
        assert again.status == 200
        await again.close()
        stream.writer.transport.resume_reading()  # type: ignore[attr-defined]
        *tweets, last = await stream.end()
        assert last == disconnect("SlowReader")
        texts = [tweet["data"]["text"].split()[1] for tweet in tweets]
        assert texts == [str(number) for number in range(len(texts))]


@pytest.mark.real_time
async def test_a_client_that_never_reads_again_is_cut() -> None:
    """Its connection does not stay for ever, and a drain does not wait for it."""
    async with embedded_x(edge={"send_s_max": 0.2}) as x:
        await x.add_rules("cats")
        _, transport = await open_and_read_nothing(x)
        numbers = itertools.count()
        async with asyncio.timeout(200):
            while x.places_taken():
                await flood(x, numbers)
        await until(transport.is_closing)


@pytest.mark.real_time
async def test_a_drain_cuts_a_client_that_does_not_read() -> None:
    """After `linger_s`, long before the drain's own limit."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        _, transport = await open_and_read_nothing(x)
        numbers = itertools.count()
        while transport.get_write_buffer_size() < 2**15:
            await flood(x, numbers)
        async with asyncio.timeout(SOON_S):
            await x.edge.drain(1000.0)
        assert x.places_taken() == 0


async def test_a_client_that_falls_too_far_behind_is_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before what it has not read is forgotten: it would miss tweets and not know."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        for number in range(3):
            await x.tweet_as("ada", f"cats {number}")
        stream = await x.open_stream("?backfill_minutes=5")
        for number in range(3):
            assert (await stream.object())["data"]["text"] == f"cats {number}"
        ask = x.system.ask

        async def late(*args: Any, **options: Any) -> Any:
            # As if the client had not read for so long: midway between 300 and 600 s, and one more.
            page = await ask(*args, **options)
            if getattr(page, "matches", ()):
                x.clock.advance(451)
            return page

        monkeypatch.setattr(x.system, "ask", late)
        await x.tweet_as("ada", "cats 3")
        assert await stream.end() == [disconnect("SlowReader")]
        await stream.close()
