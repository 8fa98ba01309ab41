"""The brand monitor's figures: the tutorial's /insert, and X's stream from socket to scored row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.comparison import at_most
from tests.benchmarks.insert_suite import InsertSuite
from tests.benchmarks.placement import FREE, one_core_each
from tests.benchmarks.probe import run_probe
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Row, Spread

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.effort import Effort
    from tests.benchmarks.placement import Placement

STREAM_HEAD = ("from the socket to", "tweets/s", "CPU µs a tweet")
# An effect has two seconds, `effect.effect_s_max`, for all of its parts.
LONGEST_POST_MS_MAX = 1500
STREAM_TWEETS_S = 3000


class TweetsSuite:
    """Loads /insert beside a peer, then lets the reader read what X has kept for it."""

    def __init__(self, effort: Effort, folder: Path) -> None:
        """`folder` must be on a real disk: the databases go there."""
        self._effort = effort
        self._folder = folder

    def run(self) -> Result:
        """Return the rows and the tables."""
        placements = [FREE, one_core_each()] if self._effort.thorough else [FREE]
        took_s = run_probe("longest_post", "uvloop", FREE.server, rounds=self._effort.rounds)
        spread = Spread.of([1000 * each for each in took_s])
        longest = at_most(
            "longest_post",
            "the score of X's longest post, at its worst",
            spread,
            LONGEST_POST_MS_MAX,
            "ms",
        )
        inserts = InsertSuite(self._effort, self._folder).run(placements)
        streams = [self._stream(placement) for placement in placements]
        return Result(
            rows=[longest, *inserts.rows, *(row for row, _ in streams)],
            tables=[*inserts.tables, *(table for _, table in streams)],
            absent=inserts.absent,
        )

    def _stream(self, placement: Placement) -> tuple[Row, Table]:
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
        ((name, samples),) = found.items()
        rates, cpu_us = (Spread.of(each) for each in zip(*samples, strict=True))
        row = Row(
            key=placement.mark("stream"),
            name=placement.label("X's stream through tweepy, from its socket to a scored row"),
            sense="at least",
            limit=STREAM_TWEETS_S,
            unit="tweets/s",
            judged=rates.median,
            spread=rates,
        )
        title = f"X's stream through tweepy, {placement.words}"
        line = (name, str(rates), str(cpu_us))
        return row, Table(title=title, head=STREAM_HEAD, lines=[line])
