"""What a power cut takes is what was not synced, by SQLite's rules, and nobody has heard of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from actors.simulation.files.unsynced import Unsynced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STORE = "a"
COUNT = "SELECT count(*) FROM t"


class Store:
    """A store's file with its writer; `told` are its commits that are heard of."""

    def __init__(self, folder: Path, synchronous: str = "FULL") -> None:
        self.path = folder / f"{STORE}.db"
        self.writer = sqlite3.connect(self.path, isolation_level=None)
        for pragma in ("journal_mode = WAL", f"synchronous = {synchronous}"):
            self.writer.execute(f"PRAGMA {pragma}")
        self.writer.execute("CREATE TABLE t (row INTEGER)")
        self.told: list[int] = []
        self.unsynced = Unsynced()
        self.unsynced.watch(folder)

    def commit(self, *rows: int) -> None:
        """Insert the rows, each in a transaction of its own."""
        for row in rows:
            self.writer.execute("INSERT INTO t VALUES (?)", (row,))
        tell = lambda: self.told.extend(rows)  # noqa: E731
        self.unsynced.wrote(STORE, self.path, self.writer, tell)

    def settle(self) -> None:
        self.unsynced.settle(STORE, self.path, self.writer)

    def rows_after_cut(self) -> int:
        """Cut the power; return how many rows are left."""
        remains = self.unsynced.cut(self.path.parent, "lose")
        self.writer.close()
        for each in remains:
            each.put_back()
        with closing(sqlite3.connect(self.path)) as connection:
            (count,) = connection.execute(COUNT).fetchone()
        return int(count)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    with closing(store.writer):
        yield store


def test_what_is_in_flight_is_lost_and_not_heard_of(store: Store) -> None:
    """What came before it stays."""
    store.commit(1)
    assert store.told == []
    store.settle()
    store.commit(2)
    assert store.rows_after_cut() == 1
    assert store.told == [1]


def test_of_several_commits_none_is_in_flight(store: Store) -> None:
    """The next one begins when the one before is synced, and nobody knows which is the last."""
    store.commit(1, 2)
    assert store.told == [1, 2]
    assert store.rows_after_cut() == 2


def test_what_is_in_the_database_is_synced(store: Store) -> None:
    """A checkpoint syncs the log first."""
    store.commit(1)
    store.writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
    assert store.rows_after_cut() == 1
    assert store.told == [1]


def test_a_process_that_ends_loses_nothing(store: Store) -> None:
    """What it wrote, the kernel has."""
    store.commit(1)
    store.unsynced.settle_all()
    assert store.told == [1]


def test_without_a_sync_at_commits_nothing_is_synced_before_a_checkpoint(tmp_path: Path) -> None:
    """Whoever was told of it was told too much."""
    store = Store(tmp_path, "NORMAL")
    store.commit(1)
    store.settle()
    store.writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
    for row in (2, 3):
        store.commit(row)
        store.settle()
    assert store.told == [1, 2, 3]
    assert store.rows_after_cut() == 1
