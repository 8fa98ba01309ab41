"""A batch of commands in one transaction: nothing is acknowledged before its commit returns."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.errors import (
    Busy,
    DeadLettered,
    DeadlineExceeded,
    MessageExpired,
    MessageUnreadable,
    StoreLost,
    StoreRefused,
)
from actors.kernel.mailbox import too_late
from actors.kernel.messages import Expired, Later, Refusal, Refused, type_name, type_of
from actors.store.epoch import Epoch
from actors.store.files.sqlite_file import translate
from actors.store.files.wal_limit import WalLimit
from actors.store.messaging.dead_letter_table import (
    ReplayedLetters,
    bury,
    count_letters,
    dead_lettered,
    no_handler,
)
from actors.store.messaging.deferred_replies import DeferredReplies, open_requests, put_off
from actors.store.messaging.idempotency import (
    find_reply,
    is_keyed,
    may_be_known,
    refuse_new,
)
from actors.store.messaging.inbox import Inbox
from actors.store.messaging.origin import ChannelOrigin, LetterOrigin, TimerOrigin
from actors.store.messaging.outbox import Outbox
from actors.store.messaging.output_buffer import OutputBuffer
from actors.store.messaging.request_keys import MISSING, RequestKeys, is_corrigible
from actors.store.messaging.timers import FIRST, Timers
from actors.store.messaging.unreadable import Unreadable
from actors.store.participant import NEW, Participant, Settler, hearing
from actors.store.spans import Spans
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
    from actors.store.messaging.output import Output
    from actors.store.store import BoundHandler, StoreSpec

    Run = Callable[[int, Callable[[Any, Any], Any], Any, Any], Any]


# For how many batches a service whose command was undone opens savepoints from the start: to run a
# batch twice costs what its savepoints cost in some ten batches.
UNDOING_BATCHES: Final = 64
# How a message can end that stays where it is kept, and comes again.
NOT_DONE: Final = (Busy, DeadlineExceeded)


class GroupCommit:
    """Runs batches on one writer connection, on whichever thread calls it.

    begin immediate; fence; the handlers; what the participants have to write (replies under their
    request keys, what the handlers sent, whose messages were applied); commit. A command that is
    refused or crashes is undone alone, with all it sent. Most write nothing before that, and few
    are: a savepoint a command, which they would go back to, is opened only where it was wanted
    lately. Where one turns out to be wanted, the batch is rolled back and run again with them; what
    has crashed is not run again.
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
        self._abandoned = abandoned
        self._log = WalLimit(connection, spec.path, config)
        self.epoch = Epoch(
            connection, spec, checkpoint_pages=config.wal_checkpoint_pages, abandoned=abandoned
        )
        self.backlog = Backlog()
        # Whether the batch at work has savepoints; and for how many batches more there are some.
        self._has_savepoints = False
        self._undoing_batches = 0
        # Whether the transaction holds what is to be undone.
        self._is_spoilt = False
        # Who has an outcome of the last batch: it was told by the time when the next one comes.
        self._answered: Sequence[Envelope] = ()
        self.outbox = Outbox(connection, spec.catalog, config, clock)
        self._spans = Spans(connection, spec.name, clock, spec.spans)
        self._buffer = OutputBuffer(
            spec.name,
            spec.catalog,
            clock=clock,
            is_full=self.outbox.is_full,
            begin_step=self._spans.step,
        )
        self._keys = RequestKeys(connection, spec, config, clock)
        inbox, self._timers = Inbox(connection, spec.name), Timers(connection)
        letters = ReplayedLetters(connection)
        self._settlers: Mapping[type[Origin], Settler] = {
            ChannelOrigin: inbox,
            TimerOrigin: self._timers,
            LetterOrigin: letters,
        }
        # In the order in which they write: a put off reply goes where the request's key stands,
        # and the outbox gives the timers their numbers.
        others = () if spec.hearer is None else (spec.hearer(connection, self._buffer),)
        self.participants: tuple[Participant, ...] = (
            *others,
            self._buffer,
            self._keys,
            DeferredReplies(connection),
            self.outbox,
            inbox,
            self._timers,
            letters,
            self._spans,
        )
        self._at_opened = hearing(self.participants, "opened")
        self._at_begin = hearing(self.participants, "begin")
        self._at_savepoint = hearing(self.participants, "savepoint")
        self._at_savepoint_undone = hearing(self.participants, "savepoint_undone")
        self._at_before_commit = hearing(self.participants, "before_commit")
        self._at_committed = hearing(self.participants, "committed")
        self._at_rolled_back = hearing(self.participants, "rolled_back")

    def open(self, admission: Admission | None, *, first: bool) -> None:
        """Become the file's owner, see Epoch.take."""
        self.epoch.take(admission, self._opened, first=first, clock=self._clock, rng=self._rng)

    def write(self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]) -> WriteResult:
        """Run the batch and commit it. What is in the result's outcomes is on disk.

        A full disk or a read-only file refuses all that is new, visibly; damage is a crash.
        """
        self._log.keep()
        self._keys.comes(batch, told=self._answered)
        self._timers.comes(batch)
        # Of those that an incarnation had in hand when it ended, one may end the next.
        self._has_savepoints = self._undoing_batches > 0 or any(
            each.started or each.attempt for each in batch
        )
        self._undoing_batches = max(0, self._undoing_batches - 1)
        try:
            result = self._write(batch, handlers, 0)
        except sqlite3.IntegrityError:
            self._has_savepoints = True
            result = self._write_apart(batch, handlers)
        self._answered = batch[: len(result.outcomes)]
        return result

    def retire(self) -> None:
        """Let the file show that it was closed in order: a copy made before is older from now on.

        Where that cannot be written, the next start knows as much as after a crash.
        """
        try:
            self._keys.end()
            self.epoch.move_on()
        except sqlite3.Error:
            # Else the file stays locked for as long as anything holds on to the connection.
            with suppress(sqlite3.Error):
                self._connection.rollback()

    # --- Inside ------------------------------------------------------------------------------

    def _opened(self) -> None:
        for step in self._at_opened:
            step()
        self.backlog = Backlog(
            store=self.epoch.store,
            channels=self.outbox.backlog(),
            timer_us=self._connection.execute(FIRST).fetchone()[0],
            timer_seq=self.outbox.timer_seq,
            requests=open_requests(self._connection),
        )

    def _write(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler], first: int
    ) -> WriteResult:
        """Run and commit; the first has the index `first`. Raises IntegrityError at the commit."""
        try:
            self._begin()
            result = self._apply(batch, handlers, first)
            if self._is_spoilt:
                result = self._redo(batch, handlers, first, result)
            if not self._connection.in_transaction:
                self._roll_back()  # SQLite did, itself: the interrupted statement wrote
                return WriteResult(outcomes=(), crash=result.crash, culprit=result.culprit)
            (output,) = result.outputs
            for step in self._at_before_commit:
                step(output)
            begun_s = self._clock.monotonic()
            self._connection.execute("COMMIT")
            self._spec.commit_s.note(self._clock.monotonic() - begun_s)
            for step in self._at_committed:
                step()
            self.epoch.make_sure()
        except sqlite3.IntegrityError:
            self._roll_back()
            raise
        except BaseException as error:  # noqa: BLE001 - becomes the batch's result, whatever it is
            self._roll_back()
            return self._failed(batch, handlers, error)
        return result

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self.epoch.fence()
        if self._spec.lock is not None:
            # Before anything is done: from here on SQLite's own lock keeps others away.
            self._spec.lock.check()
        self._is_spoilt = False

    def _redo(
        self,
        batch: Sequence[Envelope],
        handlers: Mapping[Any, BoundHandler],
        first: int,
        spoilt: WriteResult,
    ) -> WriteResult:
        """Run it again, with savepoints: the batch or, where one crashed, those before that."""
        self._roll_back()
        self._has_savepoints = True
        self._begin()
        if spoilt.culprit is None:
            self._undoing_batches = UNDOING_BATCHES
            return self._apply(batch, handlers, first)
        result = self._apply(batch[: spoilt.culprit - first], handlers, first)
        if result.crash is not None:
            return result
        return msgspec.structs.replace(result, crash=spoilt.crash, culprit=spoilt.culprit)

    def _write_apart(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> WriteResult:
        """Give each command a commit of its own: a deferred constraint names no culprit."""
        outcomes: list[Any] = []
        outputs: list[Output] = []
        crash: BaseException | None = None
        culprit: int | None = None
        for index, envelope in enumerate(batch):
            try:
                result = self._write([envelope], handlers, index)
            except sqlite3.IntegrityError as error:
                crash, culprit = error, index
                break
            outcomes.extend(result.outcomes)
            outputs.extend(result.outputs)
            if result.crash is not None:
                crash, culprit = result.crash, result.culprit
                break
        return WriteResult(outcomes=outcomes, crash=crash, culprit=culprit, outputs=outputs)

    def _apply(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler], first: int
    ) -> WriteResult:
        now_us = self._clock.now_us()
        for step in self._at_begin:
            step(now_us)
        tx = Transaction(self._connection, now_us, self._rng, self._buffer)
        outcomes: list[Any] = []
        crash, culprit = None, None
        for index, envelope in enumerate(batch, first):
            if self._abandoned():
                self.epoch.fence()
            try:
                outcomes.append(self._handle(index, handlers, tx, envelope))
                if self._spans.at_work is not None:
                    self._spans.done(outcomes[-1])
            except BaseException as error:
                if isinstance(error, sqlite3.Error) and translate(error, self._spec.path):
                    raise  # the file is to blame
                crash, culprit = error, index
                break
            if self._is_spoilt:
                break
        return WriteResult(
            outcomes=outcomes, crash=crash, culprit=culprit, outputs=(self._buffer.output,)
        )

    def _handle(
        self,
        index: int,
        handlers: Mapping[Any, BoundHandler],
        tx: Transaction,
        envelope: Envelope,
    ) -> Any:
        """Return the message's outcome: its handler's reply, or that of its first delivery."""
        origin: Origin | None = envelope.origin
        settler = None if origin is None else self._settlers[origin.__class__]
        if settler is not None:
            outcome = settler.outcome_of(origin, redelivered=envelope.started)
            if outcome is NEW and envelope.by_us is not None:
                outcome = self._expire(envelope, handlers)
            if outcome is not NEW:
                return outcome
        handler = handlers.get(type_of(envelope.message))
        if handler is None or envelope.attempt >= self._spec.attempts_max:
            if isinstance(envelope.message, Unreadable) and self._waits(envelope.message):
                return MessageUnreadable(envelope.message.reason)
            reply = self._give_up(envelope, handler, tx.now_us)
            if settler is not None and origin.__class__ is not LetterOrigin:
                settler.apply(origin)
            return reply
        reply = self._find(envelope, handler) if may_be_known(envelope) else MISSING
        if reply is MISSING:
            # Those before it in the batch may have taken long.
            is_late = envelope.deadline is not None and envelope.deadline <= self._clock.monotonic()
            run = self._run_one
            reply = too_late(self._spec.name) if is_late else run(index, handler, tx, envelope)
            if envelope.urgent or reply.__class__ is Later:
                self._buffer.hurry()
        if settler is not None and not isinstance(reply, NOT_DONE):
            settler.apply(origin)
        return reply

    def _expire(self, envelope: Envelope, handlers: Mapping[Any, BoundHandler]) -> Any:
        """Return NEW, or MessageExpired where its time is up: it is settled then, and unrun.

        Who has sent it is told, if he wants to know: of a timer that is this service, whose message
        it is from now on.
        """
        if not self._is_over(envelope):
            return NEW
        origin, name = envelope.origin, type_name(type_of(envelope.message))
        told = Expired(command=envelope.message)
        if origin.__class__ is TimerOrigin and type_of(told) in handlers:
            envelope.message = told
            return NEW
        self._settlers[origin.__class__].apply(origin)
        self._spans.unrun(envelope)
        error = f"{name} was not to be run so late by {self._spec.name}"
        if origin.__class__ is TimerOrigin:
            return MessageExpired(error, place="timer")
        return self._send_back(envelope, told, MessageExpired(error, place="channel"))

    def _is_over(self, envelope: Envelope) -> bool:
        """Whether its time is up before it was run. What an effect came to is told all the same."""
        if envelope.message.__class__ in {Expired, Unreadable}:
            return False
        has_ended = getattr(envelope.origin, "has_ended", False)
        if has_ended or envelope.attempt >= self._spec.attempts_max:
            return False
        by_us = envelope.by_us
        return by_us is not None and by_us <= self._clock.now_us()

    def _send_back(
        self, envelope: Envelope, told: Expired[Any], error: MessageExpired
    ) -> MessageExpired:
        """Tell its sender, if that wants to know."""
        for step in self._at_savepoint:
            step(envelope)
        error.is_told = self._buffer.tell_expired(envelope.origin.sender, told)
        if envelope.urgent:
            self._buffer.hurry()
        return error

    def _find(self, envelope: Envelope, handler: BoundHandler) -> Any:
        """Return an earlier delivery's reply, or MISSING."""
        return find_reply(self._connection, self._keys, envelope, handler)

    def _run_one(
        self, index: int, handler: BoundHandler, tx: Transaction, envelope: Envelope
    ) -> Any:
        """Run a command, and keep its reply; where it is a no, nothing else is left of it."""
        for step in self._at_savepoint:
            step(envelope)
        connection = self._connection
        if self._has_savepoints:
            connection.execute("SAVEPOINT command")
        changes, tx.has_executed = connection.total_changes, False
        try:
            reply = self._run(index, handler.function, tx, envelope.message)
            tx.check()
            if reply.__class__ is Later and not handler.defers:
                error = f"{type_name(type_of(envelope.message))} is not typed to return Later"
                raise TypeError(error)  # noqa: TRY301 - the handler's crash, as if it raised it
            if is_keyed(envelope) and not is_corrigible(reply):
                self._keep(envelope, reply)
            if reply.__class__ is not Refusal:
                if self._has_savepoints:
                    connection.execute("RELEASE command")
                return reply
        except Busy as busy:  # an outbox is full: no crash of the handler's
            # Unless it looked away before: the next savepoint would be a transaction of its own.
            tx.check()
            reply = busy
        except BaseException:
            self._undo(tx, changes)
            raise
        self._undo(tx, changes)
        sender = getattr(envelope.origin, "sender", None)
        if sender is not None and reply.__class__ is Refusal:
            self._buffer.tell(sender, Refused(command=envelope.message, refusal=reply))
        return reply

    def _keep(self, envelope: Envelope, reply: Any) -> None:
        if reply.__class__ is Later:
            put_off(self._connection, envelope, reply)
            self._keys.keep(envelope, reply.so_far, deferred=True)
        else:
            self._keys.keep(envelope, reply)

    def _undo(self, tx: Transaction, changes: int) -> None:
        """Undo what the command did; it began when `changes` rows had been changed."""
        for step in self._at_savepoint_undone:
            step()
        try:
            if not self._connection.in_transaction:
                return
            if not self._has_savepoints:
                self._is_spoilt = tx.has_executed or self._connection.total_changes != changes
                return
            self._connection.execute("ROLLBACK TO command")
            self._connection.execute("RELEASE command")
        except sqlite3.Error:
            self._roll_back()  # all of the batch, rather than half of a command
            raise

    def _give_up(self, envelope: Envelope, handler: BoundHandler | None, now_us: int) -> Any:
        """Bury the message, unless its last attempt was applied after all and has a reply."""
        reply = MISSING
        if handler is not None and may_be_known(envelope):
            reply = self._find(envelope, handler)
        if reply is not MISSING:
            return reply
        self._spans.unrun(envelope)
        return self._bury(envelope, now_us)

    def _waits(self, message: Unreadable) -> bool:
        if message.let_go:
            return count_letters(self._connection) >= self._spec.dead_letters_max
        return message.waits

    def _bury(self, envelope: Envelope, now_us: int) -> DeadLettered:
        # The same letter again where the incarnation died before its burial was heard of.
        letter_id = envelope.letter_id = envelope.letter_id or self._rng.new_id(now_us)
        envelope.error = envelope.error or no_handler(envelope)
        bury(
            self._connection,
            envelope,
            service=self._spec.name,
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

    def _roll_back(self) -> None:
        for step in self._at_rolled_back:
            step()
        with suppress(sqlite3.Error):  # closed, or rolled back by SQLite: nothing is left to undo
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
