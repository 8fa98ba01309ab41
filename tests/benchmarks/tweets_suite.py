"""The brand monitor's figures: the tutorial's /insert, and X's stream from socket to scored row."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks.load_rounds import Candidate, LoadRounds, Stored, check_stored
from tests.benchmarks.placement import FREE, one_core_each
from tests.benchmarks.probe import run_probe
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Row, Spread
from tests.benchmarks.server_process import FREE_PORTS, ServerProcess
from tests.benchmarks.wrk import run_wrk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.effort import Effort
    from tests.benchmarks.placement import Placement

HEAD = ("candidate", "requests/s", "server CPU µs a request", "p50 ms", "p99 ms")
STREAM_HEAD = ("from the socket to", "tweets/s", "CPU µs a tweet")
# An effect has two seconds, `effect.effect_s_max`, for all of its parts.
LONGEST_POST_MS_MAX = 1500
TWEETS = "SELECT count(*) FROM tweet"


class TweetsSuite:
    """Loads /insert beside a bare handler, then lets the reader read what X has kept for it."""

    def __init__(self, effort: Effort, folder: Path) -> None:
        """`folder` must be on a real disk: the databases go there."""
        self._effort = effort
        self._folder = folder

    def run(self) -> Result:
        """Return the tables."""
        placements = [FREE, one_core_each()] if self._effort.thorough else [FREE]
        took_s = run_probe("longest_post", "uvloop", FREE.server, rounds=self._effort.rounds)
        spread = Spread.of([1000 * each for each in took_s])
        return Result(
            rows=[
                Row(
                    key="longest_post",
                    name="the score of X's longest post, at its worst",
                    sense="at most",
                    limit=LONGEST_POST_MS_MAX,
                    unit="ms",
                    judged=spread.median,
                    spread=spread,
                )
            ],
            tables=[
                *self._inserts(placements),
                *(self._stream(placement) for placement in placements),
            ],
        )

    def _inserts(self, placements: list[Placement]) -> list[Table]:
        data_dir = self._folder / "inserts"
        arguments = ["runtime.py", f"--data-dir={data_dir}", *FREE_PORTS]
        servers: list[ServerProcess] = []
        try:
            for name, command in (
                ("ours, inserts", arguments),
                ("bare aiohttp handler, inserts", ["-m", "tests.benchmarks.bare_server"]),
            ):
                servers.append(ServerProcess(name, command, FREE, self._folder))
                servers[-1].wait_ready("/readyz")
            return self._load(servers, data_dir / "tweets.db", placements)
        finally:
            for server in servers:
                server.stop()

    def _load(
        self, servers: list[ServerProcess], database: Path, placements: list[Placement]
    ) -> list[Table]:
        ours, bare = servers
        candidates = [
            Candidate(
                name="ours, /insert, scored afterwards",
                server=ours,
                load=partial(run_wrk, ours.url("tweets"), "insert"),
                stored=(Stored(database, TWEETS),),
                aftermath=True,
            ),
            Candidate(
                name="bare aiohttp handler, /insert",
                server=bare,
                load=partial(run_wrk, bare.url("gateway"), "insert"),
            ),
        ]
        tables = []
        for placement in placements:
            rounds = LoadRounds(candidates, placement, seconds=self._effort.seconds)
            rounds.run(self._effort.rounds, warm_up=self._effort.thorough)
            check_stored(candidates[0], rounds.acknowledged[candidates[0].name])
            title = f"The tutorial's /insert, {placement.words}"
            tables.append(Table(title=title, head=HEAD, lines=rounds.lines()))
        return tables

    def _stream(self, placement: Placement) -> Table:
        folder = self._folder / f"stream-{placement.key}"
        folder.mkdir()
        found: dict[str, list[tuple[float, float]]] = run_probe(
            "stream",
            "uvloop",
            placement.server,
            rounds=self._effort.rounds,
            count=self._effort.tweets,
            folder=str(folder),
        )
        lines: list[tuple[str, ...]] = []
        for name, samples in found.items():
            rates, cpu_us = zip(*samples, strict=True)
            lines.append((name, str(Spread.of(rates)), str(Spread.of(cpu_us))))
        title = f"X's stream through tweepy, {placement.words}"
        return Table(title=title, head=STREAM_HEAD, lines=lines)
