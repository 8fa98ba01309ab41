"""OTP's restart intensity: how many restarts within a period are too many."""

from __future__ import annotations

from collections import deque


class RestartWindow:
    """Allows `intensity` restarts within any `period_s` seconds, both ends included."""

    def __init__(self, intensity: int, period_s: float) -> None:
        """Start with the whole budget."""
        self._intensity = intensity
        self._period_s = period_s
        self._restarts: deque[float] = deque()

    def spend(self, now_s: float) -> bool:
        """Count a restart at `now_s`; False where that is one more than allowed.

        As `add_restart` in OTP's supervisor.erl: a restart exactly `period_s` ago still counts.
        """
        self._restarts.append(now_s)
        while self._restarts[0] < now_s - self._period_s:
            self._restarts.popleft()
        if len(self._restarts) <= self._intensity:
            return True
        self._restarts.popleft()  # never more than intensity + 1 are kept
        return False

    def reset(self) -> None:
        """Give the whole budget back."""
        self._restarts.clear()
