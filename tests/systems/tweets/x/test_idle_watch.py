"""A sign of life counts from when the connection was read empty, not from when it is looked at."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import pytest

from actors.systems.tweets.x.idle_watch import IdleWatch

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real_time


async def known_at_second_line(
    watch: IdleWatch, between: Callable[[socket.socket], object]
) -> bool:
    """Read two lines; `between` runs when the first is handled, and the second may be there."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    with theirs:
        theirs.send(b"1\n")
        await reader.readline()
        assert watch.end() is None
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        watch.begin()
        after_s = loop.time()
        between(theirs)
        assert await reader.readline() == b"2\n"
        known_s = watch.end()
        writer.close()
        await writer.wait_closed()
        assert known_s is None or before_s <= known_s <= after_s
        return known_s is not None


async def test_a_line_that_was_waited_for_tells_when_the_waiting_began() -> None:
    """All that was there before it had been read."""
    loop = asyncio.get_running_loop()
    assert await known_at_second_line(
        IdleWatch(), lambda theirs: loop.call_later(0.05, theirs.send, b"2\n")
    )


async def test_a_line_that_was_there_tells_nothing() -> None:
    """It may be old: it stood in the socket while the loop was busy, or behind another line."""
    assert not await known_at_second_line(IdleWatch(), lambda theirs: theirs.send(b"2\n"))

    def late(theirs: socket.socket) -> None:
        theirs.send(b"2\n")
        time.sleep(0.05)

    assert not await known_at_second_line(IdleWatch(), late)


async def test_nothing_is_known_of_what_never_began() -> None:
    """Nor twice of the same."""
    watch = IdleWatch()
    assert watch.end() is None
    watch.begin()
    await asyncio.sleep(0.01)
    assert watch.end() is not None
    assert watch.end() is None
