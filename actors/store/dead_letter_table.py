"""Dead letters that survive the process, in the table of the service they were meant for."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.errors import StoreError
from actors.kernel.dead_letters import DeadLetter
from actors.store.connection import translate

if TYPE_CHECKING:
    from actors.kernel.envelope import Envelope
    from actors.store.store import StoreSpec

# A reason quotes the message's values; a dead letter holds those already.
REASON_CHARS_MAX: Final = 1000

BURY = (
    "INSERT OR IGNORE INTO dead_letter"
    " (id, message_type, message, request_key, attempts, reason, at_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
FORGET_OLDEST = "DELETE FROM dead_letter WHERE seq <= (SELECT max(seq) FROM dead_letter) - ?"
LATEST = (
    "SELECT id, message_type, message, request_key, attempts, reason, at_us FROM dead_letter"
    " ORDER BY seq DESC LIMIT ?"
)


def bury(
    connection: sqlite3.Connection,
    envelope: Envelope,
    *,
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
            type(envelope.message).__name__,
            _encoded(envelope.message),
            None if envelope.key is None else _storable(envelope.key),
            envelope.attempt,
            _storable(envelope.error or "unknown")[:REASON_CHARS_MAX],
            now_us,
        ),
    )
    connection.execute(FORGET_OLDEST, (letters_max,))


def latest(connection: sqlite3.Connection, spec: StoreSpec, limit: int) -> list[DeadLetter]:
    """Return the latest dead letters, newest first. Raises StoreError."""
    try:
        rows = connection.execute(LATEST, (limit,)).fetchall()
    except sqlite3.Error as error:
        raise translate(error, spec.path) or StoreError(f"{spec.path}: {error}") from error
    return [
        DeadLetter(
            id=row["id"],
            actor=spec.name,
            message_type=row["message_type"],
            message=bytes(row["message"]).decode(),
            reason=row["reason"],
            attempts=row["attempts"],
            at_us=row["at_us"],
            durable=True,
            request_key=row["request_key"],
        )
        for row in rows
    ]


def _encoded(message: Any) -> bytes:
    try:
        return msgspec.json.encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return msgspec.json.encode(ascii(message))


def _storable(text: str) -> str:
    """Escape lone surrogates: SQLite stores UTF-8, which has none."""
    return text.encode(errors="backslashreplace").decode()
