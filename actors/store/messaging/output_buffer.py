"""Collects what handlers send, in memory; the outbox and others write it at the batch's end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.errors import NoSuchActor, OutboxFull
from actors.kernel.messages import type_name, type_of
from actors.store.messaging.output import AT_ONCE_US, Outgoing, Output, Published, Timer
from actors.store.messaging.unheard import unheard_name
from actors.store.participant import Participant, nothing
from actors.tracing.trace_context import is_traced

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.clock import Clock
    from actors.kernel.discovery.sharding import Sharding
    from actors.kernel.envelope import Envelope
    from actors.store.messaging.service_catalog import ServiceCatalog

_encode = msgspec.json.Encoder().encode

# What SQLite's integers, and so the table of timers, can hold.
US_MAX: Final = 2**63 - 1
# Where a command's own begins in an output that is empty.
NOTHING_SENT: Final = (0, 0, 0, 0)


class OutputBuffer(Participant):
    """What the batch at work has sent so far."""

    def __init__(
        self,
        name: str,
        catalog: ServiceCatalog,
        *,
        clock: Clock,
        is_full: Callable[[str], bool],
        begin_step: Callable[[Envelope], str | None],
    ) -> None:
        """`name` is the service's own; `is_full` says whether a receiver's outbox takes no more.

        `begin_step` says what travels with what a traced message leads to.
        """
        self._clock = clock
        self._name = name
        self._handled = catalog.handled
        self._effects = catalog.effects.get(name, frozenset())
        self._subscribers = catalog.subscribers()
        self._sharded = catalog.sharded
        # Of which it is one itself, if it is.
        self.own = catalog.sharding_of(name)
        self._is_full = is_full
        self._begin_step = begin_step
        self._now_us = 0
        self._mark = NOTHING_SENT
        self.output = Output()
        # The present command, with its time; and the request that it came with.
        self.envelope: Envelope | None = None
        self.trace: str | None = None

    def deadline_us(self) -> int | None:
        """Return when the present command is of no use any more, or its asker is gone."""
        envelope = self.envelope
        if envelope is None or envelope.deadline is None:
            return None if envelope is None else envelope.by_us
        left_s = envelope.deadline - self._clock.monotonic()
        return self._clock.now_us() + round(left_s * 1_000_000)

    def keeps(self, key: object) -> bool:
        """Whether what has this key is kept here: all is, but in a shard."""
        return self.own is None or self.own.place(key) == self._name

    def send(self, service: str, message: Any, by_us: int | None = None) -> None:
        """Send a command to another service."""
        if service == self._name:
            error = (
                f"{service} is this service's own name: write tx.run(…) for an effect of its own, "
                f"and tx.after(0.0, …) for a command"
            )
            raise TypeError(error)
        name = self._check(service, message)
        receiver = self._place(service, name, message) if self._sharded else service
        self._check_room(receiver)
        until_us = None if by_us is None else self._until(by_us)
        self._add(receiver, name, message, _encode(message), until_us)

    def publish(self, event: Any) -> None:
        """Send the event to each subscriber, and keep it for later ones."""
        name = type_name(type_of(event))
        blob = _encode(event)
        subscribers = self._subscribers.get(name, ())
        if self._sharded:
            subscribers = tuple([self._place(each, name, event) for each in subscribers])
        for subscriber in subscribers:  # to all or to none, should the handler look away
            self._check_room(subscriber)
        self.output.events.append(Published(message_type=name, blob=blob, trace=self.trace))
        for subscriber in subscribers:
            self._add(subscriber, name, event, blob)

    def run(self, message: Any, by_us: int | None = None) -> None:
        """Ask for an effect: a timer due now."""
        name = type_name(type_of(message))
        if name not in self._effects:
            effects = ", ".join(sorted(self._effects)) or "none"
            error = (
                f"{self._name} has no @effect for {name}; it has {effects}. A command of its own "
                f"goes by tx.after(0.0, …), one to another service by tx.send"
            )
            raise TypeError(error)
        self.after(0.0, message, by_us)

    def after(self, delay_s: float, message: Any, by_us: int | None = None) -> None:
        """Send to oneself, `delay_s` seconds from now."""
        name = self._check(self._name, message)
        if self.own is not None:
            self._check_stays(name, message, self.own)
        if not math.isfinite(delay_s):
            error = f"tx.after({delay_s}, …): a delay is a finite number of seconds"
            raise ValueError(error)
        delay_us = round(max(0.0, delay_s) * 1_000_000)
        due_us = self._now_us + delay_us if delay_us else AT_ONCE_US
        until_us = self._until(by_us)
        if until_us is not None and until_us < due_us:  # it is told so then, and no later
            due_us = until_us if until_us > self._now_us else AT_ONCE_US
        blob = _encode(message)
        if due_us > US_MAX:
            error = f"{delay_s} s from now is beyond every calendar"
            raise ValueError(error)
        self.output.timers.append(
            Timer(
                due_us=due_us,
                message_type=name,
                blob=blob,
                message=message,
                trace=self.trace,
                by_us=until_us,
            )
        )

    def tell(self, service: str, message: Any) -> None:
        """Send a refusal: who does not listen to it now keeps it as a dead letter, and ever will.

        The row says which. What was wanted when it was written waits for code that can read it.
        """
        name = type_name(type_of(message))
        stored = name if name in self._handled.get(service, ()) else unheard_name(name)
        self._add(service, stored, message, _encode(message))

    def tell_expired(self, service: str, message: Any) -> bool:
        """Send back what was too late; false where its sender does not want to know."""
        name = type_name(type_of(message))
        is_heard = name in self._handled.get(service, ())
        if is_heard:
            self._add(service, name, message, _encode(message))
        return is_heard

    def reply(self, request: str, value: Any) -> None:
        """Answer a Later. Raises here, and not at the commit of all, where it cannot be stored."""
        request.encode()
        _encode(value)
        self.output.replies.append((request, value))

    def hurry(self) -> None:
        """Note that a client waits for what the last command has sent, unless that has answered."""
        messages, timers, _, replies = self._mark
        output = self.output
        if len(output.replies) == replies:
            for message in output.messages[messages:]:
                message.urgent = True
            for timer in output.timers[timers:]:
                timer.urgent = True

    # --- The steps of the batch --------------------------------------------------------------

    def begin(self, now_us: int) -> None:
        """Nothing is sent yet; what the last batch has sent is in other hands."""
        self._now_us = now_us
        self.output = Output()

    def savepoint(self, envelope: Envelope) -> None:
        """What is sent from now on follows from this one: note where that begins."""
        self.envelope, self.trace = envelope, envelope.trace
        if is_traced(envelope.trace):
            self.trace = self._begin_step(envelope)
        output = self.output
        if not (output.messages or output.timers or output.events or output.replies):
            self._mark = NOTHING_SENT  # as of most, in a service that sends little
            return
        self._mark = (
            len(output.messages),
            len(output.timers),
            len(output.events),
            len(output.replies),
        )

    def savepoint_undone(self) -> None:
        """Forget what was added since."""
        messages, timers, events, replies = self._mark
        output = self.output
        del output.messages[messages:], output.timers[timers:]
        del output.events[events:], output.replies[replies:]

    opened = before_commit = committed = rolled_back = nothing

    # --- Inside ------------------------------------------------------------------------------

    def _check_room(self, receiver: str) -> None:
        if self._is_full(receiver):
            error = (
                f"the outbox for {receiver} holds store.outbox_messages_max messages that "
                f"{receiver} has not taken; look at it in /admin/channels and /admin/actors"
            )
            raise OutboxFull(error, retry_after_s=1.0)

    def _add(
        self, receiver: str, name: str, message: Any, blob: bytes, by_us: int | None = None
    ) -> None:
        self.output.messages.append(
            Outgoing(
                receiver=receiver,
                message_type=name,
                blob=blob,
                message=message,
                trace=self.trace,
                by_us=by_us,
            )
        )

    def _place(self, service: str, name: str, message: Any) -> str:
        """Return who of the service is meant. Raises TypeError where that cannot be known.

        What makes its key itself goes by what it says: any place would do.
        """
        sharding = self._sharded.get(service)
        if sharding is None:
            return service
        key = sharding.key_of(message)
        if key is not None:
            return sharding.place(key)
        if name not in sharding.creates:
            error = (
                f"{service} is kept in shards by {sharding.key!r}, and this {name} has none: no "
                f"shard is meant"
            )
            raise TypeError(error)
        return sharding.place(_encode(message).decode())

    def _check_stays(self, name: str, message: Any, own: Sharding) -> None:
        key = own.key_of(message)
        if key is not None and not self.keeps(key):
            error = (
                f"{name}({own.key}={key!r}) is for another shard of {own.service}, and this would "
                f"stay in {self._name}: write tx.send({own.service!r}, ...)"
            )
            raise TypeError(error)

    def _until(self, by_us: int | None) -> int | None:
        """Return the time, cut to that of the message that is handled, if that has one."""
        if by_us is None:
            return None
        if by_us.__class__ is not int or not 0 <= by_us <= US_MAX:
            error = (
                f"by_us={by_us!r}: write whole microseconds since the epoch, such as "
                f"tx.deadline_us or tx.now_us + 60_000_000"
            )
            raise TypeError(error)
        own_us = None if self.envelope is None else self.envelope.by_us
        return by_us if own_us is None else min(by_us, own_us)

    def _is_place(self, service: str) -> bool:
        """Whether it is a shard's own name, by which none is sent anything: its key is."""
        return bool(self._sharded) and service.rpartition("-")[0] in self._sharded

    def _check(self, service: str, message: Any) -> str:
        """Return the message's type name. Raises where nobody would handle it."""
        name = type_name(type_of(message))
        handled = self._handled.get(service)
        if handled is None or (service != self._name and self._is_place(service)):
            names = (each for each in self._handled if not self._is_place(each))
            known = ", ".join(sorted(names)) or "none"
            error = f"no service is called {service!r}; there are {known}"
            raise NoSuchActor(error)
        if name not in handled:
            error = f"{service} has no handler for {name}"
            if not handled:  # a stateless service, say
                error = f"{service} answers queries only, and is sent nothing; ask from an @effect"
            raise TypeError(error)
        return name
