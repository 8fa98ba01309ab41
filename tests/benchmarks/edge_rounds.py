"""Requests a second and server CPU a request, each candidate once a round, in turns."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from tests.benchmarks.placement import move
from tests.benchmarks.row import Spread
from tests.benchmarks.wrk import run_wrk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.placement import Placement
    from tests.benchmarks.server_process import ServerProcess


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to load. `database` is where every acknowledged write must be found again."""

    name: str
    server: ServerProcess
    url: str
    what: str
    database: Path | None = None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate in one round."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


class EdgeRounds:
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
        for server in {candidate.server.pid for candidate in self._candidates}:
            move(server, self.placement.server)
        for number in range(0 if warm_up else 1, rounds + 1):
            # The order turns, so that nobody always comes after the same neighbour.
            turn = number % len(self._candidates)
            for candidate in self._candidates[turn:] + self._candidates[:turn]:
                sample = self._measure(candidate)
                if number:
                    self.samples[candidate.name].append(sample)

    def _measure(self, candidate: Candidate) -> Sample:
        before = candidate.server.cpu_s()
        load = run_wrk(
            candidate.url, candidate.what, seconds=self._seconds, cores=self.placement.load
        )
        cpu_s = candidate.server.cpu_s() - before
        self.acknowledged[candidate.name] += load.requests
        return Sample(
            per_second=load.per_second,
            cpu_us=cpu_s / load.requests * 1e6,
            p50_ms=load.p50_ms,
            p99_ms=load.p99_ms,
        )

    def series(self, name: str) -> list[float]:
        """Return a candidate's requests a second, round by round."""
        return [sample.per_second for sample in self.samples[name]]

    def lines(self) -> list[tuple[str, ...]]:
        """Return a line a candidate: name, requests/s, CPU microseconds, p50 and p99 in ms."""
        return [
            (
                name,
                *(
                    str(Spread.of([getattr(sample, field) for sample in samples]))
                    for field in ("per_second", "cpu_us", "p50_ms", "p99_ms")
                ),
            )
            for name, samples in self.samples.items()
        ]


def check_stored(candidate: Candidate, acknowledged: int) -> None:
    """Raise AssertionError unless every acknowledged write is a row."""
    assert candidate.database is not None
    with closing(sqlite3.connect(candidate.database)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM customer").fetchone()
    assert rows >= acknowledged, f"{candidate.name}: {acknowledged} acknowledged, {rows} stored"
