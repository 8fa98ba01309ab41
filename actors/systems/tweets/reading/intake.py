"""Tweets that are read and not yet committed: few at once, and how far the committed ones reach."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

import structlog

from actors.errors import DeadLettered
from actors.kernel.messages import Refusal
from actors.systems.tweets.reading.reader_messages import Progress

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.systems.tweets.reading.reader_messages import TweetRead

    Commit = Callable[[TweetRead], Awaitable[bool | Refusal]]

log = structlog.get_logger()

# Ids known to be committed without asking the books: what a backfill at a fast pace sends again.
KNOWN_IDS_MAX: Final = 10_000


class Intake:
    """Hands tweets on to be committed, `window` at once, and knows up to where all of them are.

    Where one cannot be committed, `failed` is set, and the place stays before it: it must come
    again by a backfill. It belongs to one incarnation, and outlives its connections.
    """

    def __init__(self, commit: Commit, *, window: int) -> None:
        """`commit` returns, after its commit, whether the tweet is new."""
        self._commit = commit
        self._slots = asyncio.Semaphore(window)
        self._tasks: set[asyncio.Task[None]] = set()
        # In the order of the stream: when each was tweeted, and whether it is committed.
        self._order: deque[_Taken] = deque()
        self._known: dict[str, None] = {}
        self._buried: frozenset[str] = frozenset()
        # The latest of the tweets that were others' alone, in microseconds of the epoch.
        self._others_to_us = 0
        self._read_to_us: int | None = None
        self._duplicates = 0
        self._unreadable = 0
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Whether this connection has brought something that had not come before.
        self.has_news = False

    @property
    def idle(self) -> bool:
        """Whether everything taken is committed."""
        return not self._order

    def begin(self) -> None:
        """A new connection: what an earlier one could not commit is this one's to bring again."""
        assert not self._tasks, "the connection before has not been settled"
        self._order.clear()
        self.has_news = False
        if self.failed.done():
            self.failed = asyncio.get_running_loop().create_future()

    def bury(self, tweet_ids: frozenset[str]) -> None:
        """These are dead letters, and kept: sent again, each would crash its handler again."""
        self._buried = tweet_ids

    async def take(self, tweet: TweetRead) -> None:
        """Return once there is room for it; it is committed later, and in this order."""
        if tweet.external_id in self._known or tweet.external_id in self._buried:
            self._duplicates += 1
            return
        await self._slots.acquire()
        taken = _Taken(tweet.x.posted_at_us)
        self._order.append(taken)
        task = asyncio.get_running_loop().create_task(self._bring(tweet, taken))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def pass_over(self, posted_at_us: int) -> None:
        """A tweet that is others' alone has only its place in the order: nothing is committed.

        One later than all before it is news, for X sends; those of a backfill come again.
        """
        if posted_at_us > self._others_to_us:
            self._others_to_us = posted_at_us
            self.has_news = True
        if not self._order or not self._order[-1].committed:
            self._order.append(_Taken(posted_at_us, committed=True))
        else:  # in a row they are one: what waits for a slow commit stays bounded
            self._order[-1].posted_at_us = posted_at_us
        self._move_on()

    def reached(self, at_us: int) -> None:
        """All that had come by then is taken; that counts where all that is taken is committed."""
        if self.idle:
            self._read_to_us = max(self._read_to_us or at_us, at_us)

    def count_unreadable(self) -> None:
        """A line was damaged on its way, it seems."""
        self._unreadable += 1

    def progress(self) -> Progress:
        """Return what is new since the last time."""
        progress = Progress(
            read_to_us=self._read_to_us,
            duplicates=self._duplicates,
            unreadable=self._unreadable,
        )
        self._read_to_us = None
        self._duplicates = self._unreadable = 0
        return progress

    async def settle(self) -> None:
        """Wait until none is under way."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Leave those under way, whose service is ending; they may be committed all the same."""
        for task in self._tasks:
            task.cancel()
        await self.settle()

    # --- Inside ------------------------------------------------------------------------------

    async def _bring(self, tweet: TweetRead, taken: _Taken) -> None:
        try:
            reply = await self._commit(tweet)
        except DeadLettered as error:
            # It is kept, can be run again, and would end the same way each time X sent it.
            self._buried |= {tweet.external_id}
            log.error("tweet is a dead letter", tweet_id=tweet.external_id, letter=error.letter_id)  # noqa: TRY400
        except Exception as error:  # noqa: BLE001 - it is told by `failed`
            self._fail(error)
            return
        else:
            if isinstance(reply, Refusal):
                self._fail(RuntimeError(f"{tweet.external_id} was refused: {reply.detail}"))
                return
            self._remember(tweet.external_id)
            self.has_news = self.has_news or reply
        finally:
            self._slots.release()
        taken.committed = True
        self._move_on()

    def _move_on(self) -> None:
        while self._order and self._order[0].committed:
            self._read_to_us = self._order.popleft().posted_at_us

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)
            # Whoever reads the stream looks at it; should nobody, it is no loss.
            self.failed.exception()

    def _remember(self, tweet_id: str) -> None:
        self._known[tweet_id] = None
        if len(self._known) > KNOWN_IDS_MAX:
            del self._known[next(iter(self._known))]


class _Taken:
    __slots__ = ("committed", "posted_at_us")

    def __init__(self, posted_at_us: int, *, committed: bool = False) -> None:
        self.posted_at_us = posted_at_us
        self.committed = committed
