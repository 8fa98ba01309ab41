"""A schema is tried before anything runs, on a database in memory: it ends where it was wrong."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from actors.errors import SchemaError
from actors.store.files.migrations import load_migrations, migrate
from actors.store.opening import STORE_MIGRATIONS

if TYPE_CHECKING:
    from pathlib import Path

    from actors.store.files.migrations import Migration


# The table that is there before any migration.
_BOOKKEEPING: Final = re.compile(r'table "?migration"? already exists', re.IGNORECASE)


def check_schema(schema: Path | str, owner: str) -> None:
    """Apply the schema of the service's class to nothing, as its store will to its first file.

    Raises SchemaError, which names the class, the file and the statement, or a table of the store's
    own, which is in the same file.
    """
    try:
        _try(load_migrations(schema), owner)
    except SchemaError as error:
        message = f"{owner}: {error}"
        raise SchemaError(message) from error


def columns_of(schema: Path | str) -> dict[str, frozenset[str]]:
    """Return the columns of each table that the schema leaves. Raises SchemaError."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        migrate(connection, "columns", load_migrations(schema), now_us=0)
        rows = connection.execute(
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c"
            " WHERE t.type = 'table' AND t.name <> 'migration' AND t.name NOT LIKE 'sqlite_%'"
        )
        found: dict[str, frozenset[str]] = {}
        for table, column in rows.fetchall():
            found[table] = found.get(table, frozenset()) | {column}
        return found


def _try(migrations: tuple[Migration, ...], owner: str) -> None:
    # Not upon the store's own: IF NOT EXISTS, or a DROP, would pass there, and be found too late.
    try:
        taken = _names(load_migrations(STORE_MIGRATIONS), "store") & _names(migrations, owner)
    except SchemaError as error:
        if not _BOOKKEEPING.search(str(error)):
            raise
        taken = frozenset({"migration"})
    if taken:
        message = f"schema: `{min(taken)}` is the framework's: call yours otherwise"
        raise SchemaError(message)


@lru_cache(maxsize=64)
def _names(migrations: tuple[Migration, ...], owner: str) -> frozenset[str]:
    """Return what the migrations leave: tables, indexes, triggers and views, in lower case."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        # As a file of ours is opened: what a schema may not call there, it may not call here.
        connection.execute("PRAGMA trusted_schema = OFF")
        migrate(connection, owner, migrations, now_us=0)
        names = connection.execute(
            "SELECT lower(name) FROM sqlite_schema"
            " WHERE name <> 'migration' AND name NOT LIKE 'sqlite_%'"
        )
        return frozenset(name for (name,) in names)
