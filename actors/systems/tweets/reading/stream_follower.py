"""Follows X's stream, one connection after the other, for as long as its incarnation lives."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog
from msgspec import structs

from actors.errors import Busy, DeadlineExceeded, StoreError
from actors.systems.tweets.reading.gap_filler import GapFiller
from actors.systems.tweets.reading.intake import Intake
from actors.systems.tweets.reading.odd_line import as_json, keep, read_line
from actors.systems.tweets.reading.reader_messages import (
    ConnectionPlan,
    NoteLost,
    NoteOpened,
    NoteProgress,
    PlanConnection,
    Progress,
)
from actors.systems.tweets.reading.rule_watch import (
    TOO_MANY,
    RuleWatch,
    is_passing,
    rule_of,
    tell_gap,
)
from actors.systems.tweets.reading.stream_line import OthersTweet, StreamEnds, UnreadableLine
from actors.systems.tweets.x.stream_adapter import KeepAlive, StreamAdapter, StreamOpen
from actors.systems.tweets.x.x_errors import OutsideAddress, RuleRefused, XStatus, XUnreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.kernel.messages import Message
    from actors.systems.tweets.config import XConfig
    from actors.systems.tweets.messages import ReaderStatus
    from actors.systems.tweets.reading.reader_messages import Backfill, GapNoted
    from actors.systems.tweets.x.access import XAccess

    Ask = Callable[[Message], Awaitable[Any]]

log = structlog.get_logger()

# How far has been read is written down this often: what a crash forgets of it is read again.
NOTE_EVERY_S: Final = 2.0
# A line that is no JSON may be damage on the way, which a backfill mends: then one reconnect. What
# comes so within this time, X's longest backfill, is X's own: it is kept, as JSON is at once.
DAMAGED_S: Final = 300.0
# One such answer may be damage on the way; a second in a row is X's.
REFUSED_BACKFILLS_MAX: Final = 2
NO_PLAN: Final = ConnectionPlan(backfill_minutes=0, now_us=0)
RATE_LIMIT_S: Final = 60.0  # what X asks of who is not told when its window ends
BAD_REQUEST, FORBIDDEN = 400, 403


class StreamFollower:
    """Keeps a connection to the stream, and hands its tweets on.

    Whatever ends a connection, the next one begins after a pause that grows, and asks X to send
    again what was missed. What no repetition of ours mends (X does not know the credentials, or
    does not take the rule) is no crash, which would end in a reader that cannot even say why: it
    is `blocked` for that reason, and tries again after pauses that grow further.
    """

    def __init__(
        self, ask: Ask, access: XAccess, config: XConfig, *, keywords: tuple[str, ...]
    ) -> None:
        """`ask` asks the reader service, which keeps the books and knows the time."""
        self.status: ReaderStatus = "waiting"
        # Why it is blocked.
        self.reason: str | None = None
        self._ask = ask
        self._access = access
        self._config = config
        self._stream = StreamAdapter(access, stall_s=config.stall_s)
        self._rules = RuleWatch(ask, access, config, keywords=keywords)
        self._intake = Intake(ask, window=config.window_tweets)
        self._backfill: Backfill = "on" if config.backfill_minutes_max else "off"
        self._refused_backfills = 0
        self._failures = 0
        self._plan = NO_PLAN
        # The loop's time, in seconds, when the plan was made and when progress was last noted.
        self._planned_s = 0.0
        self._noted_s = 0.0
        self._filling = GapFiller(ask, access, config, query=rule_of(keywords))
        # On the loop's clock: since when a line that is no JSON is taken for X's own.
        self._damaged_s: float | None = None
        # Such a line, until something follows it: the end of a stream may be in its middle.
        self._fragment: tuple[bytes, UnreadableLine] | None = None

    async def run(self) -> None:
        """Follow until cancelled, and beside that fill what was missed."""
        await self._access.base_url()
        filling = asyncio.get_running_loop().create_task(self._filling.run())
        try:
            while not filling.done():
                pause_s = await self._follow_once()
                self.status = "waiting" if self.reason is None else "blocked"
                await asyncio.wait([filling], timeout=pause_s)
            filling.result()  # what it does not expect is a crash, as here
        finally:
            filling.cancel()
            await asyncio.wait([filling])
            await self._intake.close()

    async def _follow_once(self) -> float:
        """Make a connection and follow it to its end; return how long to wait before the next."""
        self.status = "connecting"
        self._failures += 1
        no, blocked = None, None
        try:
            await self._connect()
        except XStatus as error:
            no, reason = error, str(error)
            blocked = None if self._is_passing(error) else reason
        except (RuleRefused, OutsideAddress) as error:
            reason = blocked = f"{type(error).__name__}: {error}"
        except (XUnreachable, UnreadableLine, Busy, DeadlineExceeded, StoreError) as error:
            reason = f"{type(error).__name__}: {error}"
        await self._intake.settle()
        if self._intake.has_news:
            self._failures = 1
        pause_s = await self._note_lost(no)
        self.reason = blocked
        if blocked is not None:
            pause_s = max(pause_s, self._access.pauses.app.bar(blocked))
        # While the process drains, the streams are ended by ourselves: nothing is lost.
        (log.debug if self._access.leaving else log.warning)(
            "stream lost" if blocked is None else "stream blocked",
            reason=reason,
            failures=self._failures,
            pause_s=round(pause_s, 3),
        )
        return pause_s

    async def _connect(self) -> NoReturn:
        """Follow one connection to its end, which is always an exception."""
        # What X says to the rules is about neither the news nor the plan of the connection before.
        self._intake.begin()
        self._fragment = None
        self._plan = NO_PLAN
        await self._rules.set_right()
        self._plan = await self._ask(PlanConnection(backfill=self._backfill))
        self._planned_s = self._noted_s = self._loop_s()
        self._intake.bury(self._plan.buried)
        loop = asyncio.get_running_loop()
        stream, rules = loop.create_task(self._read()), loop.create_task(self._rules.run())
        try:
            ends = [stream, rules, self._intake.failed]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stream.cancel()
            rules.cancel()
            await asyncio.wait([stream, rules])
        if self._intake.failed.done():
            self._intake.failed.result()
        if not rules.cancelled():
            self._plan = NO_PLAN  # what X says to the rules is about no backfill
            rules.result()
        raise stream.exception() or XUnreachable("the stream ended without a word")

    # --- What the connection says --------------------------------------------------------------

    async def _read(self) -> None:
        said = self._stream.follow(backfill_minutes=self._plan.backfill_minutes)
        async with aclosing(said):
            async for each in said:
                if isinstance(each, StreamOpen):
                    await self._on_open()
                elif isinstance(each, KeepAlive):
                    await self._on_keep_alive(each)
                else:
                    await self._on_line(each)

    async def _on_open(self) -> None:
        minutes = self._plan.backfill_minutes
        self._refused_backfills = 0
        message = NoteOpened(backfill=self._backfill, backfill_minutes=minutes)
        noted: GapNoted = await self._ask(message)
        if noted.is_short:
            raise XUnreachable("it took so long to open the stream that X is to send more again")
        self.status = "connected"
        self.reason = None
        self._access.pauses.app.clear()
        log.info("stream open", backfill_minutes=minutes)
        self._tell(noted)

    async def _on_line(self, line: bytes) -> None:
        await self._keep_fragment()
        try:
            said = read_line(line, self._rules.own)
        except UnreadableLine as error:
            await self._set_aside(line, error)
            return
        if isinstance(said, StreamEnds):
            raise XUnreachable(f"X ends the stream: {said.detail}")
        if isinstance(said, OthersTweet):
            self._intake.pass_over(said.posted_at_us)
        else:
            await self._intake.take(said)
        await self._note_progress()

    async def _on_keep_alive(self, sign: KeepAlive) -> None:
        await self._keep_fragment()
        self._intake.has_news = True  # that there are none: X is there, and well
        # Not up to now: what came behind it may be here already, and not be looked at yet.
        if sign.read_empty_s is not None:
            self._intake.reached(self._us_at(sign.read_empty_s))
        await self._note_progress()

    async def _set_aside(self, line: bytes, error: UnreadableLine) -> None:
        """Keep a line that X sends so. Raises UnreadableLine where a backfill may mend it."""
        if as_json(line) is not None:
            await self._keep(line, error)
            return
        now_s, since_s = self._loop_s(), self._damaged_s
        if since_s is None or now_s - since_s > DAMAGED_S:
            self._damaged_s = now_s
            self._intake.count_unreadable()
            raise error
        self._fragment = (line, error)

    async def _keep_fragment(self) -> None:
        fragment, self._fragment = self._fragment, None
        if fragment is not None:
            await self._keep(*fragment)

    async def _keep(self, line: bytes, error: UnreadableLine) -> None:
        self._intake.has_news = True
        kept = keep(line, str(error))
        log.error("line set aside", reason=str(error), letter=kept.letter_id)
        self._tell(await self._ask(kept))

    def _tell(self, noted: GapNoted) -> None:
        if noted.gap is not None:
            tell_gap(noted.gap)
        self._filling.wake()

    # --- The books ---------------------------------------------------------------------------

    async def _note_progress(self) -> None:
        if self._loop_s() - self._noted_s < NOTE_EVERY_S:
            return
        self._noted_s = self._loop_s()
        progress = self._intake.progress()
        if progress != Progress():
            await self._ask(NoteProgress(progress=progress))

    async def _note_lost(self, no: XStatus | None) -> float:
        # TooManyConnections is about ours that died and that X still holds: the window does not
        # tell when it lets go of it, and that may be at once.
        is_limit = no is not None and no.status == TOO_MANY and "TooManyConnections" not in no.body
        message = NoteLost(failures=self._failures, progress=self._intake.progress())
        if no is not None and is_limit:
            if no.wait_s is not None:
                message = structs.replace(message, retry_s=no.wait_s)
            elif no.reset_s is not None:
                message = structs.replace(message, retry_at_us=no.reset_s * 1_000_000)
            else:
                message = structs.replace(message, retry_s=RATE_LIMIT_S)
        try:
            pause_s: float = await self._ask(message)
        except (Busy, DeadlineExceeded, StoreError) as error:
            log.warning("stream's end not noted", reason=f"{type(error).__name__}: {error}")
            return self._config.reconnect_s_max
        return pause_s

    def _us_at(self, loop_s: float) -> int:
        """What time it was, by the plan's; a little early, which only makes for more backfill."""
        return self._plan.now_us + int((loop_s - self._planned_s) * 1_000_000)

    def _loop_s(self) -> float:
        return asyncio.get_running_loop().time()

    # --- What X says instead -------------------------------------------------------------------

    def _is_passing(self, no: XStatus) -> bool:
        """Whether another attempt may end otherwise; one without backfill, where that is it."""
        if not no.is_own:  # what stands in front of X knows nothing of its backfill either
            return True
        if no.status in {BAD_REQUEST, FORBIDDEN} and self._plan.backfill_minutes > 0:
            self._refused_backfills += 1
            if self._refused_backfills >= REFUSED_BACKFILLS_MAX:
                self._backfill = "refused"
            return True
        return is_passing(no)
