"""Follows X's stream, one connection after the other, for as long as its incarnation lives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog

from actors.errors import Busy, DeadlineExceeded, StoreError
from actors.systems.tweets.intake import Intake
from actors.systems.tweets.reader_messages import (
    ConnectionPlan,
    NoteLost,
    NoteOpened,
    NoteProgress,
    PlanConnection,
    Progress,
)
from actors.systems.tweets.stream_line import StreamEnds, UnreadableLine, parse_line
from actors.systems.tweets.stream_rules import StreamRules
from actors.systems.tweets.x_client import StreamConnection
from actors.systems.tweets.x_errors import XStatus, XUnreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.config import XConfig
    from actors.kernel.messages import Message
    from actors.systems.tweets.messages import ReaderStatus
    from actors.systems.tweets.reader_messages import Backfill, Opened, Pause
    from actors.systems.tweets.x_access import XAccess

    Ask = Callable[[Message], Awaitable[Any]]

log = structlog.get_logger()

# How far has been read is written down this often: what a crash forgets of it is read again.
NOTE_EVERY_S: Final = 2.0
# A line that X itself sends unreadable comes again by every backfill; damage on the way does not.
SAME_LINE_MAX: Final = 3
SKIPPED_LINES_MAX: Final = 1_000
# One such answer may be damage on the way; a second in a row is X's.
REFUSED_BACKFILLS_MAX: Final = 2
RATE_LIMIT_S: Final = 60.0  # what X asks of who is not told when its window ends
BAD_REQUEST, FORBIDDEN, TOO_MANY, SERVER_ERROR = 400, 403, 429, 500
# Too slow a request; no rules, which the next attempt sets right; too many requests.
PASSING: Final = frozenset({408, 409, TOO_MANY})


class Following:
    """Keeps a connection to the stream, and hands its tweets on.

    Whatever ends a connection, the next one begins after a pause that grows, and asks X to send
    again what was missed. Only what no repetition mends is raised: X does not know the credentials,
    or does not take the rule.
    """

    def __init__(
        self, ask: Ask, access: XAccess, config: XConfig, *, keywords: tuple[str, ...]
    ) -> None:
        """`ask` asks the reader service, which keeps the books and knows the time."""
        self.status: ReaderStatus = "waiting"
        self._ask = ask
        self._access = access
        self._config = config
        self._rules = StreamRules(access, keywords, read_s_max=config.stall_s)
        self._intake = Intake(ask, window=config.window_tweets)
        self._backfill: Backfill = "on" if config.backfill_minutes_max else "off"
        self._refused_backfills = 0
        self._failures = 0
        self._plan = ConnectionPlan(backfill_minutes=0, now_us=0)
        # The loop's time, in seconds, when the plan was made and when progress was last noted.
        self._planned_s = 0.0
        self._noted_s = 0.0
        self._bad_line = b""
        self._bad_line_times = 0
        self._skipped: dict[bytes, None] = {}

    async def run(self) -> None:
        """Follow until cancelled. Raises XStatus and RuleRefused: what X will not have at all."""
        await self._access.base_url()
        try:
            while True:
                pause_s = await self._follow_once()
                self.status = "waiting"
                await asyncio.sleep(pause_s)
        finally:
            await self._intake.close()

    async def _follow_once(self) -> float:
        """Make a connection and follow it to its end; return how long to wait before the next."""
        self.status = "connecting"
        self._failures += 1
        no = None
        try:
            await self._connect()
        except XStatus as error:
            if not self._is_passing(error):
                raise
            no, reason = error, str(error)
        except (XUnreachable, UnreadableLine, Busy, DeadlineExceeded, StoreError) as error:
            reason = f"{type(error).__name__}: {error}"
        await self._intake.settle()
        if self._intake.has_news:
            self._failures = 1
        pause_s = await self._note_lost(no)
        log.warning(
            "stream lost", reason=reason, failures=self._failures, pause_s=round(pause_s, 3)
        )
        return pause_s

    async def _connect(self) -> NoReturn:
        """Follow one connection to its end, which is always an exception."""
        await self._rules.set_right()
        self._plan = await self._ask(PlanConnection(backfill=self._backfill))
        self._planned_s = self._noted_s = self._loop_s()
        self._intake.begin()
        connection = StreamConnection(
            self._access,
            stall_s=self._config.stall_s,
            on_open=self._on_open,
            on_line=self._on_line,
            on_keep_alive=self._on_keep_alive,
        )
        follow = connection.follow(backfill_minutes=self._plan.backfill_minutes)
        stream = asyncio.get_running_loop().create_task(follow)
        try:
            await asyncio.wait([stream, self._intake.failed], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stream.cancel()
            await asyncio.wait([stream])
        if self._intake.failed.done():
            self._intake.failed.result()
        raise stream.exception() or XUnreachable("the stream ended without a word")

    # --- What the connection says --------------------------------------------------------------

    async def _on_open(self) -> None:
        minutes = self._plan.backfill_minutes
        self._refused_backfills = 0
        message = NoteOpened(backfill=self._backfill, backfill_minutes=minutes)
        opened: Opened = await self._ask(message)
        self.status = "connected"
        log.info("stream open", backfill_minutes=minutes)
        if (gap := opened.gap) is not None:
            log.warning(
                "tweets may be missing",
                seconds=round((gap.to_us - gap.from_us) / 1_000_000, 3),
                reason=gap.reason,
                advice="GET /api/v1/reader lists every such gap",
            )

    async def _on_line(self, line: bytes) -> None:
        try:
            said = parse_line(line)
        except UnreadableLine as error:
            self._check_repeated(line, error)
            return
        if isinstance(said, StreamEnds):
            raise XUnreachable(f"X ends the stream: {said.detail}")
        await self._intake.take(said)
        await self._note_progress()

    async def _on_keep_alive(self) -> None:
        self._intake.has_news = True  # that there are none: X is there, and well
        self._intake.reached(self._now_us())
        await self._note_progress()

    def _check_repeated(self, line: bytes, error: UnreadableLine) -> None:
        """Pass over a line that always comes so. Raises UnreadableLine: it is to come again.

        The tweet in it is not lost by that: the next connection's backfill brings it.
        """
        if line in self._skipped:
            return
        self._intake.count_unreadable()
        self._bad_line_times = self._bad_line_times + 1 if line == self._bad_line else 1
        self._bad_line = line
        if self._bad_line_times < SAME_LINE_MAX:
            raise error
        log.error("line passed over", reason=str(error), times=self._bad_line_times)
        self._skipped[line] = None
        if len(self._skipped) > SKIPPED_LINES_MAX:
            del self._skipped[next(iter(self._skipped))]

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
        reset_s = no.reset_s if no is not None and is_limit else None
        message = NoteLost(
            failures=self._failures,
            progress=self._intake.progress(),
            retry_at_us=None if reset_s is None else reset_s * 1_000_000,
            retry_s=RATE_LIMIT_S if is_limit else 0.0,
        )
        try:
            pause: Pause = await self._ask(message)
        except (Busy, DeadlineExceeded, StoreError) as error:
            log.warning("stream's end not noted", reason=f"{type(error).__name__}: {error}")
            return self._config.reconnect_s_max
        return pause.pause_s

    def _now_us(self) -> int:
        """The time, from the plan's on; a little behind, which only makes for more backfill."""
        return self._plan.now_us + int((self._loop_s() - self._planned_s) * 1_000_000)

    def _loop_s(self) -> float:
        return asyncio.get_running_loop().time()

    # --- What X says instead -------------------------------------------------------------------

    def _is_passing(self, no: XStatus) -> bool:
        """Whether another attempt may end otherwise; one without backfill, where that is it."""
        if no.status in {BAD_REQUEST, FORBIDDEN} and self._plan.backfill_minutes > 0:
            self._refused_backfills += 1
            if self._refused_backfills >= REFUSED_BACKFILLS_MAX:
                self._backfill = "refused"
            return True
        return no.status in PASSING or not BAD_REQUEST <= no.status < SERVER_ERROR
