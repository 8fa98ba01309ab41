"""What nobody waits for gives way to what a client waits for: never for good, and visibly.

A share of the system's work is the background's while clients wait, as a weighted fair queue
gives it (A. Demers, S. Keshav, S. Shenker, "Analysis and Simulation of a Fair Queueing Algorithm",
SIGCOMM 1989), in slices: a commit of many messages costs little more than one of a single message.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import structlog

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from contextvars import Context

    from actors.config import BackgroundConfig

log = structlog.get_logger()

# How finely it is known how long the oldest has waited: a part of `lag_s_max`.
MARKS_MAX: Final = 100


class QueueStats(msgspec.Struct, frozen=True, kw_only=True):
    """What waits at the gate of one channel or service: `depth` messages, or timers due at once.

    The oldest came there some `lag_s` seconds ago.
    """

    name: str
    depth: int
    lag_s: float


class BackgroundStats(msgspec.Struct, frozen=True, kw_only=True):
    """The gate as an operator sees it: "open", or it "yields" to `requests`, for `since_s` seconds.

    `share` is the background's while it yields; `waiting` are those at the gate, by their turn.
    """

    state: Literal["open", "yields"]
    since_s: float
    share: float
    requests: int
    waiting: Sequence[QueueStats]


class BackgroundQueue:
    """One channel's or scheduler's place at the gate; what it has to send is numbered."""

    __slots__ = ("_marks", "depth", "name", "resume")

    def __init__(self, name: str, resume: Callable[[], None]) -> None:
        """`resume` is called when it is its turn again; it asks `take` how much may go."""
        self.name = name
        self.resume = resume
        self.depth = 0
        # Up to which number, and when that came here at the earliest.
        self._marks: deque[tuple[int, float]] = deque()

    def note(self, sent: int, last: int, now_s: float, precision_s: float) -> None:
        """Note that all after the number `sent`, up to `last`, waits."""
        self.depth = last - sent
        marks = self._marks
        while marks and marks[0][0] <= sent:
            marks.popleft()
        if marks and now_s - marks[-1][1] < precision_s:
            marks[-1] = (last, marks[-1][1])
        elif not marks or marks[-1][0] < last:
            marks.append((last, now_s))

    def lag_s(self, now_s: float) -> float:
        """Return how long the oldest has waited, while anything does."""
        return now_s - self._marks[0][1] if self._marks else 0.0


class BackgroundGate:
    """Lets background work through: all of it, or in slices while clients wait for answers.

    Clients count from their request until it has ended. While there are `requests_min` of them or
    more, and requests come or work for one of them goes on, a slice of `slice_messages` goes every
    slice_s / share seconds, to who waits, in turn. Where the machine is slow, it waits until
    requests, and messages for them, have had their share of the work as well; `slice_wait_s_max` at
    most. The share is `share_min` at least, and rises to all of it as the fullest queue nears its
    limit or the oldest message `lag_s_max`. Who waits for something that does not move holds
    nothing up: no slice waits for that, and after `stalled_s` the gate is open.
    """

    def __init__(
        self,
        config: BackgroundConfig,
        *,
        depth_max: int,
        stalled_s: float,
        loop: asyncio.AbstractEventLoop,
        ambient: Context,
    ) -> None:
        """A queue of `depth_max` is full."""
        self._config = config
        self._depth_max = depth_max
        self._stalled_s = stalled_s
        self._loop = loop
        self._ambient = ambient
        self._precision_s = config.lag_s_max / MARKS_MAX
        self.requests = 0
        # Requests that came, and steps that were made for one; and how many when it was last looked
        # at: by who has background work, so that where there is none this costs next to nothing.
        self._moves = self._seen = 0
        # The most requests at a time since then: between two rounds of answers there are none.
        self._peak = 0
        # When there was last something to give way to; None while the gate is open.
        self._busy_s: float | None = None
        self._since_s = loop.time()
        self._share = config.share_min
        # When it was last looked whether a slice is due, and how many moves there were then.
        self._looked_s = 0.0
        self._looked_moves = 0
        # What of the last one is left; when it came, and how many moves were made before it.
        self._left = 0
        self._sliced_s = 0.0
        self._sliced_moves = 0
        # In their turn.
        self._waiting: dict[BackgroundQueue, None] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._warned = False

    def entered(self) -> None:
        """Note that one more client waits."""
        self.requests += 1
        self._moves += 1
        if self.requests > self._peak:  # noqa: PLR1730 - the call costs an ask more
            self._peak = self.requests

    def left(self) -> None:
        """Note that one has its answer, or waits no more."""
        self.requests -= 1

    def hurried(self) -> None:
        """Note that work goes on for which a client waits."""
        self._moves += 1

    def take(self, queue: BackgroundQueue, wanted: int, *, sent: int, last: int) -> int:
        """Return how many of the `wanted` may go now, of those numbered `sent` + 1 to `last`.

        If it is fewer, `queue.resume` will be called.
        """
        if not self._yields():
            return wanted
        queue.note(sent, last, self._loop.time(), self._precision_s)
        if queue in self._waiting:
            return 0
        granted = min(wanted, self._left)
        self._left -= granted
        if granted < wanted:
            self._waiting[queue] = None
            self._come_back()
        return granted

    def holds(self, queue: BackgroundQueue) -> bool:
        """Whether it waits at the gate."""
        return queue in self._waiting

    def leave(self, queue: BackgroundQueue) -> None:
        """Forget the queue: its incarnation is over."""
        self._waiting.pop(queue, None)
        if not self._waiting and self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def stats(self) -> BackgroundStats:
        """Return a snapshot."""
        yields, now_s = self._yields(), self._loop.time()
        return BackgroundStats(
            state="yields" if yields else "open",
            since_s=round(now_s - self._since_s, 3),
            share=round(self._share, 3) if yields else 1.0,
            requests=self.requests,
            waiting=[
                QueueStats(name=each.name, depth=each.depth, lag_s=round(each.lag_s(now_s), 3))
                for each in self._waiting
            ],
        )

    # --- Inside ------------------------------------------------------------------------------

    def _yields(self) -> bool:
        """Whether clients come first now; notes where that begins, and where it ends."""
        requests_min = self._config.requests_min
        if self._busy_s is None and self._peak < requests_min:
            return False
        now_s = self._loop.time()
        was_crowded, self._peak = self._peak >= requests_min, self.requests
        if was_crowded and self._moves != self._seen:
            self._seen = self._moves
            if self._busy_s is None:
                self._since_s = now_s
                self._share = self._config.share_min
            self._busy_s = now_s
        if self._busy_s is None:
            return False
        # A commit takes its time, and with it all of their answers.
        crowded = self.requests >= requests_min
        if now_s - self._busy_s < (self._stalled_s if crowded else self._config.quiet_s):
            if self._share >= 1.0 and now_s >= self._sliced_s + self._config.slice_s:
                self._share = self._config.share_min  # who waits then says how full it is
            return self._share < 1.0
        self._busy_s = None
        self._since_s = now_s
        return False

    def _come_back(self) -> None:
        if self._handle is None:
            next_s = self._looked_s + self._config.slice_s / self._share
            delay_s = max(0.0, next_s - self._loop.time())
            self._handle = self._loop.call_later(delay_s, self._slice, context=self._ambient)

    def _slice(self) -> None:
        self._handle = None
        now_s = self._looked_s = self._loop.time()
        yields = self._yields()
        share = self._fair_share(now_s)
        is_due = self._is_due(now_s, share)
        self._looked_moves = self._moves
        if yields and share < 1.0 and not is_due:
            self._come_back()
            return
        self._share = share
        self._sliced_s = now_s
        self._sliced_moves = self._moves
        if not (yields and share < 1.0):
            waiting, self._waiting = self._waiting, {}
            for queue in waiting:
                queue.resume()
            return
        self._left = self._config.slice_messages
        while self._waiting and self._left:
            queue = next(iter(self._waiting))
            del self._waiting[queue]
            queue.resume()
        if self._waiting:
            self._come_back()

    def _is_due(self, now_s: float, share: float) -> bool:
        """Whether clients have had their part since the last slice, need none, or it was long ago.

        Where nothing has moved since the last look, they wait for something else; which may be what
        waits here, as urgency is lost where a service has died.
        """
        if now_s >= self._sliced_s + self._config.slice_wait_s_max:
            return True
        if self._moves == self._looked_moves:
            return True
        moves = self._moves - self._sliced_moves
        return moves * share >= self._config.slice_messages * (1.0 - share)

    def _fair_share(self, now_s: float) -> float:
        config = self._config
        depth = max([each.depth for each in self._waiting], default=0)
        lag_s = max([each.lag_s(now_s) for each in self._waiting], default=0.0)
        if lag_s < config.lag_s_max:
            self._warned = False
        elif not self._warned:
            self._warned = True
            log.warning(
                "background work waits",
                lag_s=round(lag_s, 1),
                queues=[each.name for each in self._waiting],
                requests=self.requests,
                advice="more requests come than leave time for what follows from them; from now on "
                "it goes beside them: see /admin/background and background.lag_s_max",
            )
        return min(1.0, max(config.share_min, depth / self._depth_max, lag_s / config.lag_s_max))
