"""What a batch's handlers want to tell the world: it leaves with the commit, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.errors import NoSuchActor, OutboxFull
from actors.kernel.messages import type_name, type_of

if TYPE_CHECKING:
    from actors.store.messaging.service_catalog import ServiceCatalog

_encode = msgspec.json.Encoder().encode

# What SQLite's integers, and so the table of timers, can hold.
DUE_US_MAX: Final = 2**63 - 1
# When something is due that is due at once: also where the wall clock is set back meanwhile.
AT_ONCE_US: Final = 0


class Outgoing(msgspec.Struct, kw_only=True):
    """A message on a channel; `number` is given at the commit. `message` is None until decoded."""

    receiver: str
    message_type: str
    blob: bytes
    message: Any = None
    trace: str | None = None
    number: int = 0


class Timer(msgspec.Struct, kw_only=True):
    """A message to the service itself, due at `due_us` or AT_ONCE_US; `seq` comes at the commit."""

    due_us: int
    message_type: str
    blob: bytes
    message: Any = None
    trace: str | None = None
    seq: int = 0


class Published(msgspec.Struct, kw_only=True):
    """An event as it is kept for subscribers yet to come."""

    message_type: str
    blob: bytes
    trace: str | None


class Departures:
    """Collects in memory, at a handler's speed; `Outbox` and `Timers` write it all at once."""

    __slots__ = (
        "_catalog",
        "_full",
        "_name",
        "_now_us",
        "_subscribers",
        "events",
        "messages",
        "replies",
        "timers",
        "trace",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        catalog: ServiceCatalog,
        subscribers: dict[str, tuple[str, ...]],
        *,
        now_us: int,
        full: frozenset[str],
    ) -> None:
        """`name` is the service's own; `full` are the receivers whose outbox takes no more."""
        self._name = name
        self._catalog = catalog
        self._subscribers = subscribers
        self._now_us = now_us
        self._full = full
        self.messages: list[Outgoing] = []
        self.timers: list[Timer] = []
        self.events: list[Published] = []
        self.replies: list[tuple[str, Any]] = []
        # The request that the present command came with.
        self.trace: str | None = None

    def send(self, service: str, message: Any) -> None:
        """Send a command, or tell a service something; to oneself it is a timer due now."""
        if service == self._name:
            self.after(0.0, message)
            return
        name = self._check(service, message)
        self._check_room(service)
        self._add(service, name, message, _encode(message))

    def publish(self, event: Any) -> None:
        """Send the event to each subscriber, and keep it for later ones."""
        name = type_name(type_of(event))
        blob = _encode(event)
        subscribers = self._subscribers.get(name, ())
        for subscriber in subscribers:  # to all or to none, should the handler look away
            self._check_room(subscriber)
        self.events.append(Published(message_type=name, blob=blob, trace=self.trace))
        for subscriber in subscribers:
            self._add(subscriber, name, event, blob)

    def after(self, delay_s: float, message: Any) -> None:
        """Send to oneself, `delay_s` seconds from now."""
        self._add_timer(delay_s, self._check(self._name, message), message, _encode(message))

    def tell(self, service: str, message: Any) -> None:
        """Send without a look at who handles it: whoever does not, keeps it as a dead letter."""
        name = type_name(type_of(message))
        self._add(service, name, message, _encode(message))

    def reply(self, request: str, value: Any) -> None:
        """Answer a Later. Raises here, and not at the commit of all, where it cannot be stored."""
        request.encode()
        _encode(value)
        self.replies.append((request, value))

    def mark(self) -> tuple[int, int, int, int]:
        """Return where a command's own departures begin."""
        return len(self.messages), len(self.timers), len(self.events), len(self.replies)

    def rewind(self, mark: tuple[int, int, int, int]) -> None:
        """Forget what was added since: the command was rolled back."""
        messages, timers, events, replies = mark
        del self.messages[messages:], self.timers[timers:]
        del self.events[events:], self.replies[replies:]

    # --- Inside ------------------------------------------------------------------------------

    def _check_room(self, receiver: str) -> None:
        if receiver in self._full:
            error = (
                f"the outbox for {receiver} holds store.outbox_messages_max messages that "
                f"{receiver} has not taken; look at it in /admin/channels and /admin/actors"
            )
            raise OutboxFull(error, retry_after_s=1.0)

    def _add(self, receiver: str, name: str, message: Any, blob: bytes) -> None:
        self.messages.append(
            Outgoing(
                receiver=receiver, message_type=name, blob=blob, message=message, trace=self.trace
            )
        )

    def _add_timer(self, delay_s: float, name: str, message: Any, blob: bytes) -> None:
        delay_us = round(max(0.0, delay_s) * 1_000_000)
        due_us = self._now_us + delay_us if delay_us else AT_ONCE_US
        if due_us > DUE_US_MAX:
            error = f"{delay_s} s from now is beyond every calendar"
            raise ValueError(error)
        self.timers.append(
            Timer(due_us=due_us, message_type=name, blob=blob, message=message, trace=self.trace)
        )

    def _check(self, service: str, message: Any) -> str:
        """Return the message's type name. Raises where nobody would handle it."""
        name = type_name(type_of(message))
        handled = self._catalog.handled.get(service)
        if handled is None:
            known = ", ".join(sorted(self._catalog.handled)) or "none"
            error = f"no service is called {service!r}; there are {known}"
            raise NoSuchActor(error)
        if name not in handled:
            error = f"{service} has no handler for {name}"
            if not handled:  # a stateless service, say
                error = f"{service} answers queries only, and is sent nothing; ask from an @effect"
            raise TypeError(error)
        return name
