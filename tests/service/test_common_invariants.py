"""Who reads files at rest shares a connection, and finds it as if it were new."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from actors.service.common_invariants import all_at_rest, read_tables, reading

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_at_rest_is_opened_once(tmp_path: Path) -> None:
    """Each reader finds rows, texts and no transaction; afterwards each opens it for itself."""
    path = tmp_path / "room.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE room (id TEXT)")
        connection.execute("INSERT INTO room VALUES ('r')")
    with all_at_rest():
        with reading(path) as first:
            first.row_factory, first.text_factory = sqlite3.Row, bytes
        assert read_tables(path) == {"room": [{"id": "r"}]}
        with reading(path) as second:
            assert second is first
            assert not second.in_transaction
            assert second.execute("SELECT * FROM room").fetchall() == [("r",)]
    with reading(path) as third:
        assert third is not first


def test_what_stands_in_the_log_alone_is_read(tmp_path: Path) -> None:
    """Also beside a process that has the file open."""
    path = tmp_path / "room.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE room (id TEXT)")
        writer.execute("INSERT INTO room VALUES ('r')")
        assert read_tables(path) == {"room": [{"id": "r"}]}
