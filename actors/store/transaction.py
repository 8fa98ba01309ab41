"""What a handler sees of the store: SQL, the time, and chance, all of one transaction."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any, Final

from actors.errors import Fenced, StoreError

if TYPE_CHECKING:
    import sqlite3

    from actors.kernel.messages import Command, Event
    from actors.kernel.rng import Rng
    from actors.store.messaging.output_buffer import OutputBuffer

# How often and how long to ask for the end of a statement under a handler that is given up.
REVOKE_TRIES_MAX: Final = 1000
REVOKE_TRY_S: Final = 0.005


class ReadTransaction:
    """A snapshot: what it reads does not change, whatever is committed meanwhile.

    No statement runs without it: SQLite itself rolls back on some errors (a full disk, an
    interrupted write), and what a handler that looked away wrote then would commit by itself.
    """

    __slots__ = ("_connection", "_is_at_work", "_revoked", "has_executed", "now_us")

    def __init__(self, connection: sqlite3.Connection, now_us: int) -> None:
        """`now_us` is the transaction's time, in microseconds since the epoch."""
        self._connection = connection
        # Whether a statement is at work. Its thread says so before it looks whether it may still,
        # and who revokes does before looking at this: under the GIL one of the two sees the other.
        # A lock around each statement cost a quarter of it.
        self._is_at_work = False
        self._revoked = False
        self.now_us = now_us
        # Whether a statement was run that may have changed what is no row, such as the schema.
        self.has_executed = False

    def one(self, sql: str, *params: Any) -> sqlite3.Row | None:
        """Return the first row of the result, or None."""
        try:
            self._is_at_work = True
            if self._revoked or not self._connection.in_transaction:
                raise self._over()
            cursor = self._connection.execute(sql, params)
            if cursor.description is None:
                self.has_executed = True
            row: sqlite3.Row | None = cursor.fetchone()
            return row
        finally:
            self._is_at_work = False

    def all(self, sql: str, *params: Any) -> list[sqlite3.Row]:
        """Return every row of the result. Bound it: `LIMIT`."""
        try:
            self._is_at_work = True
            if self._revoked or not self._connection.in_transaction:
                raise self._over()
            cursor = self._connection.execute(sql, params)
            if cursor.description is None:
                self.has_executed = True
            return cursor.fetchall()
        finally:
            self._is_at_work = False

    def page(self, sql: str, *params: Any, limit: int) -> tuple[list[sqlite3.Row], str | None]:
        """Return up to `limit` rows and the cursor behind the last; None where no more follow.

        `sql` selects `seq`, in that order, and its last parameter is its LIMIT. Raises ValueError
        where `limit` is not 1 or more.
        """
        if limit < 1:  # LIMIT -1 is SQL for all rows
            message = f"limit is {limit}: a page holds at least one row"
            raise ValueError(message)
        rows = self.all(sql, *params, limit + 1)
        page = rows[:limit]
        return page, str(page[-1]["seq"]) if len(rows) > limit else None

    @property
    def now(self) -> dt.datetime:
        """The transaction's time, UTC; the same for every handler of a batch."""
        return dt.datetime.fromtimestamp(self.now_us / 1_000_000, tz=dt.UTC)

    def revoke(self) -> None:
        """Roll back from another thread, under a handler that does not end.

        Its next statement fails. The connection stays open: to close it while another thread is
        inside one of its calls would crash the process.
        """
        self._revoked = True
        pause = threading.Event()
        for _ in range(REVOKE_TRIES_MAX):
            if not self._is_at_work:
                self._connection.rollback()
                return
            self._connection.interrupt()
            pause.wait(REVOKE_TRY_S)

    def check(self) -> None:
        """Raise StoreError where the transaction has ended inside its handler."""
        if not self._connection.in_transaction:
            raise self._over()

    def _over(self) -> StoreError:
        if self._revoked:
            return Fenced("this handler was given up, and its transaction rolled back")
        return StoreError("this transaction is over: an earlier statement of it rolled it back")


class Transaction(ReadTransaction):
    """The write transaction of a command. Nothing of it exists unless the batch commits.

    That holds for what it sends, too: a message leaves with the commit, is kept until its receiver
    has applied it, and takes effect once, whatever crashes.
    """

    __slots__ = ("_buffer", "rng")

    def __init__(
        self, connection: sqlite3.Connection, now_us: int, rng: Rng, buffer: OutputBuffer
    ) -> None:
        """`rng` is the store's own, so that one service's draws do not shift another's."""
        super().__init__(connection, now_us)
        self.rng = rng
        self._buffer = buffer

    def execute(self, sql: str, *params: Any) -> int:
        """Run one statement; returns how many rows it changed."""
        try:
            self._is_at_work = True
            if self._revoked or not self._connection.in_transaction:
                raise self._over()
            self.has_executed = True
            return self._connection.execute(sql, params).rowcount
        finally:
            self._is_at_work = False

    @property
    def deadline_us(self) -> int | None:
        """When nobody wants any more what is handled here, in microseconds since the epoch.

        Of a request that is when its client stops waiting, of a message the `by_us` that it was
        sent with, of an effect's end that of the effect; None of what has no such time. It goes on
        where it is handed on: `by_us=tx.deadline_us`.
        """
        return self._buffer.deadline_us()

    def send(self, service: str, command: Command, *, by_us: int | None = None) -> None:
        """Send a command to a service, behind what this one has sent it before.

        After `by_us`, in microseconds since the epoch, it is of no use: it is not run there, and
        this service is told by an `Expired`, if it listens to that. A message that has such a time
        itself causes none with a later one.
        Where it is refused there, this service is told by a `Refused`. Raises NoSuchActor, and
        TypeError where the service does not handle it or is this one itself; OutboxFull, which is
        to be passed on, where it has left too many untaken.
        """
        self._buffer.send(service, command, by_us)

    def run(self, command: Command, *, by_us: int | None = None) -> None:
        """Have this service's own @effect for the command run, once this is committed.

        After `by_us` (see `send`) no attempt is made, nor goes on; this service is told by a
        `GaveUp`, if it listens to that. Raises TypeError where it has no such effect.
        """
        self._buffer.run(command, by_us)

    def publish(self, event: Event) -> None:
        """Send the event to every service that subscribes to it. Raises OutboxFull as `send`."""
        self._buffer.publish(event)

    def after(self, delay_s: float, command: Command, *, by_us: int | None = None) -> None:
        """Send a command to this service itself, or have its effect run, `delay_s` from `now`.

        A delay below 0 is that to a time that has passed: it comes at once. It comes once, late
        rather than never; nobody is told of its refusal. Raises TypeError where there is no
        handler, ValueError where the delay is no finite number. `by_us` as of `send` and `run`; an
        `Expired` comes then, where the delay is longer.
        """
        self._buffer.after(delay_s, command, by_us)

    def reply(self, request: str, value: Any) -> None:
        """Answer the request that a handler put off with `Later`; `value` may be a Refusal.

        Where nobody waits for it (any more), it is kept for whoever asks again with the same key.
        Where no request of that name is open, nothing happens: what ends a request twice, such as
        an answer and the timer that would have given up, need not ask which of them came first.
        """
        self._buffer.reply(request, value)

    def new_id(self) -> str:
        """Return a fresh UUIDv7 string of 36 characters; in a shard, a key of its own."""
        new = self.rng.new_id(self.now_us)
        if self._buffer.own is not None:
            while not self._buffer.keeps(new):  # one in as many as there are shards is its own
                new = self.rng.new_id(self.now_us)
        return new
