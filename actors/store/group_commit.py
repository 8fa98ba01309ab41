"""A batch of commands in one transaction: nothing is acknowledged before its commit returns."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from actors.errors import DeadLettered, Fenced, StoreError, StoreRefused
from actors.kernel.behavior import BatchResult
from actors.kernel.messages import Refusal
from actors.store.connection import translate
from actors.store.dead_letter_table import bury
from actors.store.request_keys import FORGET_EDGE, MISSING, RequestKeys
from actors.store.transaction import ReadTransaction, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.config import StoreConfig
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.store.store import Handler, StoreSpec

    Run = Callable[[int, Callable[[Any, Any], Any], Any, Any], Any]


class GroupCommit:
    """Runs batches on one writer connection, on whichever thread calls it.

    begin immediate; fence; per command: savepoint, handler, release; the replies under their
    request keys; commit. A command that is refused or crashes goes back to its savepoint alone.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        spec: StoreSpec,
        config: StoreConfig,
        *,
        clock: Clock,
        rng: Rng,
        run: Run,
    ) -> None:
        """`run(index, handler, tx, message)` calls a handler, within its budget or without one."""
        self._connection = connection
        self._spec = spec
        self._clock = clock
        self._rng = rng
        self._run = run
        self._keys = RequestKeys(connection, config)
        self._epoch = 0
        # Set from the loop's thread when the incarnation has died; looked at before each command.
        self.abandoned = False

    def take_epoch(self, *, first: bool) -> None:
        """Become the store's owner: every earlier incarnation's transactions fail from now on.

        `first` is the process's first open: no redelivery of an earlier one can come any more.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        row = self._connection.execute(
            "UPDATE epoch SET value = value + 1 RETURNING value"
        ).fetchall()
        self._epoch = row[0][0]
        if first:
            self._connection.execute(FORGET_EDGE)
        self._connection.execute("COMMIT")

    def write(self, batch: Sequence[Envelope], handlers: Mapping[type, Handler]) -> BatchResult:
        """Run the batch and commit it. What is in the result's outcomes is on disk.

        A full disk or a read-only file refuses the whole batch, visibly; damage is a crash.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._fence()
            result = self._apply(batch, handlers)
            if not self._connection.in_transaction:
                self._keys.discard()  # SQLite itself rolled back: the interrupted statement wrote
                return BatchResult(outcomes=(), crash=result.crash, culprit=result.culprit)
            self._keys.flush(self._clock.now_us())
            self._connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - becomes the batch's result, whatever it is
            self._roll_back()
            return self._failed(batch, error)
        return result

    # --- Inside ------------------------------------------------------------------------------

    def _fence(self) -> None:
        epoch = self._connection.execute("SELECT value FROM epoch").fetchone()[0]
        if self.abandoned or epoch != self._epoch:
            message = f"{self._spec.name}: epoch {self._epoch} is over, {epoch} owns the store"
            raise Fenced(message)

    def _apply(self, batch: Sequence[Envelope], handlers: Mapping[type, Handler]) -> BatchResult:
        now_us = self._clock.now_us()
        tx = Transaction(self._connection, now_us, self._rng)
        outcomes: list[Any] = []
        for index, envelope in enumerate(batch):
            if self.abandoned:
                self._fence()
            handler = handlers.get(type(envelope.message))
            if handler is None or envelope.attempt >= self._spec.attempts_max:
                outcomes.append(self._bury(envelope, now_us))
                continue
            reply = self._keys.find(envelope, handler)
            if reply is MISSING:
                try:
                    reply = self._run_one(index, handler, tx, envelope.message)
                except StoreError as error:
                    if isinstance(error.__cause__, sqlite3.Error):
                        raise
                    return BatchResult(outcomes=outcomes, crash=error, culprit=index)
                except BaseException as error:  # noqa: BLE001 - whatever a handler raises is a crash
                    return BatchResult(outcomes=outcomes, crash=error, culprit=index)
                self._keys.keep(envelope, reply, now_us)
            outcomes.append(reply)
        return BatchResult(outcomes=outcomes)

    def _run_one(self, index: int, handler: Handler, tx: Transaction, message: Any) -> Any:
        """Run a command in a savepoint of its own. Raises StoreError where the file is to blame."""
        execute = self._connection.execute
        execute("SAVEPOINT command")
        try:
            reply = self._run(index, handler.function, tx, message)
        except BaseException as error:
            if isinstance(error, sqlite3.Error):
                trouble = translate(error, self._spec.path)
                if trouble is not None:
                    raise trouble from error
            self._undo()
            raise
        if reply.__class__ is Refusal:
            self._undo()
        else:
            execute("RELEASE command")
        return reply

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK TO command")
            self._connection.execute("RELEASE command")

    def _bury(self, envelope: Envelope, now_us: int) -> DeadLettered:
        letter_id = self._rng.new_id(now_us)
        envelope.error = envelope.error or _no_handler(envelope)
        bury(
            self._connection,
            envelope,
            letter_id=letter_id,
            now_us=now_us,
            letters_max=self._spec.dead_letters_max,
        )
        return _dead_lettered(self._spec.name, envelope, letter_id)

    def _failed(self, batch: Sequence[Envelope], error: BaseException) -> BatchResult:
        if isinstance(error, sqlite3.Error):
            error = translate(error, self._spec.path) or error
        if isinstance(error, StoreRefused):
            return BatchResult(outcomes=[error] * len(batch))
        return BatchResult(outcomes=(), crash=error)

    def _roll_back(self) -> None:
        self._keys.discard()
        with suppress(sqlite3.Error):  # closed, or rolled back by SQLite: nothing is left to undo
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def read_batch(
    connection: sqlite3.Connection,
    spec: StoreSpec,
    batch: Sequence[Envelope],
    handlers: Mapping[type, Handler],
    *,
    now_us: int,
    run: Run,
) -> BatchResult:
    """Run queries on one snapshot of a reader connection. A query that crashes is the culprit."""
    outcomes: list[Any] = []
    index = 0
    try:
        connection.execute("BEGIN")
        tx = ReadTransaction(connection, now_us)
        for index, envelope in enumerate(batch):
            handler = handlers.get(type(envelope.message))
            if handler is None or envelope.attempt >= spec.attempts_max:
                envelope.error = envelope.error or _no_handler(envelope)
                outcomes.append(_dead_lettered(spec.name, envelope, None))
                continue
            outcomes.append(run(index, handler.function, tx, envelope.message))
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is a crash
        trouble = None
        if isinstance(error, sqlite3.Error):
            trouble = translate(error, spec.path, reading=True)
        if isinstance(trouble, StoreRefused):
            return BatchResult(outcomes=[*outcomes, trouble])
        if trouble is not None:
            return BatchResult(outcomes=outcomes, crash=trouble)
        return BatchResult(outcomes=outcomes, crash=error, culprit=index)
    finally:
        with suppress(sqlite3.Error):  # a snapshot: there is nothing in it to lose
            connection.execute("ROLLBACK")
    return BatchResult(outcomes=outcomes)


def _no_handler(envelope: Envelope) -> str:
    return f"there is no handler for {type(envelope.message).__name__}"


def _dead_lettered(service: str, envelope: Envelope, letter_id: str | None) -> DeadLettered:
    return DeadLettered(
        f"{service} gave this message up after {envelope.attempt} attempts and keeps it as a "
        f"dead letter: {envelope.error}",
        letter_id=letter_id,
    )
