"""Bugs to be found: each planted by itself, for the length of a `with` block, by tests alone.

They are what systems of this kind really get wrong: a guarantee that holds until somebody dies at
the wrong moment, or a case that a handler's author forgot.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import msgspec

from actors.errors import OutOfOrder
from actors.kernel.future import AsyncioFuture
from actors.kernel.messages import Later, Refusal
from actors.resilience.background_gate import BackgroundGate
from actors.resilience.breaker import Breaker
from actors.service.channel import Channel
from actors.service.scheduler import Scheduler
from actors.store.epoch import Epoch
from actors.store.group_commit import GroupCommit
from actors.store.inline_store import InlineStore
from actors.store.messaging import deferred_replies, inbox, outbox
from actors.store.messaging.inbox import Inbox
from actors.store.messaging.many_rows import ManyRows
from actors.store.messaging.request_keys import MISSING, RequestKeys
from actors.store.messaging.timers import Timers
from actors.store.store import WriteResult
from actors.systems.hotel import room
from actors.systems.hotel.booking import BookingService
from actors.systems.hotel.booking_cancellation import BookingCancellation
from actors.systems.hotel.booking_rows import HAS_HOLD
from actors.systems.hotel.room import RoomService
from actors.systems.hotel.saga_messages import ExpireHold, HoldExpired, HoldReleased, ReleaseHold
from actors.systems.tweets import responder
from actors.systems.tweets.x.stream_adapter import StreamAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from actors.kernel.envelope import Envelope
    from actors.service.receipt import Receipt
    from actors.service.service import Service
    from actors.store.messaging.origin import ChannelOrigin
    from actors.store.messaging.output import Output
    from actors.store.transaction import Transaction
    from actors.systems.tweets.x.stream_adapter import Said

# From the early reply to its commit: the sync of a disk that is busy.
EARLY_S: Final = 0.1
FOR_EVER_S: Final = 1e9


class Plant(msgspec.Struct, frozen=True):
    """A bug: `sentence` says what goes wrong, `planted` makes it so.

    It is looked for in simulations of `system` under faults of `profile`.
    """

    name: str
    sentence: str
    system: str
    profile: str
    planted: Callable[[], AbstractContextManager[None]]


PLANTS: dict[str, Plant] = {}


def plant(
    sentence: str, *, system: str, profile: str
) -> Callable[[Callable[[], Iterator[None]]], Callable[[], Iterator[None]]]:
    """Add the decorated context manager to `PLANTS`, under its own name."""

    def add(planted: Callable[[], Iterator[None]]) -> Callable[[], Iterator[None]]:
        name = planted.__name__
        PLANTS[name] = Plant(name, sentence, system, profile, contextmanager(planted))
        return planted

    return add


# --- Commits -----------------------------------------------------------------------------------


class _HeldCommit:
    """A connection whose COMMIT is still to come."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.held = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, sql: str, *params: Any) -> Any:
        if sql == "COMMIT":
            self.held = True
            return None
        return self.connection.execute(sql, *params)


@plant("a reply leaves a moment before its commit", system="tweets", profile="kills")
def reply_before_commit() -> Iterator[None]:
    async def write(
        self: InlineStore, batch: Sequence[Envelope], handlers: Mapping[Any, Any]
    ) -> WriteResult:
        commit = self._commit
        assert commit is not None
        if self._abandoned:  # it would only wait for its successor's lock
            return WriteResult(outcomes=())
        connection = commit._connection
        held = _HeldCommit(connection)
        commit._connection = held  # type: ignore[assignment]
        try:
            result = commit.write(batch, handlers)
        finally:
            commit._connection = connection
        if held.held:
            for envelope, outcome in zip(batch, result.outcomes, strict=False):
                if isinstance(envelope.reply_to, AsyncioFuture) and not isinstance(outcome, Later):
                    envelope.reply_to.settle(outcome)
            try:
                await asyncio.sleep(EARLY_S)
            except asyncio.CancelledError:  # killed: the successor must not wait for the lock
                connection.rollback()
                raise
            connection.execute("COMMIT")
        return result

    with patch.object(InlineStore, "write", write):
        yield


@plant("a dead incarnation's batch commits all the same", system="tally", profile="kills")
def no_fence() -> Iterator[None]:
    with patch.object(Epoch, "fence", lambda self: None):
        yield


@plant("what a refused command wrote is kept", system="tally", profile="kills")
def refusal_not_rolled_back() -> Iterator[None]:
    with patch.object(GroupCommit, "_undo", lambda self, tx, changes: None):
        yield


@plant("a request under a known key is run again", system="tweets", profile="network")
def no_request_keys() -> Iterator[None]:
    with (
        patch.object(RequestKeys, "find", lambda self, envelope, handler: MISSING),
        patch.object(RequestKeys, "keep", lambda self, envelope, reply: None),
    ):
        yield


@plant("who asks again gets what there was so far for an answer", system="hotel", profile="kills")
def stale_answer() -> Iterator[None]:
    with patch.object(deferred_replies, "still_open", lambda connection, envelope: None):
        yield


# --- Messages ----------------------------------------------------------------------------------

is_duplicate = Inbox.is_duplicate


@plant("a message that comes twice is applied twice", system="tally", profile="kills")
def no_dedup() -> Iterator[None]:
    def never(self: Inbox, origin: ChannelOrigin, *, redelivered: bool) -> bool:
        is_duplicate(self, origin, redelivered=redelivered)
        return False

    with patch.object(Inbox, "is_duplicate", never):
        yield


@plant("the high-water mark is written one commit late", system="tally", profile="kills")
def mark_after_commit() -> Iterator[None]:
    def before_commit(self: Any, output: Output) -> None:
        late = getattr(self, "late", {})
        rows = [(*file, applied) for file, applied in late.items()]
        self._connection.executemany(inbox.KEEP_MARK, rows)

    def committed(self: Any) -> None:
        self.late = self._moved
        self._marks.update(self._moved)
        self._moved = {}

    with (
        patch.object(Inbox, "before_commit", before_commit),
        patch.object(Inbox, "committed", committed),
    ):
        yield


@plant("a message is taken though one before it is missing", system="tally", profile="disk")
def gaps_accepted() -> Iterator[None]:
    def lenient(self: Inbox, origin: ChannelOrigin, *, redelivered: bool) -> bool:
        try:
            return is_duplicate(self, origin, redelivered=redelivered)
        except OutOfOrder:
            return False

    with patch.object(Inbox, "is_duplicate", lenient):
        yield


@plant("messages are sent from memory, and not in the outbox", system="hotel", profile="kills")
def outbox_in_memory() -> Iterator[None]:
    def nowhere(self: ManyRows, connection: Any, rows: Any) -> None:
        if self is not outbox.PUT_MANY:
            insert(self, connection, rows)

    insert = ManyRows.insert
    with patch.object(ManyRows, "insert", nowhere):
        yield


@plant("one message too many is taken for delivered", system="tally", profile="kills")
def acknowledged_too_much() -> Iterator[None]:
    acknowledge = InlineStore.acknowledge

    def more(self: InlineStore, receiver: str, number: int) -> int:
        return acknowledge(self, receiver, number + 1)

    with patch.object(InlineStore, "acknowledge", more):
        yield


@plant("a message that could not be taken counts as delivered", system="tally", profile="disk")
def failure_is_delivery() -> Iterator[None]:
    def applied(self: Channel, receipt: Receipt, error: BaseException) -> None:
        self._applied = self.acknowledged + 1
        self._go_on()

    with patch.object(Channel, "failed", applied):
        yield


@plant("a channel that goes back begins one message too late", system="hotel", profile="disk")
def go_back_skips() -> Iterator[None]:
    wait = Channel._wait

    def skip(self: Channel, error: BaseException) -> None:
        wait(self, error)
        self._sent = min(self._sent + 1, self._last)

    with patch.object(Channel, "_wait", skip):
        yield


@plant("who waits for a slice is forgotten", system="hotel", profile="kills")
def no_turn() -> Iterator[None]:
    def forget(self: BackgroundGate) -> None:
        self._waiting.clear()

    with patch.object(BackgroundGate, "_slice", forget):
        yield


# --- Timers and effects ------------------------------------------------------------------------


def _forgetful(*, effects: bool) -> AbstractContextManager[Any]:
    begin = Scheduler.__init__

    def forget(self: Scheduler, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        if (self._run is not None) == effects:
            self._next_us = None
            self._behind = self._behind_at_once = False

    return patch.object(Scheduler, "__init__", forget)


@plant("a restart forgets the timers it finds", system="hotel", profile="kills")
def timers_lost_at_restart() -> Iterator[None]:
    with _forgetful(effects=False):
        yield


@plant("a restart forgets the effects it finds", system="hotel", profile="kills")
def effects_lost_at_restart() -> Iterator[None]:
    with _forgetful(effects=True):
        yield


@plant("a timer, or an effect's outcome, that comes twice counts twice",
       system="tally", profile="kills")  # fmt: skip
def timer_twice() -> Iterator[None]:
    with patch.object(Timers, "is_duplicate", lambda self, seq: False):
        yield


@plant("a breaker that has opened never closes", system="hotel", profile="kills")
def breaker_stays_open() -> Iterator[None]:
    def stay(self: Breaker) -> None:
        self._change("open")
        self._open_until_s = FOR_EVER_S

    with patch.object(Breaker, "_open", stay):
        yield


# --- The hotel's own ---------------------------------------------------------------------------


def _instead(service: type[Service], message: Any, function: Any) -> AbstractContextManager[Any]:
    """Let `function` handle the message."""
    spec = msgspec.structs.replace(service.handlers[message], function=function)
    return patch.dict(service.handlers, {message: spec})


@plant("the nights of a booking that ends are not freed", system="hotel", profile="kills")
def nights_never_freed() -> Iterator[None]:
    def release(self: RoomService, tx: Transaction, cmd: ReleaseHold) -> None:
        tx.publish(HoldReleased(hold_id=cmd.hold_id))

    with _instead(RoomService, ReleaseHold, release):
        yield


@plant("a hold runs out though it was confirmed", system="hotel", profile="kills")
def confirmed_hold_expires() -> Iterator[None]:
    def expire(self: RoomService, tx: Transaction, cmd: ExpireHold) -> None:
        if tx.one(room.HOLD, cmd.hold_id) is not None:
            room._end(tx, cmd.hold_id)
            tx.publish(HoldExpired(hold_id=cmd.hold_id))

    with _instead(RoomService, ExpireHold, expire):
        yield


@plant("a guest whose hold ran out does not get the money back", system="hotel", profile="kills")
def refund_forgotten_on_expiry() -> Iterator[None]:
    def hold_expired(self: BookingService, tx: Transaction, event: HoldExpired) -> None:
        refusal = Refusal.conflict("the room was held for a while, and not paid for in time")
        self._reject(tx, event.hold_id, HAS_HOLD, refusal)

    with _instead(BookingService, HoldExpired, hold_expired):
        yield


@plant("a cancellation forgets the refund", system="hotel", profile="kills")
def refund_forgotten_on_cancellation() -> Iterator[None]:
    ask = BookingCancellation._ask

    def forget(self: BookingCancellation, tx: Transaction, booking_id: str) -> None:
        tx.execute("UPDATE booking SET refund_accepted = 1 WHERE id = ?", booking_id)
        ask(self, tx, booking_id)

    with patch.object(BookingCancellation, "_ask", forget):
        yield


# --- The brand monitor's own -------------------------------------------------------------------


@plant("a reconnect does not ask X for what was missed", system="tweets", profile="kills")
def backfill_forgotten() -> Iterator[None]:
    follow = StreamAdapter.follow

    def forget(self: StreamAdapter, *, backfill_minutes: int) -> AsyncGenerator[Said]:
        del backfill_minutes
        return follow(self)

    with patch.object(StreamAdapter, "follow", forget):
        yield


@plant("an answer that stands at X counts as refused", system="tweets", profile="network")
def duplicate_is_refused() -> Iterator[None]:
    with patch.object(responder, "DUPLICATE", "what X never says"):
        yield
