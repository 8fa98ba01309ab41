"""Whether a change made a figure better, worse, or neither: in pairs, beside what noise does."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from tests.benchmarks.row import Spread, ratio, short

if TYPE_CHECKING:
    from collections.abc import Sequence

Verdict = Literal["better", "worse", "the same"]
HEAD: Final = ("", "before", "after", "after/before", "before/before", "margin", "")


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured; a change of less than its `margin`, a share, is none."""

    name: str
    more_is_better: bool = False
    margin: float = 0.03


RATE: Final = Figure(name="a second", more_is_better=True)
CPU_US: Final = Figure(name="CPU µs")
# Of one load in a hundred the tail is another: these wander.
P50_MS: Final = Figure(name="p50 ms", margin=0.05)
P99_MS: Final = Figure(name="p99 ms", margin=0.10)
SECONDS: Final = Figure(name="s", margin=0.05)
CPU_S: Final = Figure(name="CPU s")
MB: Final = Figure(name="MB", margin=0.02)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one row: of the same tree twice, and of the other one, round by round."""

    row: str
    figure: Figure
    before: Sequence[float]
    again: Sequence[float]
    after: Sequence[float]

    @property
    def change(self) -> Spread:
        """After, of before."""
        return ratio(self.after, self.before)

    @property
    def noise(self) -> Spread:
        """The same tree's second run, of its first: nothing has changed there."""
        return ratio(self.again, self.before)

    @property
    def margin(self) -> float:
        """The figure's own, and what two runs of the same tree differ by in half of the rounds."""
        differences = [
            abs(second / first - 1) for first, second in zip(self.before, self.again, strict=True)
        ]
        return self.figure.margin + median(differences)

    @property
    def verdict(self) -> Verdict:
        """What to say of the change."""
        change = self.change.median - 1
        if abs(change) <= self.margin:
            return "the same"
        return "better" if (change > 0) == self.figure.more_is_better else "worse"

    def cells(self) -> tuple[str, ...]:
        """Return a line of the table."""
        return (
            f"{self.row}, {self.figure.name}",
            short(median(self.before)),
            short(median(self.after)),
            str(self.change),
            str(self.noise),
            f"±{100 * self.margin:.1f} %",
            self.verdict,
        )
