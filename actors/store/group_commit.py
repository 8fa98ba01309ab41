"""A batch of commands in one transaction: nothing is acknowledged before its commit returns."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import DeadLettered, Fenced, StoreRefused
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
        abandoned: Callable[[], bool],
    ) -> None:
        """`run(index, handler, tx, message)` calls a handler, within its budget or without one.

        `abandoned` says whether the incarnation has died; it is asked before each command.
        """
        self._connection = connection
        self._spec = spec
        self._clock = clock
        self._rng = rng
        self._run = run
        self._keys = RequestKeys(connection, config)
        self._epoch = 0
        self._abandoned = abandoned

    def take_epoch(self, *, first: bool) -> None:
        """Become the store's owner: every earlier incarnation's transactions fail from now on.

        `first` is the process's first open: no redelivery of an earlier one can come any more.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        # Asked under the lock: a successor cannot have its epoch yet, and will not be fenced by
        # an incarnation that died while it was starting.
        if self._abandoned():
            message = f"{self._spec.name}: abandoned while it was opened"
            raise Fenced(message)
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
            return self._write(batch, handlers, 0)
        except sqlite3.IntegrityError:
            return self._write_apart(batch, handlers)

    # --- Inside ------------------------------------------------------------------------------

    def _write(
        self, batch: Sequence[Envelope], handlers: Mapping[type, Handler], first: int
    ) -> BatchResult:
        """Run and commit; the first has the index `first`. Raises IntegrityError at the commit."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._fence()
            result = self._apply(batch, handlers, first)
            if not self._connection.in_transaction:
                self._keys.discard()  # SQLite itself rolled back: the interrupted statement wrote
                return BatchResult(outcomes=(), crash=result.crash, culprit=result.culprit)
            self._keys.flush(self._clock.now_us())
            self._connection.execute("COMMIT")
        except sqlite3.IntegrityError:
            self._roll_back()
            raise
        except BaseException as error:  # noqa: BLE001 - becomes the batch's result, whatever it is
            self._roll_back()
            return self._failed(batch, error)
        return result

    def _write_apart(
        self, batch: Sequence[Envelope], handlers: Mapping[type, Handler]
    ) -> BatchResult:
        """Give each command a commit of its own: a deferred constraint names no culprit."""
        outcomes: list[Any] = []
        for index, envelope in enumerate(batch):
            try:
                result = self._write([envelope], handlers, index)
            except sqlite3.IntegrityError as error:
                return BatchResult(outcomes=outcomes, crash=error, culprit=index)
            outcomes.extend(result.outcomes)
            if result.crash is not None:
                return BatchResult(outcomes=outcomes, crash=result.crash, culprit=result.culprit)
        return BatchResult(outcomes=outcomes)

    def _fence(self) -> None:
        epoch = self._connection.execute("SELECT value FROM epoch").fetchone()[0]
        if self._abandoned() or epoch != self._epoch:
            message = f"{self._spec.name}: epoch {self._epoch} is over, {epoch} owns the store"
            raise Fenced(message)

    def _apply(
        self, batch: Sequence[Envelope], handlers: Mapping[type, Handler], first: int
    ) -> BatchResult:
        now_us = self._clock.now_us()
        tx = Transaction(self._connection, now_us, self._rng)
        outcomes: list[Any] = []
        for index, envelope in enumerate(batch, first):
            if self._abandoned():
                self._fence()
            handler = handlers.get(type(envelope.message))
            if handler is None or envelope.attempt >= self._spec.attempts_max:
                outcomes.append(self._give_up(envelope, handler, now_us))
                continue
            try:
                reply = self._keys.find(envelope, handler)
                if reply is MISSING:
                    reply = self._run_one(index, handler, tx, envelope)
            except BaseException as error:
                if isinstance(error, sqlite3.Error) and translate(error, self._spec.path):
                    raise  # the file is to blame
                return BatchResult(outcomes=outcomes, crash=error, culprit=index)
            outcomes.append(reply)
        return BatchResult(outcomes=outcomes)

    def _run_one(self, index: int, handler: Handler, tx: Transaction, envelope: Envelope) -> Any:
        """Run a command in a savepoint of its own, and keep its reply."""
        execute = self._connection.execute
        execute("SAVEPOINT command")
        try:
            reply = self._run(index, handler.function, tx, envelope.message)
            tx.check()
            self._keys.keep(envelope, reply, tx.now_us)
            if reply.__class__ is not Refusal:
                execute("RELEASE command")
                return reply
        except BaseException:
            self._undo()
            raise
        self._undo()
        return reply

    def _undo(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO command")
                self._connection.execute("RELEASE command")
        except sqlite3.Error:
            self._roll_back()  # all of the batch, rather than half of a command
            raise

    def _give_up(self, envelope: Envelope, handler: Handler | None, now_us: int) -> Any:
        """Bury the message, unless its last attempt was applied after all and has a reply."""
        reply = MISSING
        if handler is not None:
            # A stored reply that cannot be read is what it crashed with: it is buried.
            with suppress(msgspec.MsgspecError):
                reply = self._keys.find(envelope, handler)
        return self._bury(envelope, now_us) if reply is MISSING else reply

    def _bury(self, envelope: Envelope, now_us: int) -> DeadLettered:
        # The same letter again where the incarnation died before its burial was heard of.
        letter_id = envelope.letter_id = envelope.letter_id or self._rng.new_id(now_us)
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
    abandoned: Callable[[], bool],
) -> BatchResult:
    """Run queries on one snapshot of a reader connection. A query that crashes is the culprit."""
    outcomes: list[Any] = []
    index = 0
    try:
        connection.execute("BEGIN")
        tx = ReadTransaction(connection, now_us)
        for index, envelope in enumerate(batch):
            if abandoned():
                break
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
            return BatchResult(outcomes=outcomes + [trouble] * (len(batch) - len(outcomes)))
        if trouble is not None:
            return BatchResult(outcomes=outcomes, crash=trouble)
        return BatchResult(outcomes=outcomes, crash=error, culprit=index)
    finally:
        with suppress(sqlite3.Error):  # a snapshot: there is nothing in it to lose
            connection.execute("ROLLBACK")
    if len(outcomes) < len(batch):
        return BatchResult(outcomes=outcomes, crash=Fenced(f"{spec.name}: abandoned"))
    return BatchResult(outcomes=outcomes)


def _no_handler(envelope: Envelope) -> str:
    return f"there is no handler for {type(envelope.message).__name__}"


def _dead_lettered(service: str, envelope: Envelope, letter_id: str | None) -> DeadLettered:
    return DeadLettered(
        f"{service} gave this message up after {envelope.attempt} attempts; sent again, it would "
        f"crash again: {envelope.error}",
        letter_id=letter_id,
    )
