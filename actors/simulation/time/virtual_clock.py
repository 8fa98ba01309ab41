"""The clock of a simulation: the loop's time, and a wall clock that may jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# 2023-11-14 22:13:20 UTC, as ManualClock's: any fixed instant would do.
START_US = 1_700_000_000_000_000


class VirtualClock:
    """An `actors.kernel.clock.Clock` that reads what `elapsed_s` returns."""

    def __init__(self, elapsed_s: Callable[[], float], *, start_us: int = START_US) -> None:
        """`start_us` is the wall clock at zero, in microseconds since the epoch."""
        self._elapsed_s = elapsed_s
        self._offset_us = start_us
        # By how much it was set forward, in all: what was asked for before is too little by that.
        self.set_forward_us = 0
        self.was_set = False

    def now_us(self) -> int:
        """Wall-clock microseconds since the Unix epoch; steps as `step` says."""
        return self._offset_us + round(self._elapsed_s() * 1_000_000)

    def monotonic(self) -> float:
        """Seconds of virtual time since the simulation began."""
        return self._elapsed_s()

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back if negative; deadlines and timers do not notice."""
        self._offset_us += round(seconds * 1_000_000)
        self.was_set = True
        self.set_forward_us += max(round(seconds * 1_000_000), 0)
