"""One line of the result: what was asked for, what was measured, and whether that is enough."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Sense = Literal["at least", "at most"]


class Spread(msgspec.Struct, frozen=True):
    """Several measurements of one thing: their median, and the range they were in."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises ValueError where there is nothing to spread."""
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{short(self.median)} ({short(self.low)} to {short(self.high)})"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """`judged` is held against `limit`, and is `spread`'s median unless `basis` says otherwise."""

    key: str
    name: str
    sense: Sense
    limit: float
    unit: str
    judged: float
    spread: Spread
    basis: str = "median"

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        if self.sense == "at least":
            return self.judged >= self.limit
        return self.judged <= self.limit

    @property
    def target(self) -> str:
        """The target as people write it."""
        return as_target(self.sense, self.limit, self.unit)

    @property
    def measured(self) -> str:
        """The judged figure, and all of the measurements."""
        judged = f"{short(self.judged)} {self.unit}"
        return f"{judged} ({self.basis}; {short(self.spread.low)} to {short(self.spread.high)})"


class Absent(msgspec.Struct, frozen=True, kw_only=True):
    """A row that could not be measured here, and why."""

    key: str
    name: str
    target: str
    why: str


def as_target(sense: Sense, limit: float, unit: str) -> str:
    """Return a target as people write it."""
    return f"{'≥' if sense == 'at least' else '≤'} {short(limit)} {unit}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Compare round by round: what disturbs the machine disturbs both halves of a round."""
    return Spread.of([mine / other for mine, other in zip(ours, theirs, strict=True)])


def at_percentile(values: Sequence[float], percent: float) -> float:
    """Return the measurement that `percent` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def short(value: float) -> str:
    """Three significant digits, and no more zeros than a person wants to read."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
