"""The timers of a loop: those of one instant in the order they were made."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections import deque

# More than this many cancelled timers, and half of all, are swept at once.
_SWEEP_MIN = 128


class Timetable:
    """A heap of timers; cancelled ones stay until they come up or are too many."""

    def __init__(self) -> None:
        # By their time, then by their rank, then as they were made.
        self._timers: list[tuple[float, int, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._cancelled = 0
        # Whether what is ready goes on to its end, whatever is due meanwhile.
        self.held = False
        # How often something came in before its time.
        self.early = 0

    def __len__(self) -> int:
        return len(self._timers)

    def add(self, when_s: float, handle: asyncio.TimerHandle) -> None:
        """Keep `handle` until `when_s`."""
        self._count += 1
        # Never is not a time to jump to: who waits for it alone is deadlocked.
        if when_s < math.inf:
            heapq.heappush(self._timers, (when_s, self._rank(), self._count, handle))

    def cancelled(self) -> None:
        """Hear that a timer was cancelled, which may have run already."""
        self._cancelled += 1
        if self._cancelled > max(_SWEEP_MIN, len(self._timers) // 2):
            self._timers = [each for each in self._timers if not each[-1].cancelled()]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def next_s(self) -> float | None:
        """Return when the first timer is due, or nothing if there is none."""
        timers = self._timers
        while timers and timers[0][-1].cancelled():
            heapq.heappop(timers)
            self._forget_cancelled()
        return timers[0][0] if timers else None

    def move_due(self, now_s: float, ready: deque[asyncio.Handle]) -> float:
        """Append to `ready` what comes in: all that is due. Return what time it is then."""
        timers = self._timers
        while timers and timers[0][0] <= now_s:
            handle = heapq.heappop(timers)[-1]
            if handle.cancelled():
                self._forget_cancelled()
            else:
                ready.append(handle)
        return now_s

    def live(self) -> list[asyncio.TimerHandle]:
        """Return those that are to come, in no order."""
        return [each[-1] for each in self._timers if not each[-1].cancelled()]

    def clear(self) -> None:
        """Forget all."""
        self._timers.clear()

    def _rank(self) -> int:
        return 0

    def _forget_cancelled(self) -> None:
        self._cancelled = max(0, self._cancelled - 1)
