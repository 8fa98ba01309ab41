"""Where a full disk strikes: at the write that was named or, at the latest, at the commit."""

from __future__ import annotations

import sqlite3

import pytest

from actors.simulation.stage.simulated_store import FullDisk


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


def _fill(full: FullDisk) -> None:
    """Write twice, and commit."""
    full.execute("BEGIN")
    full.execute("INSERT INTO row VALUES (?)", (1,))
    full.executemany("INSERT INTO row VALUES (?)", [(2,), (3,)])
    assert full.execute("SELECT count(*) FROM row").fetchone() == (3,)
    full.execute("COMMIT")
