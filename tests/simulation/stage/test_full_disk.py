"""Where a full disk strikes: at the write that was named or, at the latest, at the commit."""

from __future__ import annotations

import sqlite3

import pytest

from actors.simulation.files.failing_connections import FAILURES, BrokenCommit, FullDisk


@pytest.mark.parametrize(("writes", "written"), [(1, 0), (2, 1), (3, 3), (0, 3)])
def test_there_is_no_room_at_a_write_or_at_the_commit(writes: int, written: int) -> None:
    """What is read, begun or rolled back needs none; many rows at once are one write."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE row (value INTEGER)")
    full = FullDisk(connection, writes)
    with pytest.raises(sqlite3.OperationalError, match="full") as raised:
        _fill(full)
    assert raised.value.sqlite_errorcode == sqlite3.SQLITE_FULL
    assert full.execute("SELECT count(*) FROM row").fetchone() == (written,)
    full.execute("ROLLBACK")
    connection.close()


@pytest.mark.parametrize("failure", FAILURES)
def test_what_a_disk_says_is_told_as_it_is(failure: tuple[int, str, str]) -> None:
    """Where it fails, SQLite has rolled back by itself."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE row (value INTEGER)")
    with pytest.raises(sqlite3.OperationalError, match=failure[2]) as raised:
        _fill(FullDisk(connection, 0, failure))
    assert (raised.value.sqlite_errorcode, raised.value.sqlite_errorname) == failure[:2]
    assert connection.in_transaction is (failure[1] != "SQLITE_IOERR_WRITE")
    connection.close()


def test_a_commit_that_breaks_names_nobody() -> None:
    """All of a batch, and then the one that is to blame alone."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    broken = BrokenCommit(connection, 1, sqlite3.IntegrityError("of a constraint"))
    failed = []
    for number in range(4):
        broken.execute("BEGIN")
        try:
            broken.execute("COMMIT")
        except sqlite3.IntegrityError:
            failed.append(number)
            broken.execute("ROLLBACK")
    assert failed == [0, 2]
    connection.close()


def _fill(full: FullDisk) -> None:
    """Write twice, and commit."""
    full.execute("BEGIN")
    full.execute("INSERT INTO row VALUES (?)", (1,))
    full.executemany("INSERT INTO row VALUES (?)", [(2,), (3,)])
    assert full.execute("SELECT count(*) FROM row").fetchone() == (3,)
    full.execute("COMMIT")
