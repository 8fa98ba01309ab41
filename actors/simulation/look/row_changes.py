"""What a commit has changed: the rows of a store's file now, beside those of the last look."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Row = tuple[Any, ...]

# What is written whenever a store is opened or made, and says nothing of a commit.
PASSED_OVER: Final = ("epoch", "former", "identity", "migration", "subscription")
# What the store keeps for itself: numbers that were given, keys, and what repeats the rest.
BOOKKEEPING: Final = ("channel", "client_key", "edge_key", "event", "inbox", "later")
# And what it keeps of messages that are still to be handled, or never will be.
MESSAGES: Final = ("dead_letter", "outbox", "timer")
TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid DESC"


class Table(msgspec.Struct, frozen=True):
    """Rows by their primary key, in its order, or by themselves where there is none."""

    columns: tuple[str, ...]
    rows: dict[Row, Row]


class RowChange(msgspec.Struct, frozen=True):
    """One row: new where it was nothing before, gone where it is nothing now."""

    table: str
    columns: tuple[str, ...]
    before: tuple[Any, ...] | None
    now: tuple[Any, ...] | None


def committed_tables(path: Path) -> dict[str, Table]:
    """Read what is committed in a store's file, the service's own tables first.

    Nothing of it is touched: nothing is checkpointed, and no file is made. Where it cannot be read,
    as when it is not there, nothing is in it.
    """
    # Without a log there is nobody who writes; with one, its index lies beside it.
    logged = path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.absolute().as_uri()}?{'mode=ro' if logged else 'immutable=1'}"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.text_factory = _text
            return dict(_tables(connection))
    except sqlite3.Error:
        return {}


def changes(before: dict[str, Table], now: dict[str, Table]) -> Iterator[RowChange]:
    """Yield the rows that differ, table by table."""
    for name, table in now.items():
        old = before[name].rows if name in before else {}
        for key in dict.fromkeys((*old, *table.rows)):
            was, is_now = old.get(key), table.rows.get(key)
            if was != is_now:
                yield RowChange(name, table.columns, was, is_now)


def _tables(connection: sqlite3.Connection) -> Iterator[tuple[str, Table]]:
    for (name,) in connection.execute(TABLES).fetchall():
        if name in PASSED_OVER or name.startswith("sqlite_"):
            continue
        quoted = name.replace('"', '""')
        # cid, name, type, not null, default, place in the primary key from 1; none is generated
        stored = connection.execute(f'PRAGMA table_info("{quoted}")').fetchall()
        found = connection.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608
        columns = tuple(each[0] for each in found.description)
        key = sorted((each[5], columns.index(each[1])) for each in stored if each[5])
        rows = {tuple(row[place] for _, place in key) or row: row for row in found}
        yield name, Table(columns, rows)


def _text(stored: bytes) -> str:
    return stored.decode(errors="backslashreplace")
