"""What it costs to trace a share of the requests: bookings and single writes, by three servers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks.bookings import Bookings, Catalogue
from tests.benchmarks.comparison import Comparison, rows_of
from tests.benchmarks.load_rounds import Candidate, LoadRounds
from tests.benchmarks.placement import FREE, one_core_each
from tests.benchmarks.result import Result, Table
from tests.benchmarks.server_process import FREE_PORTS, ServerProcess
from tests.benchmarks.wrk import run_wrk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.effort import Effort
    from tests.benchmarks.load_rounds import Loading
    from tests.benchmarks.wrk import Load

CONNECTIONS = 16
HEAD = ("candidate", "requests/s", "server CPU µs a request", "p50 ms", "p99 ms")
# By what the server traces of them; of none twice, for what the same differs from itself by.
UNTRACED, AGAIN = "untraced", "untraced, again"
SHARES = {"traced at 1 %": (0.01, 1.03), "traced at 100 %": (1.0, 1.2)}
KINDS = ("bookings", "customers")


class TracingSuite:
    """Starts a server a share, loads them in turns, and stops them."""

    def __init__(self, effort: Effort, folder: Path) -> None:
        """`folder` must be on a real disk: the databases go there."""
        self._effort = effort
        self._folder = folder
        self._servers: list[ServerProcess] = []

    def run(self) -> Result:
        """Return the rows and what is behind them."""
        try:
            return self._measure()
        finally:
            for server in self._servers:
                server.stop()

    def _measure(self) -> Result:
        candidates = self._start(UNTRACED, 0.0)
        candidates += [_again(each) for each in candidates]
        for name, (share, _) in SHARES.items():
            candidates += self._start(name, share)
        measured = []
        for placement in [FREE, one_core_each()] if self._effort.thorough else [FREE]:
            rounds = LoadRounds(candidates, placement, seconds=self._effort.seconds)
            rounds.run(self._effort.rounds, warm_up=self._effort.thorough)
            measured.append(rounds)
        comparisons = [
            Comparison(
                key=f"tracing_{kind}_{round(share * 100)}",
                mine=f"{kind} {name}",
                other=f"{kind} {UNTRACED}",
                limit=limit,
                field="cpu_us",
                sense="at most",
            )
            for kind in KINDS
            for name, (share, limit) in SHARES.items()
        ]
        return Result(
            rows=rows_of(comparisons, measured),
            tables=[
                Table(
                    title=f"Traced and untraced, {rounds.placement.words}",
                    head=HEAD,
                    lines=rounds.lines(),
                )
                for rounds in measured
            ],
        )

    def _start(self, name: str, share: float) -> list[Candidate]:
        folder = self._folder / f"share-{share:g}"
        folder.mkdir()
        arguments = ["runtime.py", "--data-dir", str(folder / "data"), *FREE_PORTS]
        arguments.append(f"--set=trace.sample_share={share}")
        server = ServerProcess(name, arguments, FREE, folder)
        self._servers.append(server)
        url, _ = server.wait_ready("/readyz")
        loads: tuple[Loading, Loading] = (
            Bookings(url, Catalogue.create(url, folder)).at(CONNECTIONS),
            partial(_customers, url),
        )
        return [
            Candidate(name=f"{kind} {name}", server=server, load=load)
            for kind, load in zip(KINDS, loads, strict=True)
        ]


def _again(candidate: Candidate) -> Candidate:
    name = candidate.name.replace(UNTRACED, AGAIN)
    return Candidate(name=name, server=candidate.server, load=candidate.load)


def _customers(url: str, *, seconds: int, cores: frozenset[int]) -> Load:
    return run_wrk(url, "customers", connections=CONNECTIONS, seconds=seconds, cores=cores)
