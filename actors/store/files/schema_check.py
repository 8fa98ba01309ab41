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


def check_schema(schema: Path | str, owner: str) -> None:
    """Apply the schema of the service's class to nothing, as its store will to its first file.

    Raises SchemaError, which names the class, the file and the statement.
    """
    try:
        _try(load_migrations(schema), owner)
    except SchemaError as error:
        message = f"{owner}: {error}"
        raise SchemaError(message) from error


@lru_cache(maxsize=64)
def _try(migrations: tuple[Migration, ...], owner: str) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        # As a file of ours is opened: what a schema may not call there, it may not call here.
        connection.execute("PRAGMA trusted_schema = OFF")
        migrate(connection, owner, migrations, now_us=0)
