"""The oracle of what becomes of a tweet: it reads the files with plain SQL and nothing of ours."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

from tests.benchmarks.insert_texts import NEGATIVE_WORD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

POLL_S = 0.1
# A backlog that takes longer is a defect of another kind than a slow one.
DONE_S_MAX = 600.0

LAST = "SELECT coalesce(max(seq), 0) FROM tweet"
UNSCORED = (
    "SELECT count(*) FROM tweet WHERE seq BETWEEN ? AND ? AND (score IS NULL OR sentiment IS NULL)"
)
TO_FLAG = "SELECT id FROM tweet WHERE seq BETWEEN ? AND ? AND instr(text, ?) ORDER BY id"
NEGATIVE = "SELECT id FROM tweet WHERE seq BETWEEN ? AND ? AND sentiment = 'negative' ORDER BY id"
FLAGGED = "SELECT tweet_id FROM flag WHERE seq > ? ORDER BY tweet_id"
LAST_FLAG = "SELECT coalesce(max(seq), 0) FROM flag"


class ScoredFiles:
    """Looks at what has come since it last looked; what was right before is not read again."""

    def __init__(self, data_dir: Path) -> None:
        """Begin with what there is now: it must be in order."""
        self._tweets, self._flags = data_dir / "tweets.db", data_dir / "flagger.db"
        self._seen = (0, 0)
        self.wait()

    def wait(self) -> None:
        """Return when every tweet is scored, and each negative one flagged once and no other.

        Raises AssertionError where that does not come to be.
        """
        deadline = time.monotonic() + DONE_S_MAX
        while (trouble := self.trouble()) is not None:
            assert time.monotonic() < deadline, trouble
            time.sleep(POLL_S)

    def trouble(self) -> str | None:
        """Return what is not done or not right; None, and look at it no more, where all is."""
        last = _one(self._tweets, LAST)
        span = (self._seen[0] + 1, last)
        if unscored := _one(self._tweets, UNSCORED, *span):
            return f"{unscored} tweets have no score"
        negative = _all(self._tweets, NEGATIVE, *span)
        if negative != _all(self._tweets, TO_FLAG, *span, NEGATIVE_WORD):
            return "scores do not fit the texts"
        flagged = _all(self._flags, FLAGGED, self._seen[1])
        if flagged != negative:
            return f"{len(negative)} negative tweets, and {len(flagged)} flags, not of each once"
        self._seen = (last, _one(self._flags, LAST_FLAG))
        return None


def _one(path: Path, sql: str, *values: object) -> int:
    (found,) = _rows(path, sql, values)
    return int(str(found[0]))


def _all(path: Path, sql: str, *values: object) -> list[str]:
    return [str(found[0]) for found in _rows(path, sql, values)]


def _rows(path: Path, sql: str, values: Sequence[object]) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, values).fetchall()
