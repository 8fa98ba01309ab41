"""Messages that no actor will handle, with the reason. Bounded: the newest are kept."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from actors.kernel import lifecycle
from actors.kernel.messages import type_name, type_of
from actors.log import ids_of

if TYPE_CHECKING:
    from actors.errors import DeadLettered
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One message given up; `at_us` is epoch microseconds. `durable` ones are in a store.

    `sender` is the service it came from by a channel, `request_id` that of the request behind it.
    """

    id: str
    actor: str
    message_type: str
    message: str
    reason: str
    attempts: int
    at_us: int
    durable: bool
    request_key: str | None = None
    sender: str | None = None
    request_id: str | None = None


def _printed(message: object) -> str:
    try:
        return repr(message)[:1000]
    except Exception as error:  # noqa: BLE001 - an author's __repr__ may raise anything
        return f"{type(message).__name__}, whose repr() raised {type(error).__name__}"


class DeadLetters:
    """Keeps the last `capacity` dead letters of actors without a store, and counts them all."""

    def __init__(self, *, capacity: int, clock: Clock, events: lifecycle.Lifecycle) -> None:
        """Start empty."""
        self.count = 0
        self._letters: deque[DeadLetter] = deque(maxlen=capacity)
        self._clock = clock
        self._events = events

    def add(self, actor: str, envelope: Envelope, reason: str) -> DeadLetter:
        """Keep the message with its reason, and say so to the lifecycle's subscribers."""
        self.count += 1
        letter = DeadLetter(
            id=f"memory-{self.count}",
            actor=actor,
            message_type=type(envelope.message).__name__,
            message=_printed(envelope.message),
            reason=reason,
            attempts=envelope.attempt,
            at_us=self._clock.now_us(),
            durable=False,
            request_key=envelope.key,
            request_id=ids_of(envelope.trace)["request_id"],
        )
        self._letters.append(letter)
        self._announce(actor, envelope, reason, letter.id)
        return letter

    def note(self, actor: str, envelope: Envelope, error: DeadLettered) -> None:
        """Announce a dead letter that a store keeps, and keep one that none does."""
        if error.letter_id is None:
            self.add(actor, envelope, str(error))
        else:
            self.count += 1
            self._announce(actor, envelope, str(error), error.letter_id)

    def _announce(self, actor: str, envelope: Envelope, reason: str, letter_id: str) -> None:
        self._events.emit(
            lifecycle.DeadLettered(
                name=actor,
                message_type=type_name(type_of(envelope.message)),
                reason=reason,
                attempts=envelope.attempt,
                trace=envelope.trace,
                letter_id=letter_id,
            )
        )

    def holds(self, letter_id: str) -> bool:
        """Whether that letter is kept here."""
        return any(letter.id == letter_id for letter in self._letters)

    def discard(self, letter_id: str) -> bool:
        """Forget the letter; returns whether it was here."""
        found = [letter for letter in self._letters if letter.id == letter_id]
        for letter in found:
            self._letters.remove(letter)
        return bool(found)

    def list(self) -> list[DeadLetter]:
        """Return what is kept, oldest first."""
        return list(self._letters)
