"""What a suite hands back: judged rows, and the tables they were judged from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.benchmarks.row import Absent, Row  # noqa: TC001 - decoded by its type, in the smoke test

if TYPE_CHECKING:
    from collections.abc import Sequence


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Figures behind the rows."""

    title: str
    head: tuple[str, ...]
    lines: list[tuple[str, ...]]
    # Whether a figure is a median with its range.
    is_spread: bool = True


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in the order of the issue, then those that are `absent`.

    `notes` stand beside what is said of the machine.
    """

    rows: list[Row]
    tables: list[Table]
    notes: dict[str, str] = {}
    absent: list[Absent] = []


def joined(found: Sequence[Result]) -> Result:
    """Return all of them as one."""
    return Result(
        rows=[row for result in found for row in result.rows],
        tables=[table for result in found for table in result.tables],
        notes={name: note for result in found for name, note in result.notes.items()},
        absent=[each for result in found for each in result.absent],
    )
