"""What a store could leave behind in the process: threads and open files."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path

WAIT_S_MAX = 100.0


def store_threads() -> list[threading.Thread]:
    """Return the threads of stores that are alive."""
    return [
        thread
        for thread in threading.enumerate()
        if thread.name.endswith(("-writer", "-reader", "-checker"))
    ]


def open_files(folder: Path) -> int:
    """How many files below the folder this process has open."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the listing's own is gone by now
            count += link.readlink().is_relative_to(folder)
    return count


async def at_most_open(folder: Path, files: int) -> None:
    """Wait until no more files below the folder are open: who ends may still be closing one."""
    async with asyncio.timeout(WAIT_S_MAX):
        while open_files(folder) > files:  # noqa: ASYNC110 - a file that is closed sets no event
            await asyncio.sleep(0.005)


async def no_store_threads(*, but: int = 0) -> None:
    """Wait until at most `but` are left; when they end they report to this test's loop."""
    async with asyncio.timeout(WAIT_S_MAX):
        while len(store_threads()) > but:  # noqa: ASYNC110 - a thread's end sets no event
            await asyncio.sleep(0.005)
