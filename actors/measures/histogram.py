"""How often a value fell between which bounds."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

# 1, 2.5 and 5 of each power of ten, as Prometheus' own defaults: from below what a query takes to
# twice `edge.deadline_s`, beyond which nobody waits. Between two of them a quantile is a guess.
SECONDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
# Up to `service.batch_messages_max`: a commit costs much the same for one message as for two.
MESSAGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """Counts values up to each bound, that itself included, and beyond the last; and their sum.

    One thread notes. Another that reads meanwhile may find a value in one of the two already.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Nothing yet; the bounds rise."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        """Count it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, other: Histogram) -> None:
        """Count all that the other one, of the same bounds, has counted."""
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.total += other.total
