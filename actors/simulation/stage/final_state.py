"""What a run has left: every row of every file, and where its generators of chance stand."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

from actors.kernel.rng import Rng
from actors.service.common_invariants import reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from actors.simulation.stage.trace import Trace

TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
# Bits that are drawn from each generator in the end: equal states, equal draws.
DRAWN_BITS: Final = 64


class NotedRng(Rng):
    """A generator that knows all that were forked from it, and from them."""

    family: list[NotedRng]

    @classmethod
    def root(cls, seed: int | str) -> NotedRng:
        """Return the first of a family."""
        return cls(seed).joined([])

    def fork(self, label: str) -> NotedRng:
        """As any generator; the new one is of the family."""
        return type(self)(f"{label}:{self.getrandbits(128):032x}").joined(self.family)

    def joined(self, family: list[NotedRng]) -> NotedRng:
        """Become the youngest of a family, and return itself."""
        self.family = family
        family.append(self)
        return self


def note_generators(trace: Trace, generators: Iterable[Rng]) -> None:
    """Add a line about the state of all of them, in their order; they are of no use afterwards."""
    drawn = [each.getrandbits(DRAWN_BITS) for each in generators]
    trace.add("generators", "", str(len(drawn)), drawn)


def tables_in(folder: Path) -> list[tuple[str, str, Any]]:
    """Return each table's service, what there is of it, and its rows in the order of its own key.

    Nobody writes to the files.
    """
    found: list[tuple[str, str, Any]] = []
    for path in sorted(folder.glob("*.db")):
        try:
            for table, rows in _tables(path):
                found.append((path.stem, f"{table}: {len(rows)} rows", rows))
        except sqlite3.Error as error:
            found.append((path.stem, f"{type(error).__name__}: {error}", None))
    return found


def note_tables(trace: Trace, tables: Iterable[tuple[str, str, Any]]) -> None:
    """Add a line a table, as `tables_in` returns them."""
    for service, what, rows in tables:
        trace.add("table", service, what, rows)


def _tables(path: Path) -> Iterator[tuple[str, list[Any]]]:
    with reading(path) as connection:
        for (table,) in connection.execute(TABLES).fetchall():
            name = table.replace('"', '""')
            every = f'SELECT * FROM "{name}"'  # noqa: S608
            try:
                yield table, connection.execute(every).fetchall()
            except sqlite3.OperationalError:
                # What is no text is told as the bytes that it is.
                connection.text_factory = _text
                yield table, connection.execute(every).fetchall()


def _text(stored: bytes) -> str:
    return stored.decode(errors="backslashreplace")
