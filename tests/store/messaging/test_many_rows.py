"""However many rows there are, each is inserted once, in its order."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from actors.store.messaging.many_rows import ROWS_SIZES, ManyRows


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 63, 64, 65, 2 * 64 + 16 + 1])
def test_rows_are_inserted_in_their_order(count: int) -> None:
    """By no more statements than there are sizes, and rows beyond them."""
    rows = [(f"row {number}", None) for number in range(count)]
    said: list[str] = []
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE kept (seq INTEGER PRIMARY KEY, label TEXT, more TEXT)")
        connection.set_trace_callback(said.append)
        ManyRows("INSERT INTO kept (label, more) VALUES (?, ?)").insert(connection, rows)
        connection.set_trace_callback(None)
        assert connection.execute("SELECT label, more FROM kept ORDER BY seq").fetchall() == rows
    inserts = [each for each in said if each.startswith("INSERT")]
    large, small = ROWS_SIZES
    assert len(inserts) == count // large + count % large // small + count % small
