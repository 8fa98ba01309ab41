"""What a cached query costs beside its query: a cache that does not beat it is to be left off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.benchmarks.placement import FREE
from tests.benchmarks.probe import run_probe
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Row, Spread, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.effort import Effort

# By a question's name, and what is measured of it.
COLUMNS = ("µs until the answer", "CPU µs", "CPU µs, 64 under way")


def run_cache_suite(effort: Effort) -> Result:
    """Measure a service's questions, in one process, without HTTP."""
    samples = run_probe(
        "cached_queries", "uvloop", FREE.server, rounds=effort.rounds, count=effort.questions
    )
    asked = {what: ways for what, ways in samples.items() if "kept_in_vain" in ways}
    searched = {what: ways for what, ways in samples.items() if what not in asked}
    rows = [row for number, what in enumerate(asked) for row in _rows(number, what, asked[what])]
    searches = Table(
        title="Searches for free rooms while some are booked",
        head=("searches", "CPU µs, read", "CPU µs, kept", "known, %"),
        lines=[
            (
                what,
                str(Spread.of([each[0] for each in ways["read"]])),
                str(Spread.of([each[0] for each in ways["kept"]])),
                str(Spread.of([100 * each[1] for each in ways["kept"]])),
            )
            for what, ways in searched.items()
        ],
    )
    return Result(rows=rows, tables=[_table(asked), searches])


def _rows(number: int, what: str, ways: dict[str, list[list[float]]]) -> Iterator[Row]:
    for column, (key, name) in {0: ("p50", "time"), 2: ("cpu", "CPU")}.items():
        kept, read = ([each[column] for each in ways[way]] for way in ("kept", "read"))
        share = ratio(kept, read)
        spread = Spread(*(100 * part for part in (share.median, share.low, share.high)))
        yield Row(
            key=f"cached_{number}_{key}",
            name=f"{what}: cached query, of its query's {name}",
            sense="at most",
            limit=100,
            unit="%",
            judged=spread.median,
            spread=spread,
        )


def _table(asked: dict[str, Any]) -> Table:
    lines: list[tuple[str, ...]] = []
    for what, ways in asked.items():
        for way, rounds in ways.items():
            figures = [str(Spread.of(list(column))) for column in zip(*rounds, strict=True)]
            lines.append((f"{what}, {way.replace('_', ' ')}", *figures))
    return Table(title="Cached queries", head=("question", *COLUMNS), lines=lines)
