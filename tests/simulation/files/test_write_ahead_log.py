"""What is read of a log is what SQLite says of it, and what a power cut leaves SQLite recovers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from actors.simulation.files.write_ahead_log import LogEnd, after_cut, find_end

if TYPE_CHECKING:
    from pathlib import Path

    from actors.simulation.files.write_ahead_log import Loss

# Larger than a page: a transaction of several frames.
ROW = "x" * 10_000


def written(folder: Path, *, page_bytes: int = 4096) -> sqlite3.Connection:
    """Return a connection to a file in WAL mode that has a table."""
    folder.mkdir(exist_ok=True)
    connection = sqlite3.connect(folder / "a.db", isolation_level=None)
    connection.execute(f"PRAGMA page_size = {page_bytes}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (row TEXT)")
    return connection


def insert(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO t VALUES (?)", (ROW,))


@pytest.mark.parametrize("page_bytes", [512, 4096, 65536])
def test_the_end_is_where_sqlite_has_it(tmp_path: Path, page_bytes: int) -> None:
    """Read as a whole, or on from where it was known, from generation to generation."""
    log = tmp_path / "a.db-wal"
    with closing(written(tmp_path, page_bytes=page_bytes)) as connection:
        end = find_end(log)
        assert end.commits == 1
        # When all of it is in the database the next commit begins at the front.
        for is_new in (False, True):
            insert(connection)
            _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            known, end = end, find_end(log, end)
            assert end == find_end(log)
            assert end.frames == frames
            assert end.since(known).commits == 1
            assert (end.salts != known.salts) == is_new
        connection.execute("BEGIN")
        insert(connection)
        assert find_end(log, end) == end
        connection.execute("ROLLBACK")
    assert find_end(log) == LogEnd()


@pytest.mark.parametrize(
    ("loss", "rows"), [("keep", 3), ("lose", 1), ("stale", 1), ("garble", 1), ("tear", 1)]
)
def test_sqlite_recovers_what_was_synced(tmp_path: Path, loss: Loss, rows: int) -> None:
    """All of it, and nothing of what is gone, broken or another generation's."""
    there, here = tmp_path / "there", tmp_path / "here"
    here.mkdir()
    with closing(written(there)) as connection:
        insert(connection)
        synced = find_end(there / "a.db-wal")
        insert(connection)
        insert(connection)
        log = after_cut((there / "a.db-wal").read_bytes(), synced, loss)
        (here / "a.db").write_bytes((there / "a.db").read_bytes())
        (here / "a.db-wal").write_bytes(log)
    with closing(sqlite3.connect(here / "a.db")) as connection:
        assert connection.execute("SELECT row FROM t").fetchall() == [(ROW,)] * rows
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        insert(connection)
        connection.commit()
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (rows + 1,)
