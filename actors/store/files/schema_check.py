"""A schema is tried before anything runs, on a database in memory: it ends where it was wrong."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING

from actors.errors import SchemaError
from actors.store.files.migrations import load_migrations, migrate

if TYPE_CHECKING:
    from pathlib import Path

    from actors.store.files.migrations import Migration


def check_schema(schema: Path, name: str) -> None:
    """Apply the schema of the service `name` to nothing, as its store will to its first file.

    Raises SchemaError, which names the service, the file and the statement.
    """
    try:
        _try(load_migrations(schema), name)
    except SchemaError as error:
        message = f"the schema of {name!r}: {error}"
        raise SchemaError(message) from error


@lru_cache(maxsize=64)
def _try(migrations: tuple[Migration, ...], name: str) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        # As a file of ours is opened: what a schema may not call there, it may not call here.
        connection.execute("PRAGMA trusted_schema = OFF")
        migrate(connection, name, migrations, now_us=0)
