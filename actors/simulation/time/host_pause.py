"""Nothing runs on a host for a while: SIGSTOP, a long collection, a machine that sleeps."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.simulation.time.loop import SimulationLoop


class HostPause:
    """A host's pauses, one inside the other or after the other: the latest end counts."""

    def __init__(self, loop: SimulationLoop, host: str, ended: Callable[[], None]) -> None:
        """It runs; `ended` is called at the end of each, but of one that is cut short."""
        self._loop = loop
        self._host = host
        self._ended = ended
        self._runs = asyncio.Event()
        self._runs.set()
        self._until_s = 0.0
        self._afterwards: list[Callable[[], None]] = []

    @property
    def lasts(self) -> bool:
        """Whether nothing runs there now."""
        return not self._runs.is_set()

    def begin(self, seconds: float) -> None:
        """Let nothing run there for so long."""
        self._runs.clear()
        self._loop.pause(self._host)
        self._until_s = max(self._until_s, self._loop.time() + seconds)
        # On nobody's host.
        self._loop.call_at(self._until_s, self._end, context=contextvars.Context())

    def cut_short(self) -> None:
        """Let all run now that is left of it; what was to be done afterwards is not."""
        self._afterwards.clear()
        self._go_on()

    def afterwards(self, action: Callable[[], None]) -> None:
        """Do it when it is over: now, where there is none."""
        if self.lasts:
            self._afterwards.append(action)
        else:
            action()

    async def over(self) -> None:
        """Wait until it runs."""
        await self._runs.wait()

    def _end(self) -> None:
        if self.lasts and self._until_s <= self._loop.time():
            self._go_on()
            self._ended()
            actions, self._afterwards = self._afterwards, []
            for action in actions:
                action()

    def _go_on(self) -> None:
        self._until_s = 0.0
        self._loop.go_on(self._host)
        self._runs.set()
