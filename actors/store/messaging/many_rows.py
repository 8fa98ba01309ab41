"""Many rows by few statements: each costs a change of threads, which a row does not."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

# How many rows a statement takes. Few sizes, so that each stays prepared; and none for less, where
# reading a longer statement costs what it saves.
ROWS_SIZES: Final = (64, 16)
# From how many on a list of numbers is worth being read as one.
NUMBERS_MIN: Final = 16


class ManyRows:
    """One INSERT, for any number of rows."""

    def __init__(self, statement: str) -> None:
        """`statement` ends in VALUES and the marks of one row."""
        head, row = statement.rsplit(" VALUES ", 1)
        self._one = statement
        self._several = {size: f"{head} VALUES {', '.join([row] * size)}" for size in ROWS_SIZES}

    def insert(self, connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert the rows, in their order."""
        done, count = 0, len(rows)
        for size, statement in self._several.items():
            while count - done >= size:
                values = tuple(chain.from_iterable(rows[done : done + size]))
                connection.execute(statement, values)
                done += size
        if done < count:
            connection.executemany(self._one, rows[done:] if done else rows)
