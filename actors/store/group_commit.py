"""A batch of commands in one transaction: nothing is acknowledged before its commit returns."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import Busy, DeadLettered, Fenced, StoreLost, StoreRefused
from actors.kernel.messages import Later, Refusal, Refused, type_name, type_of
from actors.store.files.file_watch import FileWatch
from actors.store.files.renewal import begin_anew
from actors.store.files.sqlite_file import translate
from actors.store.files.wal_limit import WalLimit
from actors.store.messaging import deferred_replies
from actors.store.messaging.arrivals import NEW, Arrivals
from actors.store.messaging.dead_letter_table import bury, dead_lettered, no_handler
from actors.store.messaging.idempotency import find_reply, is_keyed, refuse_new
from actors.store.messaging.origin import LetterOrigin
from actors.store.messaging.outbox import Outbox
from actors.store.messaging.output_buffer import Departures
from actors.store.messaging.request_keys import FORGET_EDGE, MISSING, RequestKeys, is_corrigible
from actors.store.messaging.timers import FIRST, Timers
from actors.store.store import Backlog, WriteResult
from actors.store.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.config import StoreConfig
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.store.files.data_folder import Admission
    from actors.store.messaging.origin import Origin
    from actors.store.store import BoundHandler, StoreSpec

    Run = Callable[[int, Callable[[Any, Any], Any], Any, Any], Any]

IDENTIFY = "INSERT INTO identity (id, store) VALUES (1, ?) ON CONFLICT (id) DO NOTHING"
IDENTITY = "SELECT store FROM identity"
STAMP = "UPDATE epoch SET folder = ?, service = ?, store = (SELECT store FROM identity)"
EPOCH = "SELECT value FROM epoch"
TAKE_EPOCH = "UPDATE epoch SET value = ?"
NEXT_EPOCH = "UPDATE epoch SET value = value + 1 WHERE value = ?"


class GroupCommit:
    """Runs batches on one writer connection, on whichever thread calls it.

    begin immediate; fence; per command: savepoint, handler, release; the replies under their
    request keys, what the handlers sent, and which channels' messages they were; commit. A command
    that is refused or crashes goes back to its savepoint alone, with all it sent.
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
        self._keys = RequestKeys(connection, config, clock)
        self._subscribers = spec.catalog.subscribers()
        self.outbox = Outbox(
            connection,
            messages_max=config.outbox_messages_max,
            events_max=config.events_kept_max,
        )
        self._arrivals = Arrivals(connection, spec.name, Timers(connection))
        self._epoch = 0
        self.files: FileWatch
        self._checkpoint_pages = config.wal_checkpoint_pages
        self._log_is_new = False
        # Whether the data folder knows of this epoch.
        self._is_noted = True
        self.backlog = Backlog()
        self._abandoned = abandoned
        self._log = WalLimit(connection, spec.path, config)

    def take_epoch(self, *, first: bool, admission: Admission | None = None) -> None:
        """Become the store's owner: every earlier incarnation's transactions fail from now on.

        `first` is the process's first open: no redelivery of an earlier one can come any more.
        Where another process has had the file meanwhile, its numbers are the same as ours.
        """
        self._take_epoch(admission, first=first)
        self.files = FileWatch(self._spec.path, self._checkpoint_pages)
        if self._spec.folder is not None:
            self._is_noted = self._spec.folder.opened(
                self._spec.name, self.backlog.store, self._epoch, self.files.place
            )

    def _take_epoch(self, admission: Admission | None, *, first: bool) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        # Asked under the lock: a successor cannot have its epoch yet, and will not be fenced by
        # an incarnation that died while it was starting.
        if self._abandoned():
            message = f"{self._spec.name}: abandoned while it was opened"
            raise Fenced(message)
        epoch_min = 0 if admission is None else admission.epoch_min
        ((epoch,),) = self._connection.execute(EPOCH).fetchall()
        if admission is not None and admission.renewal is not None:
            epoch = max(epoch, epoch_min)  # whatever lay here meanwhile is older than this
        elif epoch < epoch_min:
            if self._spec.folder is not None:
                self._spec.folder.mistaken(self._spec.name)
            message = (
                f"{self._spec.path} is older than what this process has had open there; the next "
                f"start, which follows, says how to go on"
            )
            raise StoreLost(message)
        self._epoch = epoch + 1
        self._connection.execute(TAKE_EPOCH, (self._epoch,))
        now_us = self._clock.now_us()
        if first or self._spec.tenure.was_interrupted(epoch):
            self._connection.execute(FORGET_EDGE)
            self._connection.execute(deferred_replies.FORGET_EDGE)
        if first:
            self._identify(admission, self._rng.new_id(now_us))
        self._keys.begin()
        self.outbox.begin(self._spec.catalog, now_us)
        self._arrivals.begin()
        self.backlog = Backlog(
            store=self._connection.execute(IDENTITY).fetchone()[0],
            channels=self.outbox.backlog(),
            timer_us=self._connection.execute(FIRST).fetchone()[0],
        )
        self._commit_epoch(self._epoch)

    def write(self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]) -> WriteResult:
        """Run the batch and commit it. What is in the result's outcomes is on disk.

        A full disk or a read-only file refuses all that is new, visibly; damage is a crash.
        """
        self._log.keep()
        try:
            return self._write(batch, handlers, 0)
        except sqlite3.IntegrityError:
            return self._write_apart(batch, handlers)

    def retire(self) -> None:
        """Let the file show that it was closed in order: a copy made before is older from now on.

        Where that cannot be written, the next start knows as much as after a crash.
        """
        with suppress(sqlite3.Error):
            self._keys.end()
            self._move_on()

    # --- Inside ------------------------------------------------------------------------------

    def _identify(self, admission: Admission | None, store: str) -> None:
        """Say whose file this is, in the transaction; `store` is its id if it needs one."""
        self._connection.execute(IDENTIFY, (store,))
        if admission is None:
            return
        if admission.renewal is not None:
            begin_anew(self._connection, admission.renewal, store)
        self._connection.execute(STAMP, (admission.folder, self._spec.name))

    def _move_on(self) -> None:
        """Take the next epoch, and have the data folder remember it: what is older has less."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._connection.execute(NEXT_EPOCH, (self._epoch,)).rowcount:
                self._roll_back()
                return  # a successor owns it
            self._commit_epoch(self._epoch + 1)
        except sqlite3.Error:
            self._roll_back()
            raise
        self._epoch += 1
        if self._spec.folder is not None:
            self._spec.folder.reached(self._spec.name, self.backlog.store, self._epoch)

    def _commit_epoch(self, epoch: int) -> None:
        """Commit the transaction that has taken it; for who opens next, it is this process's."""
        tenure = self._spec.tenure
        before, tenure.epoch = tenure.epoch, epoch
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            tenure.epoch = before  # the lock is still held
            raise

    def _write(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler], first: int
    ) -> WriteResult:
        """Run and commit; the first has the index `first`. Raises IntegrityError at the commit."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._fence()
            if self._spec.lock is not None:
                # Before anything is done: from here on SQLite's own lock keeps others away.
                self._spec.lock.check()
            result = self._apply(batch, handlers, first)
            if not self._connection.in_transaction:
                self._discard()  # SQLite itself rolled back: the interrupted statement wrote
                return WriteResult(outcomes=(), crash=result.crash, culprit=result.culprit)
            (departures,) = result.departures
            now_us = self._clock.now_us()
            self._keys.flush()
            if departures.replies:
                deferred_replies.answer(self._connection, departures.replies)
            last = self.outbox.flush(departures, now_us)
            self._arrivals.flush(departures)
            self._connection.execute("COMMIT")
            self.outbox.committed(last)
            self._arrivals.committed()
            self._make_sure()
        except sqlite3.IntegrityError:
            self._roll_back()
            raise
        except BaseException as error:  # noqa: BLE001 - becomes the batch's result, whatever it is
            self._roll_back()
            return self._failed(batch, handlers, error)
        return result

    def _write_apart(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> WriteResult:
        """Give each command a commit of its own: a deferred constraint names no culprit."""
        outcomes: list[Any] = []
        departures: list[Departures] = []
        crash: BaseException | None = None
        culprit: int | None = None
        for index, envelope in enumerate(batch):
            try:
                result = self._write([envelope], handlers, index)
            except sqlite3.IntegrityError as error:
                crash, culprit = error, index
                break
            outcomes.extend(result.outcomes)
            departures.extend(result.departures)
            if result.crash is not None:
                crash, culprit = result.crash, result.culprit
                break
        return WriteResult(outcomes=outcomes, crash=crash, culprit=culprit, departures=departures)

    def _make_sure(self) -> None:
        """Raise StoreLost where what was committed cannot be found again under the file's name.

        After the commit: a file that goes before it is noticed as well as one that goes with it.
        """
        self.files.check()
        if not self._is_noted and self._spec.folder is not None:
            self._spec.folder.reached(self._spec.name, self.backlog.store, self._epoch)
            self._is_noted = True
        # Everything before is in the database, and what was committed now is in the log alone.
        # Before that is acknowledged, the folder knows of an epoch that the database lacks.
        self._log_is_new = self.files.log_began_anew() or self._log_is_new
        if self._log_is_new:
            with suppress(sqlite3.Error):  # no room for it: it is tried again, and this stands
                self._move_on()
                self._log_is_new = False

    def _fence(self) -> None:
        epoch = self._connection.execute("SELECT value FROM epoch").fetchone()[0]
        if self._abandoned() or epoch != self._epoch:
            message = f"{self._spec.name}: epoch {self._epoch} is over, {epoch} owns the store"
            raise Fenced(message)

    def _apply(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler], first: int
    ) -> WriteResult:
        now_us = self._clock.now_us()
        departures = Departures(
            self._spec.name,
            self._spec.catalog,
            self._subscribers,
            now_us=now_us,
            full=self.outbox.full(),
        )
        tx = Transaction(self._connection, now_us, self._rng, departures)
        outcomes: list[Any] = []
        crash, culprit = None, None
        for index, envelope in enumerate(batch, first):
            if self._abandoned():
                self._fence()
            try:
                outcomes.append(self._handle(index, handlers, tx, departures, envelope))
            except BaseException as error:
                if isinstance(error, sqlite3.Error) and translate(error, self._spec.path):
                    raise  # the file is to blame
                crash, culprit = error, index
                break
        return WriteResult(
            outcomes=outcomes, crash=crash, culprit=culprit, departures=(departures,)
        )

    def _handle(
        self,
        index: int,
        handlers: Mapping[Any, BoundHandler],
        tx: Transaction,
        departures: Departures,
        envelope: Envelope,
    ) -> Any:
        """Return the message's outcome: its handler's reply, or that of its first delivery."""
        origin: Origin | None = envelope.origin
        if origin is not None:
            outcome = self._arrivals.outcome_of(origin, redelivered=envelope.started)
            if outcome is not NEW:
                return outcome
        handler = handlers.get(type_of(envelope.message))
        if handler is None or envelope.attempt >= self._spec.attempts_max:
            reply = self._give_up(envelope, handler, tx.now_us)
            if origin is not None and origin.__class__ is not LetterOrigin:
                self._arrivals.apply(origin)
            return reply
        reply = self._find(envelope, handler) if is_keyed(envelope) else MISSING
        if reply is MISSING:
            departures.trace = envelope.trace
            reply = self._run_one(index, handler, tx, departures, envelope)
        if origin is not None and not isinstance(reply, Busy):
            self._arrivals.apply(origin)
        return reply

    def _find(self, envelope: Envelope, handler: BoundHandler) -> Any:
        """Return an earlier delivery's reply, or MISSING."""
        return find_reply(self._connection, self._keys, envelope, handler)

    def _run_one(
        self,
        index: int,
        handler: BoundHandler,
        tx: Transaction,
        departures: Departures,
        envelope: Envelope,
    ) -> Any:
        """Run a command in a savepoint of its own, and keep its reply."""
        execute = self._connection.execute
        mark = departures.mark()
        execute("SAVEPOINT command")
        try:
            reply = self._run(index, handler.function, tx, envelope.message)
            tx.check()
            if reply.__class__ is Later and not handler.defers:
                error = f"{type_name(type_of(envelope.message))} is not typed to return Later"
                raise TypeError(error)  # noqa: TRY301 - the handler's crash, as if it raised it
            if is_keyed(envelope) and not is_corrigible(reply):
                self._keep(envelope, reply)
            if reply.__class__ is not Refusal:
                execute("RELEASE command")
                return reply
        except Busy as busy:  # an outbox is full: no crash of the handler's
            # Unless it looked away before: the next savepoint would be a transaction of its own.
            tx.check()
            reply = busy
        except BaseException:
            departures.rewind(mark)
            self._undo()
            raise
        departures.rewind(mark)
        self._undo()
        sender = getattr(envelope.origin, "sender", None)
        if sender is not None and reply.__class__ is Refusal:
            departures.tell(sender, Refused(command=envelope.message, refusal=reply))
        return reply

    def _keep(self, envelope: Envelope, reply: Any) -> None:
        if reply.__class__ is Later:
            deferred_replies.put_off(self._connection, envelope, reply)
            reply = reply.so_far
        self._keys.keep(envelope, reply)

    def _undo(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO command")
                self._connection.execute("RELEASE command")
        except sqlite3.Error:
            self._roll_back()  # all of the batch, rather than half of a command
            raise

    def _give_up(self, envelope: Envelope, handler: BoundHandler | None, now_us: int) -> Any:
        """Bury the message, unless its last attempt was applied after all and has a reply."""
        reply = MISSING
        if handler is not None and is_keyed(envelope):
            # A stored reply that cannot be read is what it crashed with: it is buried.
            with suppress(msgspec.MsgspecError):
                reply = self._find(envelope, handler)
        return self._bury(envelope, now_us) if reply is MISSING else reply

    def _bury(self, envelope: Envelope, now_us: int) -> DeadLettered:
        # The same letter again where the incarnation died before its burial was heard of.
        letter_id = envelope.letter_id = envelope.letter_id or self._rng.new_id(now_us)
        envelope.error = envelope.error or no_handler(envelope)
        bury(
            self._connection,
            envelope,
            letter_id=letter_id,
            now_us=now_us,
            letters_max=self._spec.dead_letters_max,
        )
        return dead_lettered(self._spec.name, envelope, letter_id)

    def _failed(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler], error: BaseException
    ) -> WriteResult:
        if isinstance(error, sqlite3.Error):
            error = translate(error, self._spec.path) or error
        if not isinstance(error, StoreRefused):
            return WriteResult(outcomes=(), crash=error)
        crash = error if isinstance(error, StoreLost) else None
        # Who asked before was served, and "nothing was kept" is not true of that.
        if crash is None and not self._connection.in_transaction:
            with suppress(sqlite3.Error):  # nor can it be read: who asks again later may be told
                return refuse_new(self._connection, batch, handlers, keys=self._keys, why=error)
        return WriteResult(outcomes=[error] * len(batch), crash=crash)

    def _discard(self) -> None:
        self._keys.discard()
        self._arrivals.discard()

    def _roll_back(self) -> None:
        self._discard()
        with suppress(sqlite3.Error):  # closed, or rolled back by SQLite: nothing is left to undo
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
