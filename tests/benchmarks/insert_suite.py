"""The tutorial's /insert: a burst beside the peer's, and what a tweet costs where all keeps up."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tests.benchmarks.comparison import Comparison, absent_of, rows_of
from tests.benchmarks.insert_texts import write_texts
from tests.benchmarks.load_rounds import Candidate, LoadRounds, Stored, check_stored
from tests.benchmarks.peers.go_peer import NAME, GoPeer, why_absent
from tests.benchmarks.placement import FREE
from tests.benchmarks.probe import run_probe
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Row, Spread
from tests.benchmarks.scored_files import ScoredFiles
from tests.benchmarks.server_process import FREE_PORTS, ServerProcess
from tests.benchmarks.wrk import run_wrk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.benchmarks.effort import Effort
    from tests.benchmarks.placement import Placement

OURS = "ours, /insert"
GO = f"{NAME}, /insert"
BARE = "bare aiohttp handler, /insert"
HEAD = ("candidate", "requests/s", "server CPU µs a request", "p50 ms", "p99 ms")
STEADY_HEAD = ("what is done", "tweets/s", "CPU µs a tweet")
STEADY = "kept, scored, and flagged where negative"
TWEETS = "SELECT count(*) FROM tweet"
# Each connection's, between an answer and the next request: some 2,000 a second, half of what one
# core can do.
PAUSE_MS = "30"
DONE_AFTER_S = 60
BEYOND_SCORER_US = 80
COMPARISONS = (
    Comparison(key="insert_go", mine=OURS, other=GO, limit=0.6),
    Comparison(key="insert_go_p99", mine=OURS, other=GO, field="p99_ms", sense="at most", limit=1),
)


class InsertSuite:
    """Starts ours, a bare handler and the peer; after each load an oracle reads our files."""

    def __init__(self, effort: Effort, folder: Path) -> None:
        """`folder` must be on a real disk: the databases go there."""
        self._effort = effort
        self._folder = folder
        self._servers: list[ServerProcess] = []
        self._acknowledged: Counter[str] = Counter()

    def run(self, placements: list[Placement]) -> Result:
        """Return the rows and what is behind them."""
        try:
            candidates = self._start()
            bursts = [self._burst(candidates, placement) for placement in placements]
            steady = [self._steady(candidates[0], placement) for placement in placements]
            for candidate in candidates:
                check_stored(candidate, self._acknowledged[candidate.name])
        finally:
            for server in self._servers:
                server.stop()
        return Result(
            rows=[
                *rows_of(COMPARISONS, bursts),
                *(self._done_row(rounds) for rounds in bursts),
                *(row for row, _ in steady),
            ],
            tables=[
                *(
                    Table(
                        title=(
                            f"The tutorial's /insert, {self._effort.burst_s} s at a time,"
                            f" {rounds.placement.words}"
                        ),
                        head=HEAD,
                        lines=rounds.lines(),
                    )
                    for rounds in bursts
                ),
                *(table for _, table in steady),
            ],
            absent=absent_of(COMPARISONS, bursts, why_absent()),
        )

    def _start(self) -> list[Candidate]:
        data_dir = self._folder / "inserts"
        self._texts = str(write_texts(self._folder))
        ours = self._launch("ours, inserts", ["runtime.py", f"--data-dir={data_dir}", *FREE_PORTS])
        bare = self._launch("bare handler, inserts", ["-m", "tests.benchmarks.bare_server"])
        self._scored = ScoredFiles(data_dir)
        found = [
            self._candidate(OURS, ours, ours.url("tweets"), Stored(data_dir / "tweets.db", TWEETS)),
            self._candidate(BARE, bare, bare.url("gateway")),
        ]
        if why_absent() is None:
            peer = GoPeer(FREE, self._folder)
            self._servers.append(peer.server)
            found.append(self._candidate(GO, peer.server, peer.url, peer.counts("tweet")))
        return found

    def _launch(self, name: str, arguments: list[str]) -> ServerProcess:
        server = ServerProcess(name, arguments, FREE, self._folder)
        self._servers.append(server)
        server.wait_ready("/readyz")
        return server

    def _candidate(
        self, name: str, server: ServerProcess, url: str, *stored: Callable[[], int]
    ) -> Candidate:
        return Candidate(
            name=name,
            server=server,
            load=partial(run_wrk, url, "insert", self._texts),
            stored=stored,
            afterwards=self._scored.wait if name == OURS else None,
        )

    def _burst(self, candidates: list[Candidate], placement: Placement) -> LoadRounds:
        rounds = LoadRounds(candidates, placement, seconds=self._effort.burst_s)
        rounds.run(self._effort.bursts, warm_up=self._effort.thorough)
        self._note(rounds)
        return rounds

    def _steady(self, ours: Candidate, placement: Placement) -> tuple[Row, Table]:
        """Measure what a tweet costs where scores keep up, beside the scorer alone."""
        load = partial(run_wrk, ours.server.url("tweets"), "insert", self._texts, PAUSE_MS)
        candidate = msgspec.structs.replace(ours, load=load)
        rounds = LoadRounds([candidate], placement, seconds=self._effort.seconds)
        rounds.run(self._effort.rounds, warm_up=self._effort.thorough)
        self._note(rounds)
        alone_us: list[float] = run_probe(
            "scorer", "uvloop", placement.server, rounds=self._effort.rounds
        )
        whole_us = rounds.series(OURS, "cpu_us")
        beyond = Spread.of(
            [all_of - alone for all_of, alone in zip(whole_us, alone_us, strict=True)]
        )
        row = Row(
            key=placement.mark("insert_beyond_scorer"),
            name=placement.label("CPU of an inserted tweet of 60 characters, beyond its scorer's"),
            sense="at most",
            limit=BEYOND_SCORER_US,
            unit="µs",
            judged=beyond.median,
            spread=beyond,
        )
        lines: list[tuple[str, ...]] = [
            (STEADY, str(Spread.of(rounds.series(OURS))), str(Spread.of(whole_us))),
            ("the scorer alone", "", str(Spread.of(alone_us))),
        ]
        title = f"The tutorial's /insert, where scores keep up, {placement.words}"
        return row, Table(title=title, head=STEADY_HEAD, lines=lines)

    def _note(self, rounds: LoadRounds) -> None:
        for name, acknowledged in rounds.acknowledged.items():
            self._acknowledged[name] += acknowledged

    def _done_row(self, rounds: LoadRounds) -> Row:
        after_s = rounds.series(OURS, "after_s")
        name = f"all scored, and flagged where negative, once, after {self._effort.burst_s} s of it"
        return Row(
            key=rounds.placement.mark("insert_done"),
            name=rounds.placement.label(name),
            sense="at most",
            limit=DONE_AFTER_S,
            unit="s",
            judged=max(after_s),
            spread=Spread.of(after_s),
            basis=f"slowest of {len(after_s)}",
        )
