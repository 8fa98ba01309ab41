"""Durable one-way messages: from the sender's command to the receiver's commit, file to file.

Run as a program by `Probe`; prints a list of messages a second and CPU microseconds a candidate.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from actors.config import load_config
from actors.kernel.messages import Command, Query
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from tests.benchmarks.probe import probed
from tests.booting import app_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.service.assembly import ServiceSystem

# Commands under way at a time: as many as wrk keeps under way at the edge.
WINDOW = 64
ANSWER_S_MAX = 60.0
POLL_S = 0.002

INSERT = "INSERT INTO note (number) VALUES (?)"
LAST = "SELECT coalesce(max(seq), 0) FROM note"
OUT_OF_ORDER = "SELECT count(*) FROM note WHERE number != seq"


class Send(Command):
    """Keep these numbers, and send a note of each."""

    first: int
    count: int


class Note(Command):
    number: int


class CountNotes(Query):
    """How many are kept."""


class CountDisorder(Query):
    """How many are kept out of order: one lost or repeated puts all after it there."""


class Source(Service):
    """Sends."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema"

    @command
    def send(self, tx: Transaction, cmd: Send) -> None:
        for number in range(cmd.first, cmd.first + cmd.count):
            tx.execute(INSERT, number)
            tx.send("sink", Note(number=number))


class Sink(Service):
    """Keeps what it is sent."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema"

    @command
    def note(self, tx: Transaction, cmd: Note) -> None:
        tx.execute(INSERT, cmd.number)

    @query
    def count(self, tx: ReadTransaction, _: CountNotes) -> int:
        return _number(tx, LAST)

    @query
    def disorder(self, tx: ReadTransaction, _: CountDisorder) -> int:
        return _number(tx, OUT_OF_ORDER)


def _number(tx: ReadTransaction, sql: str) -> int:
    row = tx.one(sql)
    assert row is not None
    return int(row[0])


class Run:
    """Sends on from what was sent before."""

    def __init__(self, system: ServiceSystem) -> None:
        """Both services must be up."""
        self._system = system
        self.sent = 0

    async def timed(self, count: int, each: int) -> tuple[float, float]:
        """Send `count` notes, `each` in a command; returns notes a second and CPU µs a note."""
        began, began_cpu = time.perf_counter(), time.process_time()
        firsts = iter(range(self.sent + 1, self.sent + count + 1, each))

        async def client() -> None:
            for first in firsts:
                await self._ask("source", Send(first=first, count=each))

        await asyncio.gather(*(client() for _ in range(WINDOW)))
        self.sent += count
        while await self._ask("sink", CountNotes()) < self.sent:  # noqa: ASYNC110 - only its file knows
            await asyncio.sleep(POLL_S)
        wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        return count / wall, cpu / count * 1e6

    async def check(self) -> None:
        """Raise AssertionError unless every note came once and in order."""
        disorder = await self._ask("sink", CountDisorder())
        assert not disorder, f"{disorder} of {self.sent} notes are lost, repeated or out of order"

    async def _ask(self, service: str, message: Any) -> Any:
        return await self._system.ask(service, message, timeout_s=ANSWER_S_MAX)


async def measure(*, rounds: int, count: int, folder: str) -> dict[str, list[tuple[float, float]]]:
    """Measure each candidate once a round, after a round that does not count."""
    services: dict[str, Callable[[], Service]] = {"source": Source, "sink": Sink}
    # What a message costs, and not when it goes: for so many clients it would give way.
    config = load_config(settings=[f"background.requests_min={WINDOW + 1}"])
    system = app_of(services, Path(folder), config).tree
    await system.start()
    run = Run(system)
    candidates = {"a command a message": 1, "a command 100 messages": 100}
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, each in candidates.items():
            sample = await run.timed(count, each)
            if turn:
                samples[name].append(sample)
    await run.check()
    await system.stop()
    return samples


if __name__ == "__main__":
    probed(measure)
