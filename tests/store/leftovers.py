"""What a store could leave behind in the process: threads and open files."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import traceback
from pathlib import Path

import pytest

WAIT_S_MAX = 100.0


# Those that were there when the test began: one that a test leaves behind is that test's failure,
# and of none after it.
earlier_store_threads: set[threading.Thread] = set()


def store_threads() -> list[threading.Thread]:
    """Return the threads of stores that were started in this test and are alive."""
    return [
        thread
        for thread in threading.enumerate()
        if thread.name.endswith(("-writer", "-reader", "-checker"))
        and thread not in earlier_store_threads
    ]


def begin_test() -> None:
    """From now on the threads that there are belong to an earlier test."""
    earlier_store_threads.intersection_update(threading.enumerate())
    earlier_store_threads.update(store_threads())


def open_files(folder: Path, *, suffix: str = "") -> int:
    """How many files below the folder, whose names end so, this process has open."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the listing's own is gone by now
            file = link.readlink()
            count += file.is_relative_to(folder) and file.name.endswith(suffix)
    return count


def connections(folder: Path) -> int:
    """How many connections to files below the folder are open.

    By their logs, which each has open for itself. Of the database SQLite keeps a closed
    connection's descriptor, for the next one, as long as any other is open (to close it would drop
    the locks of all): there are as many as there ever were connections at once.
    """
    return open_files(folder, suffix="-wal")


async def at_most_connected(folder: Path, most: int) -> None:
    """Wait until no more connections are open: who ends may still be closing one."""
    async with asyncio.timeout(WAIT_S_MAX):
        while connections(folder) > most:  # noqa: ASYNC110 - one that is closed sets no event
            await asyncio.sleep(0.005)


async def no_store_threads(*, but: int = 0) -> None:
    """Wait until at most `but` are left; when they end they report to this test's loop.

    Fails with what each of them is doing.
    """
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            while len(store_threads()) > but:  # noqa: ASYNC110 - a thread's end sets no event
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail("\n".join(["threads are left:", *map(_whereabouts, store_threads())]))


def _whereabouts(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    stack = "nowhere\n" if frame is None else "".join(traceback.format_stack(frame))
    return f"{thread.name}:\n{stack}"
