"""What a service in four files commits beside one in one, on disks that take different times.

Run as a program by `run_probe`; prints of each disk and number of shards a list of rounds, each
with commands a second, commits a second, CPU microseconds a command, and the share of one core.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.config import load_config
from actors.faults.lab.fault_order import FaultOrder
from actors.kernel.messages import Command
from actors.service.service import Service, command
from actors.service.sharded.sharded import Sharded
from actors.store.transaction import Transaction
from tests.benchmarks.probe import probed
from tests.benchmarks.server_process import ROOT
from tests.booting import app_of

if TYPE_CHECKING:
    from actors.service.assembly import ServiceSystem

SHARDS: Final = (1, 4)
# How many wait at a time: as many as fill a commit of each shard (service.batch_messages_max).
UNDER_WAY: Final = 4 * 256
# By disk: where its files are (None: in memory), and how much longer each commit takes.
DISKS: Final[dict[str, tuple[Path | None, int]]] = {
    "in memory, where a sync is nothing": (Path("/dev/shm"), 0),  # noqa: S108 - on purpose
    "this machine's disk": (None, 0),
    "this disk, each commit 50 ms later": (None, 50),
}
ASK_S_MAX: Final = 100.0


class Put(Command):
    author: str
    text: str


class Posts(Service):
    """As short a command as there is that writes."""

    schema = """
        CREATE TABLE post (seq INTEGER PRIMARY KEY, author TEXT NOT NULL, text TEXT NOT NULL)
        STRICT;
    """

    @command
    def put(self, tx: Transaction, cmd: Put) -> None:
        """Keep it."""
        tx.execute("INSERT INTO post (author, text) VALUES (?, ?)", cmd.author, cmd.text)


async def measure(rounds: int, count: int) -> dict[str, dict[str, list[tuple[float, ...]]]]:
    """Send so many commands a round to each, in turns; a round before does not count."""
    samples: dict[str, dict[str, list[tuple[float, ...]]]] = {}
    own = ROOT / "data"
    own.mkdir(exist_ok=True)
    for disk, (elsewhere, later_ms) in DISKS.items():
        place = elsewhere or own
        if not place.is_dir():
            continue
        folder = Path(tempfile.mkdtemp(prefix="sharded-", dir=place))
        services = {f"in_{n}": Sharded(Posts, key="author", shards=n) for n in SHARDS}
        system = app_of(services, folder, load_config()).tree
        try:
            await system.start()
            for name in services if later_ms else ():
                system.faults.begin(
                    FaultOrder(kind="latency", service=name, of="commits", latency_ms=later_ms)
                )
            for number in range(rounds + 1):
                for shards in SHARDS:
                    sample = await _put(system, f"in_{shards}", count)
                    if number:
                        of_disk = samples.setdefault(disk, {})
                        of_disk.setdefault(str(shards), []).append(sample)
        finally:
            await system.stop()
            shutil.rmtree(folder)
    return samples


async def _put(system: ServiceSystem, name: str, count: int) -> tuple[float, float, float, float]:
    histograms = [system._hosted[each].commit_s for each in system.shards(name)]
    commits = sum(sum(each.counts) for each in histograms)
    waiting: list[Any] = []
    began_s, cpu_s = time.perf_counter(), time.process_time()
    for number in range(count):
        if len(waiting) == UNDER_WAY:
            await waiting[number % UNDER_WAY]
        # A key of its own, which nobody has looked for before.
        put = Put(author=f"author {number}", text="as long as a tweet is " * 5)
        reply = system.ask(name, put, timeout_s=ASK_S_MAX)
        if len(waiting) == UNDER_WAY:
            waiting[number % UNDER_WAY] = reply
        else:
            waiting.append(reply)
    for reply in waiting:
        await reply
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    commits = sum(sum(each.counts) for each in histograms) - commits
    return count / took_s, commits / took_s, 1e6 * cpu_s / count, cpu_s / took_s


if __name__ == "__main__":
    probed(measure)
