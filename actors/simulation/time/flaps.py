"""Services that crash by themselves again and again: at once, and a while after each start."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# How long is waited for the last of them, in virtual seconds: a budget may be spent on the way, and
# who is parked is tried again after half a minute.
OVER_S_MAX: Final = 120.0
LOOK_S: Final = 1.0


class Flaps:
    """Which services of a machine do, how often they still will, and how long they are up."""

    def __init__(self, loop: asyncio.AbstractEventLoop, crash: Callable[[str], bool]) -> None:
        """None does; `crash` lets one, and says whether it was up to do so."""
        self._loop = loop
        self._crash = crash
        self._left: dict[str, int] = {}
        self._after_s: dict[str, float] = {}
        # The next crash of each: there is never more than one to come.
        self._next: dict[str, asyncio.TimerHandle] = {}

    def begin(self, service: str, times: int, after_s: float) -> None:
        """Let it crash so often: now, and so long after each start."""
        self._left[service], self._after_s[service] = times, after_s
        self._strike(service)

    def started(self, service: str) -> None:
        """Hear that it is up; what was to come of the start before is not."""
        if service in self._left:
            self._strike_later(service)

    async def over(self) -> None:
        """Wait until all are steady."""
        for _ in range(round(OVER_S_MAX / LOOK_S)):
            if not self._left:
                return
            await asyncio.sleep(LOOK_S)
        self.clear()

    def clear(self) -> None:
        """Let none crash any more."""
        for service in list(self._left):
            self._forget(service)

    # --- Inside ------------------------------------------------------------------------------

    def _strike(self, service: str) -> None:
        has_crashed = self._crash(service)
        left = self._left.get(service, 0) - has_crashed  # who saw it may have cleared all
        if left <= 0:
            self._forget(service)
            return
        self._left[service] = left
        if not has_crashed:  # nothing of it runs: no start need follow, to try again after
            self._strike_later(service)

    def _strike_later(self, service: str) -> None:
        if service in self._next:
            self._next[service].cancel()
        # On nobody's host, whoever says that it is up.
        self._next[service] = self._loop.call_later(
            self._after_s[service], self._strike, service, context=contextvars.Context()
        )

    def _forget(self, service: str) -> None:
        self._left.pop(service, None)
        timer = self._next.pop(service, None)
        if timer is not None:
            timer.cancel()
