"""One candidate held against another of the same rounds: as a value, so that a suite lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.benchmarks.row import Absent, Row, Sense, Spread, as_target, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.load_rounds import LoadRounds

FIELDS = {"per_second": "the rate", "cpu_us": "the CPU", "p99_ms": "the p99"}


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The candidate `mine` is to have at least, or at most, so much of what `other` has."""

    key: str
    mine: str
    other: str
    limit: float
    field: str = "per_second"
    sense: Sense = "at least"

    @property
    def _unit(self) -> str:
        return f"times {FIELDS[self.field]}"

    def row(self, rounds: LoadRounds) -> Row:
        """Return its row in these rounds; both candidates must be among them."""
        times = ratio(rounds.series(self.mine, self.field), rounds.series(self.other, self.field))
        return Row(
            key=rounds.placement.mark(self.key),
            name=rounds.placement.label(f"{self.mine}, to {self.other}"),
            sense=self.sense,
            limit=self.limit,
            unit=self._unit,
            judged=times.median,
            spread=times,
        )

    def absent(self, rounds: LoadRounds, why: str) -> Absent:
        """Return what stands in its place where the other could not be measured."""
        return Absent(
            key=rounds.placement.mark(self.key),
            name=rounds.placement.label(f"{self.mine}, to {self.other}"),
            target=as_target(self.sense, self.limit, self._unit),
            why=why,
        )


def rows_of(comparisons: Sequence[Comparison], measured: Sequence[LoadRounds]) -> list[Row]:
    """Return the rows of those whose candidates were measured."""
    return [
        each.row(rounds)
        for rounds in measured
        for each in comparisons
        if each.other in rounds.samples
    ]


def absent_of(
    comparisons: Sequence[Comparison], measured: Sequence[LoadRounds], why: str | None
) -> list[Absent]:
    """Return the others, each with the reason."""
    return [
        each.absent(rounds, why or "not measured")
        for rounds in measured
        for each in comparisons
        if each.other not in rounds.samples
    ]


def at_most(key: str, name: str, values: Spread, limit: float, unit: str) -> Row:
    """Return a row of a figure that stands alone and is better the lower it is."""
    return Row(
        key=key,
        name=name,
        sense="at most",
        limit=limit,
        unit=unit,
        judged=values.median,
        spread=values,
    )
