"""What a handler sees of the store: SQL, the time, and chance, all of one transaction."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

    from actors.kernel.rng import Rng


class ReadTransaction:
    """A snapshot: what it reads does not change, whatever is committed meanwhile."""

    __slots__ = ("_connection", "now_us")

    def __init__(self, connection: sqlite3.Connection, now_us: int) -> None:
        """`now_us` is the transaction's time, in microseconds since the epoch."""
        self._connection = connection
        self.now_us = now_us

    def one(self, sql: str, *params: Any) -> sqlite3.Row | None:
        """Return the first row of the result, or None."""
        row: sqlite3.Row | None = self._connection.execute(sql, params).fetchone()
        return row

    def all(self, sql: str, *params: Any) -> list[sqlite3.Row]:
        """Return every row of the result. Bound it: `LIMIT`."""
        return self._connection.execute(sql, params).fetchall()

    @property
    def now(self) -> dt.datetime:
        """The transaction's time, UTC; the same for every handler of a batch."""
        return dt.datetime.fromtimestamp(self.now_us / 1_000_000, tz=dt.UTC)


class Transaction(ReadTransaction):
    """The write transaction of a command. Nothing of it exists unless the batch commits."""

    __slots__ = ("rng",)

    def __init__(self, connection: sqlite3.Connection, now_us: int, rng: Rng) -> None:
        """`rng` is the store's own, so that one service's draws do not shift another's."""
        super().__init__(connection, now_us)
        self.rng = rng

    def execute(self, sql: str, *params: Any) -> int:
        """Run one statement; returns how many rows it changed."""
        return self._connection.execute(sql, params).rowcount

    def new_id(self) -> str:
        """Return a fresh UUIDv7 string of 36 characters."""
        return self.rng.new_id(self.now_us)
