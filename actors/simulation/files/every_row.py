"""Every row of every file of a folder, whoever uses it meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"


def every_row(folder: Path) -> dict[tuple[str, str], list[Any]]:
    """Return them by file and table. Nothing is written, nor is any log put into its file."""
    found = {}
    for path in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            for (table,) in connection.execute(TABLES).fetchall():
                every = f'SELECT * FROM "{table}"'  # noqa: S608 - a schema's own name
                found[path.name, table] = connection.execute(every).fetchall()
    return found
