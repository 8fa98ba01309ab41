"""When nothing of the process has run: nothing of that time is its own doing."""

from __future__ import annotations

import math


class Standstills:
    """Spans of the monotonic clock in which the process was paused."""

    def __init__(self) -> None:
        """It runs."""
        self._spans: list[tuple[float, float]] = []

    def begin(self, now_s: float) -> None:
        """Hear that it is paused from now on, if it was not yet."""
        if not self._spans or self._spans[-1][1] < math.inf:
            self._spans.append((now_s, math.inf))

    def end(self, now_s: float) -> None:
        """Hear that it runs again."""
        begun_s, _ = self._spans[-1]
        self._spans[-1] = (begun_s, now_s)

    def within(self, since_s: float, now_s: float) -> float:
        """Return how long it was paused between these two, in seconds."""
        return sum(
            max(0.0, min(ended_s, now_s) - max(begun_s, since_s))
            for begun_s, ended_s in self._spans
        )
