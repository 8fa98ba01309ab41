"""Dead letters that survive the process, in the table of the service they were meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from actors.errors import DeadLettered, NoSuchLetter
from actors.kernel.dead_letters import DeadLetter
from actors.kernel.messages import type_name, type_of
from actors.log import ids_of
from actors.store.messaging.unreadable import Unreadable
from actors.store.participant import NEW, Settler, nothing

if TYPE_CHECKING:
    import sqlite3

    from actors.kernel.envelope import Envelope
    from actors.store.messaging.origin import LetterOrigin

log = structlog.get_logger()

# A reason quotes the message's values; a dead letter holds those already.
REASON_CHARS_MAX: Final = 1000

# A letter that was run again and crashed again stays where it stands. So does one whose burial was
# committed and not heard of, when it is buried again: nothing is added up here.
BURY = (
    "INSERT INTO dead_letter"
    " (id, message_type, message, request_key, attempts, reason, at_us, sender, trace)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET reason = excluded.reason,"
    " attempts = excluded.attempts"
)
EXISTS = "SELECT 1 FROM dead_letter WHERE id = ?"
FORGET = "DELETE FROM dead_letter WHERE id = ?"
FIND = (
    "SELECT message_type, message, request_key, attempts, sender, trace FROM dead_letter"
    " WHERE id = ?"
)
FORGET_BEYOND = (
    "DELETE FROM dead_letter WHERE seq <="
    " (SELECT seq FROM dead_letter ORDER BY seq DESC LIMIT 1 OFFSET ?)"
)
COUNT = "SELECT count(*) FROM dead_letter"
LATEST = (
    "SELECT id, message_type, message, request_key, attempts, reason, at_us, sender, trace"
    " FROM dead_letter ORDER BY seq DESC LIMIT ?"
)


def bury(
    connection: sqlite3.Connection,
    envelope: Envelope,
    *,
    service: str,
    letter_id: str,
    now_us: int,
    letters_max: int,
) -> None:
    """Keep the message with its reason, in the open transaction; the oldest beyond the limit go.

    Whatever the message is: one that cannot be buried would crash its service for ever.
    """
    connection.execute(
        BURY,
        (
            letter_id,
            _type_name(envelope.message),
            _encoded(envelope.message),
            None if envelope.key is None else _storable(envelope.key),
            envelope.attempt + getattr(envelope.origin, "attempts", 0),
            _storable(envelope.error or "unknown")[:REASON_CHARS_MAX],
            now_us,
            getattr(envelope.origin, "sender", None),
            envelope.trace,
        ),
    )
    forgotten = connection.execute(FORGET_BEYOND, (letters_max,)).rowcount
    if forgotten:
        log.warning(
            "dead letters forgotten",
            service=service,
            letters=forgotten,
            advice="the oldest went for a new one: discard what is not wanted, see "
            "/admin/dead-letters, or raise service.dead_letters_max",
        )


def count_letters(connection: sqlite3.Connection) -> int:
    """Return how many dead letters the service has."""
    number: int = connection.execute(COUNT).fetchone()[0]
    return number


def latest(connection: sqlite3.Connection, service: str, limit: int) -> list[DeadLetter]:
    """Return the service's latest dead letters, newest first."""
    rows = connection.execute(LATEST, (limit,)).fetchall()
    return [
        DeadLetter(
            id=row["id"],
            actor=service,
            message_type=row["message_type"],
            message=bytes(row["message"]).decode(),
            reason=row["reason"],
            attempts=row["attempts"],
            at_us=row["at_us"],
            durable=True,
            request_key=row["request_key"],
            sender=row["sender"],
            request_id=ids_of(row["trace"])["request_id"],
        )
        for row in rows
    ]


class LetterMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to run a dead letter again."""

    message_type: str
    blob: bytes
    request_key: str | None
    attempts: int
    sender: str | None
    trace: str | None


def find_letter(connection: sqlite3.Connection, letter_id: str) -> LetterMessage | None:
    """Return the letter's message, if it is there."""
    row = connection.execute(FIND, (_storable(letter_id),)).fetchone()
    if row is None:
        return None
    return LetterMessage(
        message_type=row["message_type"],
        blob=row["message"],
        request_key=row["request_key"],
        attempts=row["attempts"],
        sender=row["sender"],
        trace=row["trace"],
    )


class ReplayedLetters(Settler):
    """A letter that is run again goes in the transaction that handles it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Work on the writer connection."""
        self._connection = connection

    def outcome_of(self, origin: LetterOrigin, *, redelivered: bool) -> Any:
        """Return NEW, or NoSuchLetter."""
        del redelivered
        letter = origin.letter_id
        if not self._connection.execute(EXISTS, (letter,)).fetchone():
            return NoSuchLetter(f"there is no dead letter {letter}; it was replayed or discarded")
        return NEW

    def apply(self, origin: LetterOrigin) -> None:
        """Let it be gone, before another is buried. One that crashes again stays where it is."""
        self._connection.execute(FORGET, (origin.letter_id,))

    opened = begin = savepoint = savepoint_undone = nothing
    before_commit = committed = rolled_back = nothing


def _type_name(message: Any) -> str:
    if isinstance(message, Unreadable):
        return message.message_type
    return type_name(type_of(message))


def _encoded(message: Any) -> bytes:
    if isinstance(message, Unreadable):
        return message.blob
    try:
        return msgspec.json.encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return msgspec.json.encode(ascii(message))


def _storable(text: str) -> str:
    """Escape lone surrogates: SQLite stores UTF-8, which has none."""
    return text.encode(errors="backslashreplace").decode()


def no_handler(envelope: Envelope) -> str:
    """Say why the message has no handler."""
    if isinstance(envelope.message, Unreadable):
        return envelope.message.reason
    return f"there is no handler for {type_name(type_of(envelope.message))}"


def dead_lettered(service: str, envelope: Envelope, letter_id: str | None) -> DeadLettered:
    """Return what the sender of a message is told that was given up."""
    return DeadLettered(
        f"{service} gave this message up after {envelope.attempt} attempts; sent again, it would "
        f"crash again: {envelope.error}",
        letter_id=letter_id,
    )
