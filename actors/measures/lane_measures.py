"""How long messages wait for their turn, and how many have it together."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from actors.measures.histogram import MESSAGES, SECONDS, Histogram

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Waiting(Protocol):
        """A message in a mailbox."""

        accepted_s: float


class LaneMeasures:
    """One lane's: `wait_s` from a message's acceptance until it was taken; `batches`' sizes."""

    __slots__ = ("batches", "wait_s")

    def __init__(self) -> None:
        """Nothing yet."""
        self.wait_s = Histogram(SECONDS)
        self.batches = Histogram(MESSAGES)

    def taken(self, batch: Sequence[Waiting], now_s: float) -> None:
        """Note that they were taken together at `now_s`, of the clock that says `accepted_s`."""
        self.batches.note(len(batch))
        counts, total = self.wait_s.counts, 0.0
        accepted_s, wait_s, place = now_s, 0.0, 0
        for each in batch:
            if each.accepted_s != accepted_s:  # else it came with the one before
                accepted_s = each.accepted_s
                wait_s = now_s - accepted_s
                place = bisect_left(SECONDS, wait_s)
            counts[place] += 1
            total += wait_s
        self.wait_s.total += total
