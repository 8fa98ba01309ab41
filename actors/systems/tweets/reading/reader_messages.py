"""What the reader's stream tells its own books. Times are microseconds of the Unix epoch."""

from __future__ import annotations

from typing import Literal

import msgspec

from actors.kernel.messages import Command
from actors.systems.tweets.messages import (  # noqa: TC001 - msgspec reads them at run time
    Author,
    ExternalId,
    XDetails,
    XText,
)

# Whether X is asked to send again what was missed: it is; config says not to; X has refused it.
Backfill = Literal["on", "off", "refused"]


class TweetRead(Command):
    """A tweet stood in the stream; it is passed on to the tweets service once.

    `history` are the ids of all its versions so far, where it was edited; each version is read.
    """

    external_id: ExternalId
    author: Author
    text: XText
    x: XDetails
    history: tuple[ExternalId, ...] = ()


class OddLine(Command):
    """A whole line of the stream that is no tweet to us; kept as a dead letter.

    Run again, it may be one to a later version.
    """

    line: str
    tweet_id: str | None = None


class KeepLine(Command):
    """Keep the line as a dead letter, for this reason; what it held may be missing.

    `letter_id` is the same for the same line.
    """

    line: OddLine
    letter_id: str
    reason: str
    from_search: bool = False


class OpenGap(msgspec.Struct, frozen=True, kw_only=True):
    """What of a gap is left, and how it is to be filled.

    `to_us` is None where X is asked for all there is; `end_us` is its end by our clock.
    """

    seq: int
    grown: int
    from_us: int
    to_us: int | None
    end_us: int
    by: Literal["search", "stream"]

    def of_search(self) -> OpenGap:
        """Return it as it is to be searched for instead."""
        return msgspec.structs.replace(self, by="search")


GapsFilledBy = Literal["search", "stream", "nothing"]


class PlanFilling(Command):
    """Say which gaps are to be filled."""


class FillPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Those that are to be filled, the oldest first."""

    gaps: tuple[OpenGap, ...] = ()


class NoteFound(Command):
    """These were found in the gap, of which is left what is from `from_us` on, or up to `to_us`."""

    gap: OpenGap
    tweets: tuple[TweetRead, ...]
    from_us: int | None = None
    to_us: int | None = None
    is_whole: bool = False


class NoteNotFilled(Command):
    """X would not fill what is open, for this reason."""

    why_not: str


class PlanConnection(Command):
    """Say what a connection that is made now must ask for."""

    backfill: Backfill


class ConnectionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`backfill_minutes` is 0 for none; `now_us` is the time of the plan.

    `buried` are the ids of the tweets that are dead letters: sent again, they would crash again.
    """

    backfill_minutes: int
    now_us: int
    buried: frozenset[str] = frozenset()


class NoteOpened(Command):
    """The stream is open, and begins `backfill_minutes` ago."""

    backfill: Backfill
    backfill_minutes: int


class GapFound(msgspec.Struct, frozen=True, kw_only=True):
    """What was tweeted between the two may be missing, and X does not send it again."""

    from_us: int
    to_us: int
    reason: str


class GapNoted(msgspec.Struct, frozen=True, kw_only=True):
    """The gap that has gone on the books; None for none, or one that was told before.

    `is_short` is whether X can send more than this connection has asked for: nothing is noted.
    """

    gap: GapFound | None
    is_short: bool = False


class NoteRule(Command):
    """The account's rules were found so, `age_s` seconds ago or later.

    `rule` is the reader's; `stands` is whether it does now, or is yet to be added. It was made at
    `made_us`, by X's id of it.
    """

    rule: str
    found: tuple[str, ...]
    stands: bool
    age_s: float
    made_us: int | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """`read_to_us`: what X sent before that is committed; None where nothing new is known.

    The others are how many since the last time: tweets sent again and known without a look at the
    books, and lines that were damaged on their way.
    """

    read_to_us: int | None = None
    duplicates: int = 0
    unreadable: int = 0


class NoteProgress(Command):
    """Keep it on the books."""

    progress: Progress


class NoteLost(Command):
    """The connection has ended, or none came about: the `failures`-th without news in between.

    X will have the next attempt at `retry_at_us`, or in `retry_s` seconds, where there is one.
    """

    failures: int
    progress: Progress
    retry_at_us: int | None = None
    retry_s: float = 0.0
