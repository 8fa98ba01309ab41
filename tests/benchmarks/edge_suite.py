"""The edge's rows: the whole system as a process, beside a bare handler and a rival."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks.comparison import absent_of, rows_of
from tests.benchmarks.edge_rows import (
    BARE,
    COMPARISONS,
    CUSTOMERS,
    FASTAPI,
    GO,
    READ,
    ROOMS,
    life_rows,
)
from tests.benchmarks.load_rounds import Candidate, LoadRounds, Stored, check_stored
from tests.benchmarks.peers import go_peer
from tests.benchmarks.peers.go_peer import GoPeer, why_absent
from tests.benchmarks.placement import FREE, one_core_each
from tests.benchmarks.result import Result, Table
from tests.benchmarks.server_process import FREE_PORTS, ServerProcess
from tests.benchmarks.service_restarts import ServiceRestarts
from tests.benchmarks.wrk import run_wrk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.benchmarks.effort import Effort
    from tests.benchmarks.placement import Placement

IDS = 500
STORED_CUSTOMERS = "SELECT count(*) FROM customer"
STORED_ROOMS = "SELECT count(*) FROM room"
HEAD = ("candidate", "requests/s", "server CPU µs a request", "p50 ms", "p99 ms")


class EdgeSuite:
    """Starts everything, measures in turns, stops everything, and looks for what was stored."""

    def __init__(self, effort: Effort, folder: Path) -> None:
        """`folder` must be on a real disk: the databases go there."""
        self._effort = effort
        self._folder = folder
        self._servers: list[ServerProcess] = []
        self._candidates: list[Candidate] = []

    def run(self) -> Result:
        """Return the rows, in the order of the issue."""
        ready_s = self._starts()
        try:
            return self._measure(ready_s)
        finally:
            for server in self._servers:
                server.stop()

    def _measure(self, ready_s: list[float]) -> Result:
        ours, url, data_dir = self._start_ours("data")
        resident_mb = [ours.resident_mb()]
        restarts_ms = self._fill(ours, url, data_dir)
        self._start_others()
        placements = [FREE, one_core_each()] if self._effort.thorough else [FREE]
        measured = [self._load(placement) for placement in placements]
        resident_mb.append(ours.resident_mb())
        self._check(measured)
        return Result(
            rows=[
                *rows_of(COMPARISONS, measured),
                *life_rows(restarts_ms, ready_s, resident_mb),
            ],
            notes={go_peer.NAME: go_peer.describe()} if why_absent() is None else {},
            absent=absent_of(COMPARISONS, measured, why_absent()),
            tables=[
                Table(title=f"Edge, {rounds.placement.words}", head=HEAD, lines=rounds.lines())
                for rounds in measured
            ],
        )

    def _starts(self) -> list[float]:
        """Start and stop the system: on no data, and on the data of the start before."""
        ready_s = []
        for number in range(self._effort.starts):
            for _ in range(2):
                server = self._launch_ours(f"start-{number}")
                ready_s.append(server.wait_ready("/readyz")[1])
                server.stop()
        return ready_s

    def _launch_ours(self, name: str) -> ServerProcess:
        arguments = ["runtime.py", "--data-dir", str(self._folder / name), *FREE_PORTS]
        return ServerProcess("ours", arguments, FREE, self._folder)

    def _start_ours(self, name: str) -> tuple[ServerProcess, str, Path]:
        server = self._launch_ours(name)
        self._servers.append(server)
        url, _ = server.wait_ready("/readyz")
        return server, url, self._folder / name

    def _fill(self, ours: ServerProcess, url: str, data_dir: Path) -> list[float]:
        """Create what will be read, and kill the service; returns how long each kill took."""
        restarts = ServiceRestarts(url, data_dir)
        ids = self._folder / "ids.txt"
        ids.write_text("\n".join(restarts.create(IDS)))
        took_ms = restarts.run(self._effort.service_kills)
        restarts.close()
        self._candidates += [
            Candidate(
                name=ROOMS,
                server=ours,
                load=partial(run_wrk, url, "rooms"),
                stored=(Stored(data_dir / "room.db", STORED_ROOMS),),
            ),
            Candidate(
                name=CUSTOMERS,
                server=ours,
                load=partial(run_wrk, url, "customers"),
                stored=(Stored(data_dir / "customer.db", STORED_CUSTOMERS),),
            ),
            Candidate(name=READ, server=ours, load=partial(run_wrk, url, str(ids))),
        ]
        return took_ms

    def _start_others(self) -> None:
        self._start_other(BARE, ["-m", "tests.benchmarks.bare_server"])
        for mode, name in FASTAPI.items():
            database = self._folder / f"fastapi-{mode}.db"
            arguments = ["-m", "tests.benchmarks.fastapi_server", mode, str(database)]
            self._start_other(name, arguments, Stored(database, STORED_ROOMS))
        if why_absent() is None:
            peer = GoPeer(FREE, self._folder)
            self._add(GO, peer.server, peer.url, peer.counts("room"))

    def _start_other(self, name: str, arguments: list[str], *stored: Stored) -> None:
        server = ServerProcess(name, arguments, FREE, self._folder)
        url, _ = server.wait_ready("/readyz")
        self._add(name, server, url, *stored)

    def _add(self, name: str, server: ServerProcess, url: str, *stored: Callable[[], int]) -> None:
        self._servers.append(server)
        load = partial(run_wrk, url, "rooms")
        self._candidates.append(Candidate(name=name, server=server, load=load, stored=stored))

    def _load(self, placement: Placement) -> LoadRounds:
        rounds = LoadRounds(self._candidates, placement, seconds=self._effort.seconds)
        rounds.run(self._effort.rounds, warm_up=self._effort.thorough)
        return rounds

    def _check(self, measured: list[LoadRounds]) -> None:
        for candidate in self._candidates:
            total = sum(rounds.acknowledged[candidate.name] for rounds in measured)
            check_stored(candidate, total)
