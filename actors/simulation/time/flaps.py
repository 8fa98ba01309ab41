"""Services that crash by themselves again and again, a while after each of their starts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# One more than a restart budget has.
CRASHES: Final = 6
# How long is waited for the last of them, in virtual seconds: a budget may be spent on the way, and
# who is parked is tried again after half a minute.
OVER_S_MAX: Final = 120.0
LOOK_S: Final = 1.0


class Flaps:
    """Which services of a machine do, how often they still will, and how long they are up."""

    def __init__(self, loop: asyncio.AbstractEventLoop, crash: Callable[[str], None]) -> None:
        """None does; `crash` lets one."""
        self._loop = loop
        self._crash = crash
        self._left: dict[str, int] = {}
        self._after_s: dict[str, float] = {}

    def begin(self, service: str, after_s: float) -> None:
        """Let it crash now, and so long after each start."""
        self._left[service], self._after_s[service] = CRASHES, after_s
        self._strike(service)

    def started(self, service: str) -> None:
        """Hear that it is up."""
        if service in self._left:
            self._loop.call_later(self._after_s[service], self._strike, service)

    async def over(self) -> None:
        """Wait until all are steady."""
        for _ in range(round(OVER_S_MAX / LOOK_S)):
            if not self._left:
                return
            await asyncio.sleep(LOOK_S)
        self._left.clear()

    # --- Inside ------------------------------------------------------------------------------

    def _strike(self, service: str) -> None:
        left = self._left.pop(service, 0)
        if left > 1:
            self._left[service] = left - 1
        if left:
            self._crash(service)
