"""The tutorial's addresses under load: its own program leaks connections, and dies soon."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.process_usage import resident_bytes
from tests.system.client import connected

if TYPE_CHECKING:
    from actors.testing.live_system import LiveSystem
    from tests.system.conftest import Report
    from tests.system.process import Processes

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CLIENTS = 64
# One in eight reads all there is, again and again; the others insert at this rate each.
READERS = 8
INSERTS_PER_S = 4.0
# What is warm after this share of the time grows by no more than the rows' own pages in the caches.
WARM_SHARE = 1 / 3
GROWTH_MB_MAX = 12.0
# Some parts open their files when they are first asked, which on a busy machine is late. A request
# that left one open would leave thousands.
DESCRIPTORS_MAX = 16


@pytest.mark.parametrize("load_s", [2.0, pytest.param(60.0, marks=pytest.mark.long)])
async def test_all_and_insert_under_load(
    processes: Processes, report: Report, load_s: float
) -> None:
    """64 clients at once: no error, every insert once, flat memory, flat file descriptors."""
    process = processes.boot()
    _, idle = _descriptors(process)
    inserted: list[str] = []
    lists = 0
    end = time.monotonic() + load_s
    async with connected(process) as client:

        async def insert(number: int) -> None:
            count = 0
            begun = time.monotonic()
            while time.monotonic() < end:
                text = f"c{number}-{count}"
                reply = await client.send("GET", f"/insert/load/{text}", "tweets")
                assert (reply.status, reply.body) == (200, b"Inserted one into the Database")
                inserted.append(text)
                count += 1
                await asyncio.sleep(max(0.0, begun + count / INSERTS_PER_S - time.monotonic()))

        async def list_all() -> None:
            nonlocal lists
            while time.monotonic() < end:
                before = len(inserted)
                reply = await client.send("GET", "/all", "tweets")
                assert reply.status == 200
                assert len(reply.json) >= before  # what was acknowledged before is there
                lists += 1

        async def watch() -> list[tuple[float, int, int]]:
            samples = []
            while time.monotonic() < end:
                samples.append((resident_bytes(process.pid) / 1e6, *_descriptors(process)))
                await asyncio.sleep(load_s / 60)
            return samples

        watching = asyncio.create_task(watch())
        await asyncio.gather(
            *(insert(number) for number in range(CLIENTS - READERS)),
            *(list_all() for _ in range(READERS)),
        )
        samples = await watching
        listed = (await client.send("GET", "/all", "tweets")).json
    assert sorted(item["TWEET"] for item in listed) == sorted(inserted)
    warm = samples[int(len(samples) * WARM_SHARE) :]
    memory_mb = [mb for mb, *_ in warm]
    descriptors = [count for _, count, _ in warm]
    sockets = [count for *_, count in samples]
    report(
        f"{len(inserted)} inserts and {lists} lists in {load_s:.0f} s; resident "
        f"{memory_mb[0]:.0f} MB when warm, {memory_mb[-1]:.0f} MB at the end; "
        f"{descriptors[0]} and {descriptors[-1]} files, {max(sockets)} sockets at most"
    )
    assert memory_mb[-1] - memory_mb[0] <= GROWTH_MB_MAX
    assert max(descriptors) - min(descriptors) <= DESCRIPTORS_MAX
    # A client has a connection while it asks, and may keep it.
    assert max(sockets) <= idle + CLIENTS + DESCRIPTORS_MAX


def _descriptors(process: LiveSystem) -> tuple[int, int]:
    """Count the open files, and the sockets."""
    files = sockets = 0
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed since it was listed
            is_socket = str(link.readlink()).startswith("socket:")
            files, sockets = files + (not is_socket), sockets + is_socket
    return files, sockets
