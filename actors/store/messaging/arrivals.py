"""Which messages have been applied already: each kind of origin, settled with the transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.errors import NoSuchLetter, OutOfOrder
from actors.store.messaging.dead_letter_table import EXISTS, FORGET
from actors.store.messaging.inbox import Inbox
from actors.store.messaging.origin import ChannelOrigin, LetterOrigin, TimerOrigin

if TYPE_CHECKING:
    import sqlite3

    from actors.store.messaging.origin import Origin
    from actors.store.messaging.output_buffer import Departures
    from actors.store.messaging.timers import Timers

NEW = object()


class Arrivals:
    """Recognises the second delivery of what is kept elsewhere until it is applied here."""

    def __init__(self, connection: sqlite3.Connection, name: str, timers: Timers) -> None:
        """Work on the writer connection of the service `name`."""
        self._connection = connection
        self._inbox = Inbox(connection, name)
        self._timers = timers
        self._letters: set[str] = set()

    def begin(self) -> None:
        """Read the marks."""
        self._inbox.begin()

    def outcome_of(self, origin: Origin, *, redelivered: bool) -> Any:
        """Return NEW, or how to answer a message that was applied before or comes too early.

        `redelivered`: an incarnation that died had it in hand.
        """
        match origin:
            case ChannelOrigin():
                try:
                    duplicate = self._inbox.is_duplicate(origin, redelivered=redelivered)
                except OutOfOrder as error:
                    return error
                return None if duplicate else NEW
            case TimerOrigin():
                return None if self._timers.is_duplicate(origin.seq) else NEW
            case LetterOrigin():
                return NEW if self._is_kept(origin.letter_id) else _no_letter(origin.letter_id)

    def apply(self, origin: Origin) -> None:
        """Settle it: handled, refused, or (but for a letter) buried."""
        match origin:
            case ChannelOrigin():
                self._inbox.apply(origin)
            case TimerOrigin():
                self._timers.apply(origin.seq)
            case LetterOrigin():
                self._letters.add(origin.letter_id)

    def flush(self, departures: Departures) -> None:
        """Write it, in the transaction."""
        self._inbox.flush()
        self._timers.flush(departures)
        if self._letters:
            self._connection.executemany(FORGET, [(letter,) for letter in self._letters])

    def committed(self) -> None:
        """Take over what `flush` wrote: it is on disk."""
        self._inbox.committed()
        self._timers.discard()
        self._letters.clear()

    def discard(self) -> None:
        """Forget what was rolled back."""
        self._inbox.discard()
        self._timers.discard()
        self._letters.clear()

    def _is_kept(self, letter_id: str) -> bool:
        if letter_id in self._letters:
            return False
        return self._connection.execute(EXISTS, (letter_id,)).fetchone() is not None


def _no_letter(letter_id: str) -> NoSuchLetter:
    return NoSuchLetter(f"there is no dead letter {letter_id}; it was replayed or discarded")
