"""Answers a second and server CPU an answer, each candidate once a round, in turns."""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable  # noqa: TC003 - msgspec reads a struct's types
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

import msgspec

from tests.benchmarks.placement import move
from tests.benchmarks.row import Spread

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.placement import Placement
    from tests.benchmarks.server_process import ServerProcess
    from tests.benchmarks.wrk import Load


class Loading(Protocol):
    """Loads a server for so long, from those cores."""

    def __call__(self, *, seconds: int, cores: frozenset[int]) -> Load: ...


class Stored(msgspec.Struct, frozen=True):
    """Where acknowledged writes must be found again, by the number that `count` selects."""

    database: Path
    count: str

    def __call__(self) -> int:
        """Return how many there are."""
        with closing(sqlite3.connect(self.database)) as connection:
            (rows,) = connection.execute(self.count).fetchone()
        return int(rows)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to load, and what must be stored when it has answered: the rows that each counts.

    What its requests leave to be done after their answers is over when `afterwards` returns; then
    its CPU time counts that too.
    """

    name: str
    server: ServerProcess
    load: Loading
    stored: tuple[Callable[[], int], ...] = ()
    afterwards: Callable[[], object] | None = None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate in one round."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    # From the load's end until nothing was left to be done; 0 where nothing is.
    after_s: float = 0.0

    @property
    def cpu_ms(self) -> float:
        """The same in milliseconds."""
        return self.cpu_us / 1e3


class LoadRounds:
    """Measures candidates in one placement."""

    def __init__(self, candidates: list[Candidate], placement: Placement, *, seconds: int) -> None:
        """Each measurement takes `seconds`, as does each warm-up."""
        self._candidates = candidates
        self.placement = placement
        self._seconds = seconds
        self.samples: dict[str, list[Sample]] = defaultdict(list)
        self.acknowledged: dict[str, int] = defaultdict(int)

    def run(self, rounds: int, *, warm_up: bool) -> None:
        """Measure each candidate once a round, after a round that does not count."""
        for pid in {pid for candidate in self._candidates for pid in candidate.server.pids}:
            move(pid, self.placement.server)
        for number in range(0 if warm_up else 1, rounds + 1):
            # The order turns, so that nobody always comes after the same neighbour.
            turn = number % len(self._candidates)
            for candidate in self._candidates[turn:] + self._candidates[:turn]:
                sample = self._measure(candidate)
                if number:
                    self.samples[candidate.name].append(sample)

    def _measure(self, candidate: Candidate) -> Sample:
        before = candidate.server.cpu_s()
        load = candidate.load(seconds=self._seconds, cores=self.placement.load)
        cpu_s, after_s = candidate.server.cpu_s() - before, 0.0
        if candidate.afterwards is not None:
            ended = time.monotonic()
            candidate.afterwards()
            after_s = time.monotonic() - ended
        # wrk leaves without the last answers; what they cost must not burden the next candidate.
        candidate.server.settle()
        if candidate.afterwards is not None:
            cpu_s = candidate.server.cpu_s() - before
        self.acknowledged[candidate.name] += load.requests
        return Sample(
            per_second=load.per_second,
            cpu_us=cpu_s / load.requests * 1e6,
            p50_ms=load.p50_ms,
            p99_ms=load.p99_ms,
            after_s=after_s,
        )

    def series(self, name: str, field: str = "per_second") -> list[float]:
        """Return a figure of a candidate, round by round."""
        return [getattr(sample, field) for sample in self.samples[name]]

    def lines(self, cpu: str = "cpu_us") -> list[tuple[str, ...]]:
        """Return a line a candidate: name, answers/s, CPU time, p50 and p99 in ms."""
        return [
            (
                candidate.name,
                *(
                    str(Spread.of(self.series(candidate.name, field)))
                    for field in ("per_second", cpu, "p50_ms", "p99_ms")
                ),
            )
            for candidate in self._candidates
        ]


def check_stored(candidate: Candidate, acknowledged: int) -> None:
    """Raise AssertionError unless every acknowledged write is a row."""
    for stored in candidate.stored:
        rows = stored()
        message = f"{candidate.name}: {acknowledged} acknowledged, {rows} stored: {stored}"
        assert rows >= acknowledged, message
