"""A bounded inbox that belongs to the actor, so that it survives every incarnation."""

from __future__ import annotations

from collections import deque
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from actors.errors import ActorError, DeadlineExceeded, MailboxFull

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from actors.config import MailboxConfig
    from actors.kernel.context import KernelContext
    from actors.kernel.envelope import Envelope
    from actors.measures.lane_measures import LaneMeasures

    class FaultyArrivals(Protocol):
        """What is done to what arrives, before it is accepted; see `actors.faults.lab.arriving`."""

        def takes(self, envelope: Envelope) -> bool: ...

        def lets_in(self, envelopes: Sequence[Envelope]) -> Sequence[Envelope]: ...

        def withdraw(self, wanted: Callable[[Envelope], bool]) -> None: ...


# Which of the messages of a closed mailbox become dead letters.
Lettered = Literal["all", "untold", "none"]
Signal = Literal["kill", "restart", "suspend", "resume", "stop"]

# Where an actor notices that the time of what it is to do is up: while it was queued; when its turn
# in a batch came; of what another service or the service itself has sent and keeps; of an effect.
PLACES: Final = ("mailbox", "batch", "channel", "timer", "effect")


class Lane:
    """One queue of a mailbox, and what an incarnation has taken from it and not yet settled."""

    __slots__ = ("in_flight", "index", "measures", "queue", "since_s", "waiting", "work")

    def __init__(self, index: int) -> None:
        """Start empty and idle; `index` is its place among the mailbox's lanes."""
        self.index = index
        self.queue: deque[Envelope] = deque()
        self.in_flight: Sequence[Envelope] = ()
        # Senders that wait for room, under the overflow policy "wait".
        self.waiting: deque[tuple[Envelope, asyncio.Future[None]]] | None = None
        # The task that handles what is in flight, where handling is asynchronous.
        self.work: asyncio.Task[Any] | None = None
        # When that task began, in the clock's monotonic seconds.
        self.since_s = 0.0
        # Of one whose messages are taken in batches.
        self.measures: LaneMeasures | None = None


class Mailbox:
    """Holds at most `capacity` messages a lane; every one accepted is accounted for.

    accepted = handled + refused + dead_lettered + handed_over + queued, at any moment. A lane is a
    queue of its own (a service's queries never wait behind its commands). Signals go before all
    messages and need no room: a full mailbox must still be stoppable.
    """

    __slots__ = (
        "_ambient", "_call_soon", "_context", "_lane_of", "_monotonic", "_name", "_overflow",
        "_retry_after_s", "_thread", "_turn", "accepted", "arrivals", "asleep", "capacity",
        "closed", "dead_lettered", "expired", "handed_over", "handled", "lanes", "refused",
        "rejected", "signals",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        context: KernelContext,
        config: MailboxConfig,
        *,
        lanes: int,
        lane_of: Callable[[Any], int] | None,
        turn: Callable[[], None],
    ) -> None:
        """`turn` is what the loop calls when there is something to do."""
        self._name = name
        self._context = context
        self._overflow = config.overflow
        self._retry_after_s = config.retry_after_s
        self._lane_of = lane_of
        self._turn = turn
        self._call_soon = context.loop.call_soon
        self._ambient = context.ambient
        self._monotonic = context.clock.monotonic
        self._thread = get_ident()
        self.capacity = config.capacity
        self.lanes = tuple([Lane(index) for index in range(lanes)])
        self.signals: deque[tuple[Signal, Any]] | None = None
        # Set while the actor is parked or stopped: makes the error that every sender gets.
        self.closed: Callable[[], ActorError] | None = None
        # What is wrong with the way here, while something is on purpose.
        self.arrivals: FaultyArrivals | None = None
        # True while no turn is scheduled and one would have something to do with a new message.
        self.asleep = False
        self.accepted = self.handled = self.refused = self.dead_lettered = self.rejected = 0
        self.handed_over = 0
        # How much was not run, for its time was up, by PLACES.
        self.expired = dict.fromkeys(PLACES, 0)

    # --- Senders' side -----------------------------------------------------------------------

    def put(self, envelope: Envelope) -> None:
        """Accept the message, from any thread. On the loop's thread, raises what `offer` raises.

        From another thread a refusal arrives in the reply's future, or as a dead letter.
        """
        if get_ident() != self._thread:
            self._context.loop.call_soon_threadsafe(self._put_from_elsewhere, envelope)
            return
        if self.arrivals is not None and self.arrivals.takes(envelope):
            return
        lane = (
            self.lanes[0] if self._lane_of is None else self.lanes[self._lane_of(envelope.message)]
        )
        if self.closed is None and len(lane.queue) < self.capacity:
            # The common case, written out: a call less is a tenth of an ask.
            self.accepted += 1
            envelope.seq = self.accepted
            if lane.measures is not None:
                envelope.accepted_s = self._monotonic()
            lane.queue.append(envelope)
            if self.asleep and lane.work is None:
                self.asleep = False
                self._call_soon(self._turn, context=self._ambient)
            return
        self._offer_unattended(envelope)

    def offer(self, envelope: Envelope) -> asyncio.Future[None] | None:
        """Accept the message or apply the overflow policy; loop's thread only.

        Under "wait", returns a future that ends when there was room. Raises MailboxFull where the
        policy (or a full waiting room) refuses, and the reason where the mailbox is closed.
        """
        lane = self.lanes[0 if self._lane_of is None else self._lane_of(envelope.message)]
        if self.closed is not None:
            self.rejected += 1
            raise self.closed()
        if len(lane.queue) >= self.capacity:
            self._drop_expired(lane)
            self.admit_waiting(lane)  # what became free is theirs first
        if len(lane.queue) < self.capacity:
            self._accept(lane, envelope)
            return None
        match self._overflow:
            case "drop_newest":
                self.accepted += 1
                self.dead_letter(envelope, self._full())
            case "drop_oldest":
                self.dead_letter(lane.queue.popleft(), self._full())
                self._accept(lane, envelope)
            case "wait":
                return self._wait_for_room(lane, envelope)
            case _:
                self.rejected += 1
                raise self._full()
        return None

    def admit(self, envelopes: Sequence[Envelope], *, late: bool = False) -> None:
        """Accept messages that their sender keeps until they are applied; loop's thread only.

        They are all of one lane. Beyond `capacity` too: what was acknowledged once goes before what
        may still be refused, and its sender's window bounds it. Raises the reason where the mailbox
        is closed. What comes `late` was held up on its way here.
        """
        if self.arrivals is not None and not late:
            envelopes = self.arrivals.lets_in(envelopes)
            if not envelopes:
                return
        if self.closed is not None:
            self.rejected += 1
            raise self.closed()
        lane = self.lanes[0 if self._lane_of is None else self._lane_of(envelopes[0].message)]
        accepted_s = 0.0 if lane.measures is None else self._monotonic()
        for number, envelope in enumerate(envelopes, self.accepted + 1):
            envelope.seq, envelope.accepted_s = number, accepted_s
        self.accepted += len(envelopes)
        lane.queue.extend(envelopes)
        self._wake(lane)

    def withdraw(self, wanted: Callable[[Envelope], bool]) -> int:
        """Take back queued messages whose sender will send them anew; return how many.

        Those that an incarnation has had in hand stay: they know how often they crashed it.
        """
        count = 0
        if self.arrivals is not None:
            self.arrivals.withdraw(wanted)
        for lane in self.lanes:
            kept = [each for each in lane.queue if each.started or not wanted(each)]
            count += len(lane.queue) - len(kept)
            if len(kept) < len(lane.queue):
                lane.queue.clear()
                lane.queue.extend(kept)
        self.refused += count
        return count

    def has_room(self) -> bool:
        """Whether it accepts a message, in whichever lane."""
        return self.closed is None and all(len(each.queue) < self.capacity for each in self.lanes)

    def put_late(self, envelope: Envelope) -> None:
        """Accept what was held up on its way; a refusal tells the sender as if from elsewhere."""
        try:
            self._offer_unattended(envelope)
        except ActorError as error:
            if envelope.reply_to is not None:
                envelope.reply_to.settle_error(error)
            else:
                self._context.dead_letters.add(self._name, envelope, str(error))

    def hand_over(self, give: Callable[[Envelope], bool], *, whatever: bool) -> None:
        """Let another mailbox have what is queued, as far as `give` says that it has taken it.

        What has crashed an incarnation stays, as it shall not take one sibling after the other
        along, unless it is to go `whatever` it is.
        """
        for lane in self.lanes:
            queued = list(lane.queue)
            lane.queue.clear()
            for envelope in queued:
                if (envelope.attempt and not whatever) or not give(envelope):
                    lane.queue.append(envelope)
                else:
                    self.handed_over += 1
            self.admit_waiting(lane)

    def signal(self, signal: Signal, argument: Any = None) -> None:
        """Deliver a signal ahead of every message, from any thread."""
        if get_ident() != self._thread:
            self._context.loop.call_soon_threadsafe(self.signal, signal, argument)
            return
        if self.signals is None:
            self.signals = deque()
        self.signals.append((signal, argument))
        # Not guarded by `asleep`: a suspended or busy actor must hear its signals too.
        self._call_soon(self._turn, context=self._ambient)

    def get(self) -> Envelope:
        """Take the next message of the first lane that has one (pykka's inbox protocol)."""
        for lane in self.lanes:
            if lane.queue:
                return lane.queue.popleft()
        message = f"the mailbox of {self._name} is empty"
        raise LookupError(message)

    def empty(self) -> bool:
        """Whether no message is queued (pykka's inbox protocol)."""
        return not any(lane.queue for lane in self.lanes)

    @property
    def depth(self) -> int:
        """Messages accepted and not yet settled, those in hand included."""
        return sum(len(lane.queue) + len(lane.in_flight) for lane in self.lanes)

    def busy_since_s(self, now_s: float) -> float:
        """Since when the oldest work in hand has been there; `now_s` where none is."""
        since_s = now_s
        for lane in self.lanes:  # a router looks at each replica of each message's
            if lane.work is not None and lane.since_s < since_s:
                since_s = lane.since_s
        return since_s

    def oldest_s(self, now_s: float) -> float:
        """Since when the oldest message has been there, where that is measured; else `now_s`."""
        oldest = self.busy_since_s(now_s)
        for lane in self.lanes:
            if lane.queue and lane.measures is not None:
                oldest = min(oldest, lane.queue[0].accepted_s)
        return oldest

    # --- The actor's side --------------------------------------------------------------------

    def admit_waiting(self, lane: Lane) -> None:
        """Let waiting senders in, first come first served, as far as there is room."""
        while lane.waiting and len(lane.queue) < self.capacity:
            envelope, admitted = lane.waiting.popleft()
            if _has_left(envelope, admitted):
                continue
            admitted.set_result(None)
            self._accept(lane, envelope)

    def count_on(self, before: Mailbox) -> None:
        """Count on where the mailbox of one that was called so, and is gone, has ended."""
        for name in ("handled", "refused", "dead_lettered", "handed_over", "rejected"):
            setattr(self, name, getattr(before, name))
        self.expired = before.expired
        self.accepted = self.handled + self.refused + self.dead_lettered + self.handed_over
        for lane, its in zip(self.lanes, before.lanes, strict=True):
            lane.measures = its.measures

    def put_back(self, lane: Lane) -> None:
        """Return what was in hand to the lane's head, in its old order."""
        lane.queue.extendleft(reversed(lane.in_flight))
        lane.in_flight = ()

    def expire(self, envelope: Envelope) -> None:
        """Refuse a message whose deadline passed before it was run."""
        self.refused += 1
        self.expired["mailbox"] += 1
        if envelope.reply_to is not None:
            envelope.reply_to.settle_error(too_late(self._name))

    def dead_letter(self, envelope: Envelope, error: ActorError) -> None:
        """Give the message up: keep it with its reason, and end its ask with `error`."""
        if envelope.origin is not None:  # it is kept where it came from, and comes again
            self.refused += 1
            envelope.reply_to.settle_error(error)
            return
        self.dead_lettered += 1
        self._context.dead_letters.add(self._name, envelope, str(error))
        if envelope.reply_to is not None:
            envelope.reply_to.settle_error(error)

    def close(self, reason: Callable[[], ActorError], *, dead_letter: Lettered) -> int:
        """Refuse all messages from now on, and those queued; returns how many were dead letters.

        All are, where the actor is gone; none where it is parked and may be back; and where the
        system ends, those alone whose sender is not told by a reply.
        """
        self.closed = reason
        count = 0
        for lane in self.lanes:
            self.put_back(lane)
            while lane.queue:
                envelope = lane.queue.popleft()
                if dead_letter == "all" or (dead_letter == "untold" and envelope.reply_to is None):
                    count += 1
                    self.dead_letter(envelope, reason())
                    continue
                self.refused += 1
                if envelope.reply_to is not None:
                    envelope.reply_to.settle_error(reason())
            while lane.waiting:
                envelope, admitted = lane.waiting.popleft()
                self.rejected += 1
                if not admitted.done():
                    admitted.set_exception(reason())
                if envelope.reply_to is not None:
                    envelope.reply_to.settle_error(reason())
        return count

    def refuse(self, reason: Callable[[], ActorError]) -> None:
        """Refuse all messages from now on, and those queued whose sender can be told."""
        kept: list[list[Envelope]] = []
        # What a living one has in hand now is its own to end.
        in_hand = [lane.in_flight for lane in self.lanes]
        for lane in self.lanes:
            lane.in_flight = ()
            # What an incarnation has had in hand may have been applied: no refusal would be true.
            stays = [each for each in lane.queue if each.started or each.reply_to is None]
            told = [each for each in lane.queue if not (each.started or each.reply_to is None)]
            lane.queue.clear()
            lane.queue.extend(told)
            kept.append(stays)
        self.close(reason, dead_letter="none")
        for lane, stays, envelopes in zip(self.lanes, kept, in_hand, strict=True):
            lane.queue.extend(stays)
            lane.in_flight = envelopes

    # --- Inside ------------------------------------------------------------------------------

    def _accept(self, lane: Lane, envelope: Envelope) -> None:
        self.accepted += 1
        envelope.seq = self.accepted
        if lane.measures is not None:
            envelope.accepted_s = self._monotonic()
        lane.queue.append(envelope)
        self._wake(lane)

    def _wake(self, lane: Lane) -> None:
        if self.asleep and lane.work is None:
            self.asleep = False
            self._call_soon(self._turn, context=self._ambient)

    def _wait_for_room(self, lane: Lane, envelope: Envelope) -> asyncio.Future[None]:
        if lane.waiting is None:
            lane.waiting = deque()
        if len(lane.waiting) >= self.capacity:  # the waiting room is bounded like the mailbox
            lane.waiting = deque(pair for pair in lane.waiting if not _has_left(*pair))
        if len(lane.waiting) >= self.capacity:
            self.rejected += 1
            raise self._full()
        admitted = self._context.loop.create_future()
        lane.waiting.append((envelope, admitted))
        return admitted

    def _drop_expired(self, lane: Lane) -> None:
        """Messages that nobody waits for any more must not keep out those of the living."""
        now = self._context.clock.monotonic()
        while lane.queue and (deadline := lane.queue[0].deadline) is not None and deadline <= now:
            self.expire(lane.queue.popleft())

    def _put_from_elsewhere(self, envelope: Envelope) -> None:
        if self.arrivals is None or not self.arrivals.takes(envelope):
            self.put_late(envelope)

    def _offer_unattended(self, envelope: Envelope) -> None:
        """Offer for a sender that does not wait: its ask, or else a dead letter, tells the end."""
        admitted = self.offer(envelope)
        if admitted is None:
            return

        def ended(admitted: asyncio.Future[None]) -> None:
            error = None if admitted.cancelled() else admitted.exception()
            if error is not None and envelope.reply_to is None:
                self._context.dead_letters.add(self._name, envelope, str(error))

        admitted.add_done_callback(ended)

    def _full(self) -> MailboxFull:
        return MailboxFull(
            f"the mailbox of {self._name} holds its {self.capacity} messages; "
            f"try again in {self._retry_after_s} s",
            retry_after_s=self._retry_after_s,
        )


def too_late(name: str) -> DeadlineExceeded:
    """Return what is said where the deadline passed before the message was run."""
    return DeadlineExceeded(f"the deadline passed while the message was queued at {name}")


def _has_left(envelope: Envelope, admitted: asyncio.Future[None]) -> bool:
    """Whether a waiting sender was cancelled, or its deadline passed, outside the door."""
    return admitted.done() or (envelope.reply_to is not None and envelope.reply_to.ended)
