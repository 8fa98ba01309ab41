"""The reader service: X's stream, each tweet of it once, and the books on what may be missing.

How far has been read is a time, `read_to_us`: whatever was tweeted before it is committed here, or
lies in a gap that is on the books. A reconnect asks X for what was tweeted since.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from actors.kernel.messages import Refusal
from actors.service.letters import forget_letter, keep_letter
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.tweets.messages import GetReader, ReaderPause, ReaderState, StoreXTweet
from actors.systems.tweets.reading import gap_rows
from actors.systems.tweets.reading import reader_rows as rows
from actors.systems.tweets.reading.odd_line import letter_of, read_line
from actors.systems.tweets.reading.patient_ask import PatientAsk
from actors.systems.tweets.reading.reader_messages import (
    ConnectionPlan,
    FillPlan,
    GapFound,
    GapNoted,
    KeepLine,
    NoteFound,
    NoteLost,
    NoteNotFilled,
    NoteOpened,
    NoteProgress,
    NoteRule,
    OddLine,
    PlanConnection,
    PlanFilling,
    TweetRead,
)
from actors.systems.tweets.reading.stream_follower import StreamFollower
from actors.systems.tweets.reading.stream_line import UnreadableLine
from actors.systems.tweets.x.pauses import PAUSE_S_MAX
from actors.systems.tweets.x.tweet_ids import made_at_us

if TYPE_CHECKING:
    from actors.systems.tweets.config import TweetsConfig, XConfig
    from actors.systems.tweets.x.access import XAccess

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
# X's window for counting requests: no answer of it asks for a longer wait.
RATE_WINDOW_S: Final = 900.0
# Of lines that are no tweets to us; the longest that can be read has 128 KB.
LINES_KEPT_MAX: Final = 200
# A tweet's time is to the millisecond, and in its id; what tells another was damaged with it.
ABOUT_US: Final = SECOND_US
UNREADABLE: Final = "a line of the stream was no tweet to us, and is kept as a dead letter"
SET_BACK: Final = "our clock was set back: how long the outage was, nobody knows"
RULE_GONE: Final = "somebody had deleted the stream rule, and X sent nothing that it would have met"

REASONS: Final = {
    "on": "the outage was longer than X sends again",
    "off": "x.backfill_minutes_max is 0: X is not asked to send again",
    "refused": "X does not send again for this account",
}


class ReaderService(Service):
    """Reads the stream and passes on each tweet once, whatever breaks."""

    schema: ClassVar[Path] = Path(__file__).parent.parent / "schema" / "reader"

    def __init__(self, config: TweetsConfig, x: XConfig, access: XAccess) -> None:
        """`access` says where X is, and as whom to read."""
        self._config = config
        self._x = x
        self._access = access
        self._follower: StreamFollower | None = None
        # X may be this late with a tweet, and the reader this late to see that it gets none.
        self._slack_us = int(x.stall_s * SECOND_US)

    async def run(self) -> None:
        """Follow the stream, whatever X says to it."""
        keywords = self._config.keywords
        self._follower = StreamFollower(
            PatientAsk(self.ask), self._access, self._x, keywords=keywords
        )
        await self._follower.run()

    # --- Tweets --------------------------------------------------------------------------------

    @command
    def read(self, tx: Transaction, cmd: TweetRead) -> bool:
        """Pass the tweet on; return false for one that has stood in the stream before."""
        if not self._pass_on(tx, cmd):
            tx.execute(rows.COUNT_DUPLICATE)
            return False
        tx.execute(rows.COUNT_TWEET, cmd.external_id, tx.now_us)
        return True

    def _pass_on(self, tx: Transaction, cmd: TweetRead) -> bool:
        if not rows.see(tx, cmd.external_id, kept_us=int(self._config.seen_kept_s * SECOND_US)):
            return False
        tx.send(
            "tweets",
            StoreXTweet(
                external_id=cmd.external_id,
                author=cmd.author,
                text=cmd.text,
                x=cmd.x,
                history=cmd.history,
            ),
        )
        return True

    # --- Lines that are no tweets --------------------------------------------------------------

    @command
    def keep_line(self, tx: Transaction, cmd: KeepLine) -> GapNoted:
        """Keep the line as a dead letter; what it was may be missing, and X is asked for it."""
        is_new = keep_letter(
            tx,
            cmd.line,
            letter_id=cmd.letter_id,
            reason=f"{UNREADABLE}: {cmd.reason}",
            kept_max=LINES_KEPT_MAX,
        )
        if not is_new:
            tx.execute(rows.COUNT_DUPLICATE)
            return GapNoted(gap=None)
        tx.execute(rows.COUNT_UNREADABLE)
        if cmd.from_search:  # that is all that X has
            return GapNoted(gap=None)
        gap, is_new = self._add_gap_of(tx, cmd.line)
        tx.execute(rows.COUNT_GAP, is_new)
        return GapNoted(gap=gap if is_new else None)

    def _add_gap_of(self, tx: Transaction, line: OddLine) -> tuple[GapFound, bool]:
        """Note when the line's tweet was made, at most as far back as X sends again."""
        at_us = 0 if line.tweet_id is None else made_at_us(line.tweet_id)
        oldest_us = tx.now_us - self._x.backfill_minutes_max * MINUTE_US - self._slack_us
        if oldest_us <= at_us <= tx.now_us + self._slack_us:
            gap = GapFound(from_us=at_us - ABOUT_US, to_us=at_us + ABOUT_US, reason=UNREADABLE)
            is_new = gap_rows.add(tx, gap, left_from_us=gap.from_us, left_to_us=gap.to_us)
            return gap, is_new
        read_to_us = rows.progress(tx)["read_to_us"] or oldest_us
        from_us = max(oldest_us, min(read_to_us, tx.now_us))
        gap = GapFound(from_us=from_us, to_us=tx.now_us, reason=UNREADABLE)
        return gap, self._add_gap(tx, gap)

    @command
    def read_again(self, tx: Transaction, cmd: OddLine) -> Refusal | None:
        """Try a line that was kept once more: a later version may know what it says."""
        try:
            said = read_line(cmd.line.encode())
        except UnreadableLine as error:
            return Refusal.conflict(str(error))
        if isinstance(said, TweetRead):
            tx.execute(rows.COUNT_FOUND, self._pass_on(tx, said))
        return None

    # --- Gaps ------------------------------------------------------------------------------------

    def _add_gap(self, tx: Transaction, gap: GapFound) -> bool:
        """Put a gap on the books whose times are ours: it begins behind what was surely read."""
        row = rows.progress(tx)
        last: str | None = row["last_tweet_id"]
        read_us: int = row["first_rule_us"] or tx.now_us
        if last is not None:
            read_us = made_at_us(last)
        # What X was late with may be older than what it had sent before.
        left_from_us = min(gap.from_us, read_us - self._slack_us)
        return gap_rows.add(tx, gap, left_from_us=left_from_us)

    @command
    def plan_filling(self, tx: Transaction, cmd: PlanFilling) -> FillPlan:
        """Say which gaps are to be filled, and how."""
        del cmd
        by = self._x.gaps_filled_by
        return FillPlan() if by == "nothing" else gap_rows.plan(tx, by)

    @command
    def found(self, tx: Transaction, cmd: NoteFound) -> None:
        """Pass on what was found in a gap, each once, and note what is left of it."""
        count = 0
        for tweet in cmd.tweets:
            count += self._pass_on(tx, tweet)
            forget_letter(tx, letter_of(tweet.external_id))
        tx.execute(rows.COUNT_FOUND, count)
        gap_rows.shrink(tx, cmd.gap, found=count, from_us=cmd.from_us, to_us=cmd.to_us)
        if cmd.is_whole:
            gap_rows.fill(tx, cmd.gap)

    @command
    def not_filled(self, tx: Transaction, cmd: NoteNotFilled) -> None:
        """Note why X does not fill what is open."""
        tx.execute(gap_rows.NOT_FILLED, cmd.why_not)

    # --- Connections -----------------------------------------------------------------------------

    @command
    def plan(self, tx: Transaction, cmd: PlanConnection) -> ConnectionPlan:
        """Say how many minutes to ask X for: what was missed, and what connecting may yet take."""
        read_to_us: int | None = rows.progress(tx)["read_to_us"]
        minutes = 0
        if read_to_us is not None and cmd.backfill == "on":
            missed_us = tx.now_us - read_to_us + self._slack_us
            if tx.now_us < read_to_us:  # the clock was set back: nobody knows how much
                minutes = self._x.backfill_minutes_max
            else:
                minutes = min(-(-missed_us // MINUTE_US), self._x.backfill_minutes_max)
        return ConnectionPlan(backfill_minutes=minutes, now_us=tx.now_us, buried=rows.buried(tx))

    @command
    def opened(self, tx: Transaction, cmd: NoteOpened) -> GapNoted:
        """Note that the stream is open, and what of the past it does not reach.

        Where its plan is old by now, and a new one would ask X for more, it is to be made again.
        """
        reach_us = tx.now_us - cmd.backfill_minutes * MINUTE_US
        read_to_us: int | None = rows.progress(tx)["read_to_us"]
        can_ask_more = cmd.backfill == "on" and cmd.backfill_minutes < self._x.backfill_minutes_max
        if can_ask_more and read_to_us is not None and read_to_us < reach_us:
            return GapNoted(gap=None, is_short=True)
        gap = None
        is_new = False
        if read_to_us is None:  # the first connection ever: what was before it is nobody's loss
            read_to_us = reach_us - self._slack_us
        elif tx.now_us < read_to_us:
            gap = GapFound(from_us=reach_us, to_us=read_to_us, reason=SET_BACK)
            is_new = self._add_gap(tx, gap)
            read_to_us = reach_us
        elif read_to_us < reach_us:
            gap = GapFound(from_us=read_to_us, to_us=reach_us, reason=REASONS[cmd.backfill])
            is_new = self._add_gap(tx, gap)
            read_to_us = reach_us
        tx.execute(rows.NOTE_OPEN, tx.now_us, read_to_us, is_new)
        return GapNoted(gap=gap)

    @command
    def note_rule(self, tx: Transaction, cmd: NoteRule) -> GapNoted:
        """Note that the rule stands, and as a gap how long it did not, but for a first time."""
        row = rows.progress(tx)
        rule: str | None = row["rule"]
        if rule is None and not cmd.stands:
            return GapNoted(gap=None)
        # One of other keywords has served until it was replaced; by now that may be done.
        was_there = rule in cmd.found or (rule != cmd.rule and cmd.rule in cmd.found)
        is_gone = rule is not None and (bool(row["rule_is_gone"]) or not was_there)
        # What X was late with, and how long this has waited, is not known to have met it.
        seen_us = tx.now_us - self._slack_us - int(cmd.age_s * SECOND_US)
        gap = None
        is_new = False
        if is_gone:  # not after now, for the clock may have been set back
            from_us = row["rule_us"] if row["rule_us"] <= tx.now_us else seen_us
            gap = GapFound(from_us=from_us, to_us=tx.now_us, reason=RULE_GONE)
            is_new = self._add_gap(tx, gap)
        if cmd.stands:
            tx.execute(rows.NOTE_RULE, cmd.rule, seen_us, 0, is_new, cmd.made_us)
        elif is_gone:
            tx.execute(rows.NOTE_RULE, rule, tx.now_us, 1, is_new, None)
        return GapNoted(gap=gap if is_new else None)

    @command
    def progressed(self, tx: Transaction, cmd: NoteProgress) -> None:
        """Note how far has been read."""
        rows.note(tx, cmd.progress, slack_us=self._slack_us)

    @command
    def lost(self, tx: Transaction, cmd: NoteLost) -> float:
        """Note how far has been read, and draw how long to leave X alone, in seconds.

        Exponential, with "equal jitter" (M. Brooker, "Exponential Backoff and Jitter", AWS
        Architecture Blog, 2015): at least half, for X counts connections.
        """
        rows.note(tx, cmd.progress, slack_us=self._slack_us)
        exponent = min(cmd.failures - 1, 63)  # by then the maximum has long decided
        pause_s = min(self._x.reconnect_s_min * 2.0**exponent, self._x.reconnect_s_max)
        pause_s *= tx.rng.uniform(0.5, 1.0)
        wait_s = min(cmd.retry_s, PAUSE_S_MAX)
        if cmd.retry_at_us is not None:  # by our clock: not more than a window of X's
            wait_s = min((cmd.retry_at_us - tx.now_us) / SECOND_US, RATE_WINDOW_S)
        return pause_s + max(wait_s, 0.0)

    # --- For people ------------------------------------------------------------------------------

    @query
    def state(self, tx: ReadTransaction, question: GetReader) -> ReaderState:
        """Say how the stream stands, and what may be missing."""
        del question
        row = rows.progress(tx)
        follower = self._follower
        return ReaderState(
            status=follower.status if follower is not None else "waiting",
            reason=follower.reason if follower is not None else None,
            paused=self._paused(tx),
            last_tweet_id=row["last_tweet_id"],
            alive_at=_moment(row["alive_us"]),
            read_to=_moment(row["read_to_us"]),
            tweets=row["tweets"],
            duplicates=row["duplicates"],
            unreadable=row["unreadable"],
            reconnects=max(0, row["connections"] - 1),
            gaps=row["gaps"],
            gaps_open=gap_rows.count_open(tx),
            latest_gaps=gap_rows.latest_gaps(tx),
        )

    def _paused(self, tx: ReadTransaction) -> list[ReaderPause]:
        now = dt.datetime.fromtimestamp(tx.now_us / SECOND_US, tz=dt.UTC)
        return [
            ReaderPause(
                what=each.what,
                reason=each.reason,
                until=now + dt.timedelta(seconds=each.again_s),
            )
            for each in self._access.pauses.state()
        ]


def _moment(us: int | None) -> dt.datetime | None:
    return None if us is None else dt.datetime.fromtimestamp(us / SECOND_US, tz=dt.UTC)
