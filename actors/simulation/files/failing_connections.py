"""Connections that fail where a disk, or what was written, makes them fail."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.store.group_commit import GroupCommit

# A statement that needs room.
WRITES: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE", "WITH")
COMMIT: Final = "COMMIT"
# What it is told by, in turn: no room, a disk that fails, a file system that was made read-only.
FULL: Final = (sqlite3.SQLITE_FULL, "SQLITE_FULL", "database or disk is full")
FAILURES: Final = (
    FULL,
    (sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE", "disk I/O error"),
    (sqlite3.SQLITE_READONLY, "SQLITE_READONLY", "attempt to write a readonly database"),
)


class FailingConnection:
    """A connection that is asked before each statement whether it is to fail."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Be the connection in all else."""
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        """Return what the connection has."""
        return getattr(self.connection, name)

    def execute(self, sql: str, *params: Any) -> sqlite3.Cursor:
        """Run it, unless it fails."""
        self.look(sql)
        return self.connection.execute(sql, *params)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        """Run it, unless it fails."""
        self.look(sql)
        return self.connection.executemany(sql, rows)

    def look(self, sql: str) -> None:
        """Raise what SQLite says, if it does."""


class FullDisk(FailingConnection):
    """Finds no room: at one of its writes or, at the latest, at the commit."""

    def __init__(
        self, connection: sqlite3.Connection, writes: int, failure: tuple[int, str, str] = FULL
    ) -> None:
        """The write number `writes` finds none; where that is 0, the commit."""
        super().__init__(connection)
        self._left = writes
        self._failure = failure

    def look(self, sql: str) -> None:
        """Raise OperationalError, at the first write that finds no room, and at a commit."""
        if sql != COMMIT:
            if not sql.startswith(WRITES):
                return
            self._left -= 1
            if self._left != 0:
                return
        code, name, text = self._failure
        if code == sqlite3.SQLITE_IOERR_WRITE and self.connection.in_transaction:
            self.connection.execute("ROLLBACK")  # as SQLite does then, by itself
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode, error.sqlite_errorname = code, name
        raise error


class BrokenCommit(FailingConnection):
    """Lets a batch fail at its commit for what one of its messages has written, without a name.

    Each then has a commit of its own: that one's fails, too.
    """

    def __init__(self, connection: sqlite3.Connection, number: int, error: Exception) -> None:
        """It is message `number`; `error` is what is said."""
        super().__init__(connection)
        self._fail_at = {0, 1 + number}
        self._commits = 0
        self._error = error

    def look(self, sql: str) -> None:
        """Raise the error at the commits that fail."""
        if sql == COMMIT:
            self._commits += 1
            if self._commits - 1 in self._fail_at:
                raise self._error


@contextmanager
def working_through(commit: GroupCommit, failing: FailingConnection) -> Iterator[None]:
    """Let the store's commits go through another connection: nobody else sees that it is one."""
    connection = failing.connection
    writers = [
        each
        for each in (commit, *commit.participants)
        if vars(each).get("_connection") is connection
    ]
    for each in writers:
        vars(each)["_connection"] = failing
    try:
        yield
    finally:
        for each in writers:
            vars(each)["_connection"] = connection
