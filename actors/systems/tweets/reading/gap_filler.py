"""Fills gaps, beside the stream: asks X for what was tweeted then, by recovery or search."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog

from actors.errors import Busy, DeadlineExceeded, StoreError
from actors.systems.tweets.reading.odd_line import keep, read_line
from actors.systems.tweets.reading.reader_messages import (
    FillPlan,
    NoteFound,
    NoteNotFilled,
    PlanFilling,
    TweetRead,
)
from actors.systems.tweets.reading.stream_line import UnreadableLine
from actors.systems.tweets.x.pauses import Pause
from actors.systems.tweets.x.stream_adapter import StreamAdapter
from actors.systems.tweets.x.tweet_ids import ID_TICK_US, first_id_at, made_at_us
from actors.systems.tweets.x.x_client import Search
from actors.systems.tweets.x.x_errors import XError, XStatus, XStreamClosed, XUnreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from actors.kernel.messages import Message
    from actors.systems.tweets.config import XConfig
    from actors.systems.tweets.reading.reader_messages import OpenGap
    from actors.systems.tweets.x.access import XAccess

    Ask = Callable[[Message], Awaitable[Any]]

log = structlog.get_logger()

SECOND_US: Final = 1_000_000
# Between two pages: what comes by the stream goes first.
PAGE_PAUSE_S: Final = 0.1
# A plan that lacks the search may be another one tomorrow.
REFUSED_S_MAX: Final = 21_600.0
BATCH_TWEETS: Final = 100
TOO_MANY: Final = 429
BROKEN: Final = 500


class GapFiller:
    """Fills the oldest gap first; interrupted, it goes on where it was committed.

    Whatever X says to it, the stream is another matter: nothing is raised.
    """

    def __init__(self, ask: Ask, access: XAccess, config: XConfig, *, query: str) -> None:
        """`query` is the reader's rule, which the search takes as it is."""
        self._ask = ask
        self._config = config
        self._search = Search(access, query, read_s_max=config.stall_s)
        self._stream = StreamAdapter(access, stall_s=config.stall_s)
        self._pause = Pause("gaps", s_min=config.gap_retry_s, s_max=REFUSED_S_MAX)
        self._turns = GapWait(config.gap_wait_s)
        self._news = asyncio.Event()
        # Which gap was searched last, as it was then, and the oldest tweet that was found.
        self._searched: tuple[tuple[int, int], int] | None = None

    def wake(self) -> None:
        """There may be a gap that was not there before."""
        self._news.set()

    async def run(self) -> NoReturn:
        """Fill whatever is open, for as long as the incarnation lives."""
        while True:
            self._news.clear()
            try:
                plan: FillPlan = await self._ask(PlanFilling())
                now_s = asyncio.get_running_loop().time()
                gap, wait_s = self._turns.choose(plan.gaps, now_s)
                if gap is None:
                    await self._wait(wait_s)
                    continue
                await self._fill(gap)
            except (XError, UnreadableLine) as no:
                await self._put_off(no)
            except (Busy, DeadlineExceeded, StoreError) as error:
                log.warning("gap not filled yet", reason=f"{type(error).__name__}: {error}")
                await asyncio.sleep(self._config.reconnect_s_max)
            else:
                self._pause.clear()

    async def _wait(self, wait_s: float | None) -> None:
        """Until there may be a gap, or one is ready; also for what somebody else has noted."""
        most_s = self._config.gap_retry_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s if wait_s is None else min(wait_s, most_s)):
                await self._news.wait()

    async def _put_off(self, no: Exception) -> None:
        wait_s = None  # where X has said no, longer each time
        if isinstance(no, XStatus) and no.status == TOO_MANY:
            wait_s = no.wait_s
        elif isinstance(no, XUnreachable) or (isinstance(no, XStatus) and no.status >= BROKEN):
            wait_s = self._config.gap_retry_s
        pause_s = self._pause.bar(str(no), wait_s)
        log.warning("gap not filled yet", reason=str(no), again_s=round(pause_s, 3))
        try:
            await self._ask(NoteNotFilled(why_not=str(no)))
        except (Busy, DeadlineExceeded, StoreError) as error:
            log.warning("gap's trouble not noted", reason=f"{type(error).__name__}: {error}")
        await asyncio.sleep(pause_s)

    async def _fill(self, gap: OpenGap) -> None:
        if gap.by == "stream":
            try:
                await self._recover(gap)
            except XStatus as no:  # such as: one connection is all that the plan has
                log.warning("stream does not recover", reason=str(no))
                gap = gap.of_search()
            else:
                return
        await self._look_for(gap)

    # --- By search -----------------------------------------------------------------------------

    async def _look_for(self, gap: OpenGap) -> None:
        """Page by page, the latest first; each is committed before the next is asked for.

        What was read last is known by its id: where a tick of X's clock holds more than may be
        asked for until X refuses, a search that began there anew had no end. The books go by the
        tick: who is started anew looks at all of it again.
        """
        token: str | None = None
        which = (gap.seq, gap.grown)
        since_id = first_id_at(gap.from_us) - 1
        until_id = None if gap.to_us is None else first_id_at(gap.to_us + ID_TICK_US)
        if self._searched is not None and self._searched[0] == which:
            until_id = self._searched[1]
        while True:
            page = await self._search.page(since_id=since_id, until_id=until_id, token=token)
            tweets = await self._tweets(page.lines)
            oldest = min((each.external_id for each in tweets), key=int, default=None)
            oldest_us = None if oldest is None else made_at_us(oldest)
            token = page.next_token
            await self._ask(
                NoteFound(gap=gap, tweets=tweets, to_us=oldest_us, is_whole=token is None)
            )
            if oldest is not None:
                self._searched = (which, int(oldest))
            if token is None:
                log.info("gap filled", by=gap.by, since=_second(gap.from_us).isoformat())
                return
            await asyncio.sleep(PAGE_PAUSE_S)

    async def _tweets(self, lines: list[bytes]) -> tuple[TweetRead, ...]:
        found = []
        for line in lines:
            try:
                said = read_line(line)
            except UnreadableLine as error:
                await self._ask(keep(line, str(error), from_search=True))
                continue
            if isinstance(said, TweetRead):
                found.append(said)
        return tuple(found)

    # --- By the stream's recovery ----------------------------------------------------------------

    async def _recover(self, gap: OpenGap) -> None:
        """The oldest come first, and then X closes. Raises XStatus where X does not do it."""
        batch: list[TweetRead] = []

        async def commit(*, is_whole: bool) -> None:
            newest_us = max((each.x.posted_at_us for each in batch), default=None)
            tweets = tuple(batch)
            batch.clear()
            await self._ask(NoteFound(gap=gap, tweets=tweets, from_us=newest_us, is_whole=is_whole))

        until = _second((gap.end_us if gap.to_us is None else gap.to_us) + SECOND_US)
        said = self._stream.follow(since=_second(gap.from_us), until=until)
        try:
            async with aclosing(said):
                async for each in said:
                    if isinstance(each, bytes):
                        batch.extend(await self._tweets([each]))
                    if len(batch) >= BATCH_TWEETS:
                        await commit(is_whole=False)
        except XStreamClosed:
            await commit(is_whole=True)
            log.info("gap filled", by=gap.by)
        except XUnreachable:
            await commit(is_whole=False)
            raise


class GapWait:
    """A gap has its turn once it has stood as it is for `wait_s`, by a clock that nobody sets."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        # Since when each is known as it is: by its number, and how often it has grown.
        self._since_s: dict[tuple[int, int], float] = {}

    def choose(self, gaps: Iterable[OpenGap], now_s: float) -> tuple[OpenGap | None, float | None]:
        """Return the first that may be asked for; else in how many seconds there is one."""
        known = {(gap.seq, gap.grown): gap for gap in gaps}
        self._since_s = {each: self._since_s.get(each, now_s) for each in known}
        for each, gap in known.items():
            if now_s >= self._since_s[each] + self._wait_s:
                return gap, None
        waits = [since_s + self._wait_s - now_s for since_s in self._since_s.values()]
        return None, min(waits, default=None)


def _second(us: int) -> dt.datetime:
    """Return the whole second before, as X takes times."""
    return dt.datetime.fromtimestamp(us // SECOND_US, tz=dt.UTC)
