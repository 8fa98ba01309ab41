"""SQL's own clock is refused, whatever a schema's tables are called and its columns compute."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import Final

import pytest

from actors.simulation.errors import Escape
from actors.simulation.sealed.escapes import forbid
from actors.simulation.sealed.sql import seal, seal_dates

# Names that end as functions do, and every honest use of those.
SCHEMA: Final = """
CREATE TABLE candidate (id INTEGER PRIMARY KEY) STRICT;
CREATE TABLE datetime (at TEXT NOT NULL) STRICT;
CREATE TABLE stay (
    day TEXT NOT NULL CHECK (day = date(day)),
    month TEXT AS (strftime('%m', day)) STORED,
    made TEXT DEFAULT (datetime('now')),
    stamped TEXT DEFAULT CURRENT_TIMESTAMP
) STRICT;
CREATE INDEX stay_by_julian_day ON stay (julianday(day));
"""


def answer(sql: str) -> tuple[object, ...]:
    """Return the first row, as a store's connection has it in a simulation."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        connection.execute("PRAGMA trusted_schema = OFF")
        seal(connection)
        seal_dates(connection)
        with forbid(), suppress(sqlite3.Error):  # an escape that is suppressed is raised at the end
            row: tuple[object, ...] = connection.execute(sql).fetchone()
    return row


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT date('now')",
        "SELECT time('NOW', '+1 day')",
        "SELECT datetime()",
        "SELECT datetime('subsec')",
        "SELECT julianday(CAST('now' AS BLOB))",
        "SELECT unixepoch('now' || char(0) || 'adays')",
        "SELECT strftime('%s', 'now')",
        "INSERT INTO stay (day, stamped) VALUES ('2026-01-02', '')",
        "INSERT INTO stay (day, made) VALUES ('2026-01-02', '')",
    ],
)
def test_now_is_refused(sql: str) -> None:
    """In a statement, and in a column's default."""
    with pytest.raises(Escape, match=r"in SQL"):
        answer(sql)


def test_what_was_given_is_computed() -> None:
    """Dates of a statement's own, and of the schema's constraints, columns and indexes."""
    assert answer("SELECT date('2026-01-02', '+1 day')") == ("2026-01-03",)
    insert = "INSERT INTO stay (day, made, stamped) VALUES ('2026-01-02', '', '')"
    assert answer(f"{insert} RETURNING month") == ("01",)
