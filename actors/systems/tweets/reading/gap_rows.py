"""The books on gaps: what may be missing, what of it was found since, and by what, or why not.

Our clock may be off by anything, and be set at any time; X's is in the ids of its tweets. So
`from_us` and `to_us` are for people, and X is asked for what cannot be wrong:

- From where the last tweet was made that was read before, or else our first rule (`left_from_us`):
  what came between it and the gap was read, so where that begins by our clock does not matter.
- Up to whatever X has (`left_to_us` is NULL). A search that begins after the gap has ended, and has
  had the time to take it in (`GapWait`, by a clock that nobody sets), covers it, whenever that was;
  what it brings besides is known by its id. It has an end only where an id says when all of the gap
  was made, and where pages have come, for the latest come first.
- It is filled once X has given all of that, and it has not `grown` since X was asked.

What is left shrinks with each commit, so that whoever is interrupted goes on there: a search from
above; the stream's recovery, whose oldest come first, from below. Our clock still says how far X
reaches back, and where a recovery ends, which needs an end.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from actors.systems.tweets.messages import ReaderGap
from actors.systems.tweets.reading.reader_messages import FillPlan, OpenGap

if TYPE_CHECKING:
    import sqlite3

    from actors.store.transaction import ReadTransaction, Transaction
    from actors.systems.tweets.reading.reader_messages import GapFound, GapsFilledBy

SECOND_US: Final = 1_000_000
GAPS_KEPT_MAX: Final = 1_000
GAPS_SHOWN_MAX: Final = 50
GAPS_PLANNED_MAX: Final = 100
# How far back X's recent search reaches, less the way there; and its stream's recovery.
SEARCH_US_MAX: Final = (7 * 86_400 - 60) * SECOND_US
STREAM_US_MAX: Final = (86_400 - 60) * SECOND_US

LAST = (
    "SELECT seq, from_us, to_us, state, left_from_us, left_to_us FROM gap ORDER BY seq DESC LIMIT 1"
)
ADD = "INSERT INTO gap (from_us, to_us, reason, left_from_us, left_to_us) VALUES (?, ?, ?, ?, ?)"
# It grows at its end: what was found of it from above has to be looked for from there again.
EXTEND = (
    "UPDATE gap SET to_us = max(to_us, ?), reason = ?, left_to_us = NULL, grown = grown + 1,"
    " left_from_us = min(coalesce(left_from_us, from_us), ?) WHERE seq = ?"
)
FORGET = "DELETE FROM gap WHERE seq <= (SELECT max(seq) FROM gap) - ?"
LATEST = "SELECT * FROM gap ORDER BY seq DESC LIMIT ?"
COUNT_OPEN = "SELECT count(*) AS open FROM gap WHERE state = 'open'"
LOSE = (
    "UPDATE gap SET state = 'lost', why_not = ? || coalesce('; ' || why_not, '')"
    " WHERE state = 'open' AND coalesce(left_to_us, to_us) <= ?"
)
# The clock that said so was ahead, and has been put right.
REGAIN = (
    "UPDATE gap SET state = 'open', why_not = NULL"
    " WHERE state = 'lost' AND coalesce(left_to_us, to_us) > ?"
)
# What of it is too old, as a gap of its own; the rest can be had.
SPLIT = (
    "INSERT INTO gap (seq, from_us, to_us, reason, state, why_not)"
    " SELECT (SELECT max(seq) + 1 FROM gap), from_us, ?, reason, 'lost', ? FROM gap WHERE seq = ?"
)
SPLIT_OFF = "UPDATE gap SET from_us = ?, left_from_us = NULL WHERE seq = ?"
OLDER = "SELECT seq FROM gap WHERE state = 'open' AND from_us < ? ORDER BY from_us"
OPEN = (
    "SELECT seq, grown, from_us, to_us, coalesce(left_from_us, from_us) AS left_from_us, left_to_us"
    " FROM gap WHERE state = 'open' ORDER BY gap.from_us LIMIT ?"
)
SHRINK = (
    "UPDATE gap SET left_from_us = coalesce(?, left_from_us), left_to_us = coalesce(?, left_to_us),"
    " found = found + ?, filled_by = ?, why_not = NULL WHERE seq = ? AND grown = ?"
)
FILL = (
    "UPDATE gap SET state = 'filled', filled_by = ?, why_not = NULL,"
    " left_from_us = NULL, left_to_us = NULL WHERE seq = ? AND grown = ? AND state = 'open'"
)
NOT_FILLED = "UPDATE gap SET why_not = ? WHERE state = 'open'"
TOO_OLD: Final = "older than the seven days that X's search reaches back"


def add(
    tx: Transaction, gap: GapFound, *, left_from_us: int, left_to_us: int | None = None
) -> bool:
    """Put the gap on the books; return false where it only makes the last one longer.

    `left_from_us` is up to where all was read, and `left_to_us` what nothing of it is beyond, where
    that is known: by X's ids.
    """
    last = tx.one(LAST)
    if (
        last is not None
        and last["state"] == "open"
        and last["from_us"] <= gap.from_us <= last["to_us"]
    ):
        tx.execute(EXTEND, gap.to_us, gap.reason, left_from_us, last["seq"])
        return False
    tx.execute(ADD, gap.from_us, gap.to_us, gap.reason, left_from_us, left_to_us)
    tx.execute(FORGET, GAPS_KEPT_MAX)
    return True


def plan(tx: Transaction, by: GapsFilledBy) -> FillPlan:
    """Return what X is to be asked for, the oldest first.

    What X does not reach any more is lost, for as long as our clock says so.
    """
    oldest_us = tx.now_us - SEARCH_US_MAX
    tx.execute(REGAIN, oldest_us)
    tx.execute(LOSE, TOO_OLD, oldest_us)
    for row in tx.all(OLDER, oldest_us):
        tx.execute(SPLIT, oldest_us, TOO_OLD, row["seq"])
        tx.execute(SPLIT_OFF, oldest_us, row["seq"])
    stream_us = tx.now_us - STREAM_US_MAX
    gaps = []
    for row in tx.all(OPEN, GAPS_PLANNED_MAX):
        by_stream = by == "stream" and row["from_us"] >= stream_us
        gaps.append(
            OpenGap(
                seq=row["seq"],
                grown=row["grown"],
                from_us=max(row["left_from_us"], stream_us if by_stream else oldest_us),
                to_us=row["left_to_us"],
                end_us=row["to_us"],
                by="stream" if by_stream else "search",
            )
        )
    return FillPlan(gaps=tuple(gaps))


def shrink(
    tx: Transaction, gap: OpenGap, *, found: int, from_us: int | None, to_us: int | None
) -> None:
    """Note how many were found, and what is left: from `from_us` on, or up to `to_us`."""
    tx.execute(SHRINK, from_us, to_us, found, gap.by, gap.seq, gap.grown)


def fill(tx: Transaction, gap: OpenGap) -> None:
    """X has been asked for all of it; unless it has grown meanwhile."""
    tx.execute(FILL, gap.by, gap.seq, gap.grown)


def count_open(tx: ReadTransaction) -> int:
    """Return how many are to be filled yet."""
    (row,) = tx.all(COUNT_OPEN)
    count: int = row["open"]
    return count


def latest_gaps(tx: ReadTransaction) -> list[ReaderGap]:
    """Return the latest, for people."""
    return [_shown(row) for row in tx.all(LATEST, GAPS_SHOWN_MAX)]


def _shown(row: sqlite3.Row) -> ReaderGap:
    return ReaderGap(
        since=_moment(row["from_us"]),
        until=_moment(row["to_us"]),
        reason=row["reason"],
        state=row["state"],
        filled_by=row["filled_by"] if row["state"] == "filled" else None,
        found=row["found"],
        why_not=row["why_not"],
    )


def _moment(us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(us / SECOND_US, tz=dt.UTC)
