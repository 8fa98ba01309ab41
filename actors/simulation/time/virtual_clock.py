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
        # And each time: what it said before, and by how much.
        self.set_forward_us = 0
        self.forward_us: list[tuple[int, int]] = []
        # By how much it was set back, in all: what it has said first may have been later.
        self.set_back_us = 0
        # The latest that it had said when it was set.
        self._latest_us = start_us

    def now_us(self) -> int:
        """Wall-clock microseconds since the Unix epoch; steps as `step` says."""
        return self._offset_us + round(self._elapsed_s() * 1_000_000)

    @property
    def behind_us(self) -> int:
        """How long it takes until it says again what it has said before, in microseconds."""
        return max(0, self._latest_us - self.now_us())

    def monotonic(self) -> float:
        """Seconds of virtual time since the simulation began."""
        return self._elapsed_s()

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back if negative; deadlines and timers do not notice."""
        self._latest_us = max(self._latest_us, self.now_us())
        step_us = round(seconds * 1_000_000)
        if step_us > 0:
            self.forward_us.append((self.now_us(), step_us))
            self.set_forward_us += step_us
        else:
            self.set_back_us -= step_us
        self._offset_us += step_us
