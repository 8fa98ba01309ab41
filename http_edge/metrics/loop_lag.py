"""How late the event loop is: all that is due, and all that clients wait for, comes so late."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from actors.measures.histogram import SECONDS, Histogram

if TYPE_CHECKING:
    from actors.kernel.clock import Clock


class LoopLag:
    """Looks every `period_s` seconds, once it has begun. A timer is up to a millisecond late."""

    def __init__(self, clock: Clock, period_s: float) -> None:
        """It does not look yet."""
        self.seconds = Histogram(SECONDS)
        self._clock = clock
        self._period_s = period_s
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look from now on, if it does not yet."""
        if self._timer is None:
            self._wait()

    def end(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._due_s = self._clock.monotonic() + self._period_s
        self._timer = asyncio.get_running_loop().call_later(self._period_s, self._look)

    def _look(self) -> None:
        self.seconds.note(max(0.0, self._clock.monotonic() - self._due_s))
        self._wait()
