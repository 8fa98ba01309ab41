"""A store whose world ends at a given statement."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.inline_store import InlineStore


class Died(BaseException):
    """The world ends here."""


class Mortal:
    """A connection that ends the world after a given number of statements."""

    def __init__(
        self, connection: sqlite3.Connection, after_each: Callable[[], None] | None = None
    ) -> None:
        self._connection = connection
        self._after_each = after_each
        self.statements_left = -1
        self.statements = 0
        self.dead = False

    def is_dead(self) -> bool:
        return self.dead

    @property
    def in_transaction(self) -> bool:
        if self.dead:
            raise sqlite3.OperationalError("dead")
        return self._connection.in_transaction

    @property
    def total_changes(self) -> int:
        return self._connection.total_changes

    def execute(self, *args: Any) -> Any:
        return self._run(self._connection.execute, args)

    def executemany(self, *args: Any) -> Any:
        return self._run(self._connection.executemany, args)

    def _run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if self.dead:
            raise sqlite3.OperationalError("dead")
        result = function(*args)
        self.statements += 1
        if self._after_each is not None:
            self._after_each()
        if self.statements == self.statements_left:
            self.dead = True
            del result  # a cursor in the traceback would keep the closed connection's lock
            raise Died
        return result


def make_mortal(
    store: AiosqliteStore | InlineStore, after_each: Callable[[], None] | None = None
) -> Mortal:
    """Lead every statement of the store's batches through a mortal connection."""
    commit = store._commit
    assert commit is not None
    mortal = Mortal(commit._connection, after_each)
    for holder in (commit, commit.epoch, *commit.participants):
        if hasattr(holder, "_connection"):
            holder._connection = mortal
    return mortal
