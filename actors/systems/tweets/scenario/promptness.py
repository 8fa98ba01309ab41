"""How soon all is done where no fault is: what a client's own call holds up is excused, no more."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from actors.systems.tweets.config import XConfig
from actors.systems.tweets.x_invariants import tweeted_at_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History
    from actors.systems.tweets.scenario.kept import Kept, Row
    from actors.systems.tweets.scenario.told import Told

# How long an answer takes, and how long it is from a tweet to its score, in seconds.
ANSWER_S_MAX: Final = 1.0
BEGUN_S_MAX: Final = 1.0
# Within how long the stream is open; what was tweeted before X sends at most where it backfills.
OPEN_S_MAX: Final = 1.0
# By how much more than X's window an answer may wait each time it was refused: our own pause.
PAUSE_S_MAX: Final = 15.0
# Whom an operation asks; what a tweet passes until it is scored, and then until it is answered.
ASKED: Final = {
    "tweet": "x_platform",
    "retweet": "x_platform",
    "put_if_absent": "tweets",
    "get": "tweets",
    "read": "flagger",
    "change": "flagger",
}
SCORED_BY: Final = ("x_platform", "stream", "reader", "tweets", "sentiment-1", "sentiment-2")
ANSWERED_BY: Final = ("x_platform", "account", "requests")
# Of who is stopped now and then, whoever may be asked for something.
STOPPED: Final = ("tweets", "x_platform", "reader", "favouriter", "responder")


class Promptness:
    """Compares when things were asked for with when they were done, by a clock never set."""

    def __init__(self, kept: Kept, config: Config, clock: Clock, told: Told) -> None:
        self._kept = kept
        self._x = config.named("x_platform")
        self._reading = config.section(XConfig)
        self._clock = clock
        self._told = told

    def violations(self, history: History) -> Iterator[str]:
        """Nobody has waited for an answer; what was tweeted was scored and answered in time."""
        yield from self._answers(history)
        for name, service in (("likes", "favouriter"), ("replies", "responder")):
            rows = self._kept.of[name]
            # X's own bound of requests, as often as those before it have used it up.
            windows = len(rows) // self._x.requests_max + 1
            for row in rows:
                yield from self._begun(row, service)
                yield from self._replied(row, windows * (self._x.window_s + PAUSE_S_MAX))

    # --- Inside ------------------------------------------------------------------------------

    def _answers(self, history: History) -> Iterator[str]:
        for each in history.operations:
            asked_s, ended_s = each.invoked_us / 1e6, (each.returned_us or each.invoked_us) / 1e6
            is_upset = self._told.is_upset([ASKED[each.name]], asked_s, ended_s)
            if ended_s - asked_s > ANSWER_S_MAX and not is_upset:
                yield f"without a fault it took {ended_s - asked_s:.1f} s: {each}"
        for silence in self._told.silent:
            if not self._told.is_upset(STOPPED, silence.since_s, silence.until_s):
                yield f"without a fault nobody has answered {silence.what}"

    def _begun(self, row: Row, service: str) -> Iterator[str]:
        tweeted_s, begun_s = self._at_s(tweeted_at_us(int(row["external_id"]))), self._begun_s(row)
        is_upset = self._told.is_upset([*SCORED_BY, service], tweeted_s, begun_s)
        is_upset |= self._told.lacks_rule(tweeted_s, begun_s)
        if begun_s - tweeted_s > self._begun_s_max(tweeted_s) and not is_upset:
            yield f"{row['external_id']} was scored after {begun_s - tweeted_s:.1f} s"

    def _replied(self, row: Row, most_s: float) -> Iterator[str]:
        begun_s = self._begun_s(row)
        gone = self._told.deleted | self._told.closed
        is_refused = row["status"] == "refused" and row["external_id"] in gone
        is_done = is_refused or row["status"] in {"done", "withheld"}
        if not is_done and not self._told.is_upset(["account"], begun_s, math.inf):
            yield f"without a fault {row['external_id']} is {row['status']}: {row['detail']}"
        if row["reply_id"] is not None:
            replied_s = self._at_s(tweeted_at_us(int(row["reply_id"])))
            is_upset = self._told.is_upset([*ANSWERED_BY, "responder"], begun_s, replied_s)
            if replied_s - begun_s > most_s and not is_upset:
                yield f"{row['external_id']} was answered after {replied_s - begun_s:.1f} s"

    def _begun_s_max(self, tweeted_s: float) -> float:
        """What came before the stream was open, without backfill, the search finds in its time."""
        is_sent = tweeted_s > OPEN_S_MAX or self._reading.backfill_minutes_max > 0
        return BEGUN_S_MAX + (0.0 if is_sent else self._reading.gap_wait_s)

    def _begun_s(self, row: Row) -> float:
        return self._at_s(row["begun_us"])

    def _at_s(self, at_us: int) -> float:
        return in_run_s(self._clock, at_us)


def in_run_s(clock: Clock, at_us: int) -> float:
    """Return an instant of the files in seconds of the run, in which the clock was never set."""
    return asyncio.get_running_loop().time() - (clock.now_us() - at_us) / 1e6
