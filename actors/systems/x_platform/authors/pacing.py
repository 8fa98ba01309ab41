"""When to do something that is to happen so often a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# Below this a loop's timer is not exact, and more at once is cheaper: they share a commit.
TICK_S_MIN: Final = 0.01


class Pacing:
    """Ticks at even distances; a tick that comes late moves all that follow, and none is made up.

    Between two ticks nothing is owed but the fraction of one that the rate leaves.
    """

    def __init__(self, rate_per_s: float, monotonic: Callable[[], float]) -> None:
        """`monotonic` is read in seconds. The first tick comes after one distance."""
        self._monotonic = monotonic
        self._tick_s = max(1.0 / rate_per_s, TICK_S_MIN)
        self._per_tick = rate_per_s * self._tick_s
        self._owed = 0.0
        self._next_s = monotonic() + self._tick_s

    def wait_s(self) -> float:
        """Return how long it is to the next tick."""
        return max(0.0, self._next_s - self._monotonic())

    def due(self) -> int:
        """Return how many are due at the tick that has come."""
        self._next_s = max(self._next_s + self._tick_s, self._monotonic())
        self._owed += self._per_tick
        count = int(self._owed)
        self._owed -= count
        return count
