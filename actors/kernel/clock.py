"""The one source of time. `command_line.py` makes it; everything else is handed it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What time it is. Virtual in a simulation, so nothing else may call `time`."""

    def now_us(self) -> int:
        """Wall-clock time: microseconds since the Unix epoch. May step backwards."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes backwards. For deadlines and budgets."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_us(self) -> int:
        """Wall-clock microseconds since the Unix epoch."""
        return time.time_ns() // 1000

    # As it is, and not in a method of ours around it: a message asks some five times.
    monotonic = staticmethod(time.monotonic)


class ManualClock:
    """A clock for tests: it moves when told to."""

    def __init__(self, *, now_us: int = 1_700_000_000_000_000) -> None:
        """Start at `now_us` (microseconds since the epoch) and monotonic zero."""
        self._start_us = now_us
        self._elapsed_s = 0.0

    def now_us(self) -> int:
        """Wall-clock microseconds since the Unix epoch."""
        return self._start_us + int(self._elapsed_s * 1_000_000)

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move both readings forward by `seconds`."""
        self._elapsed_s += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock forward by `seconds`, or back; the monotonic one does not notice."""
        self._start_us += int(seconds * 1_000_000)
