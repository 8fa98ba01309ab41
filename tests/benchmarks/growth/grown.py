"""Figures by size, and whether they grow faster than the logarithm of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tests.benchmarks.result import Table
from tests.benchmarks.row import Row, Spread, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    # Size -> figure's name -> value.
    Grown = Mapping[int, Mapping[str, float]]


def table_of(title: str, what: str, grown: Grown) -> Table:
    """Return a line a size."""
    (names, *_) = (tuple(figures) for figures in grown.values())
    return Table(
        title=title,
        head=(what, *names),
        lines=[
            (f"{size:,}", *(short(figures[name]) for name in names))
            for size, figures in grown.items()
        ],
        is_spread=False,
    )


def cost_rows(key: str, what: str, grown: Grown, names: Sequence[str]) -> list[Row]:
    """Hold what one request costs at the largest size against the smallest: at most as the logs."""
    least, most = min(grown), max(grown)
    limit = math.log(most) / math.log(least)
    return [
        _row(
            f"{key}_{name}",
            f"{name}, {most:,} {what} to {least:,}",
            limit,
            [grown[most][name] / max(grown[least][name], 1e-9)],
        )
        for name in names
    ]


def marginal_rows(key: str, what: str, grown: Grown, names: Sequence[str]) -> list[Row]:
    """Hold what one more costs among the most against one more among the fewest, likewise.

    Of what each one must cost, as a file's memory, more of them cost more: one more no more.
    """
    sizes = sorted(grown)
    if len(sizes) < 3:
        return []
    few, some, most = sizes[0], sizes[-2], sizes[-1]
    limit = math.log(most) / math.log(some)

    def each(name: str, low: int, high: int) -> float:
        return (grown[high][name] - grown[low][name]) / (high - low)

    return [
        _row(
            f"{key}_{name}",
            f"{name} of one {what} more, {some:,} to {most:,}, to {few:,} to {some:,}",
            limit,
            [each(name, some, most) / max(each(name, few, some), 1e-9)],
        )
        for name in names
    ]


def _row(key: str, name: str, limit: float, values: Sequence[float]) -> Row:
    spread = Spread.of(values)
    return Row(
        key=key,
        name=name,
        sense="at most",
        limit=limit,
        unit="times",
        judged=spread.median,
        spread=spread,
        basis="of medians",
    )
