"""Dead letters that survive the process, in the table of the service they were meant for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.kernel.dead_letters import DeadLetter

if TYPE_CHECKING:
    import sqlite3

    from actors.kernel.envelope import Envelope

BURY = (
    "INSERT INTO dead_letter (id, message_type, message, request_key, attempts, reason, at_us)"
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
    """Keep the message with its reason, in the open transaction; the oldest beyond the limit go."""
    connection.execute(
        BURY,
        (
            letter_id,
            type(envelope.message).__name__,
            msgspec.json.encode(envelope.message),
            envelope.key,
            envelope.attempt,
            envelope.error or "unknown",
            now_us,
        ),
    )
    connection.execute(FORGET_OLDEST, (letters_max,))


def latest(connection: sqlite3.Connection, actor: str, limit: int) -> list[DeadLetter]:
    """Return the latest dead letters, newest first."""
    return [
        DeadLetter(
            id=row["id"],
            actor=actor,
            message_type=row["message_type"],
            message=bytes(row["message"]).decode(),
            reason=row["reason"],
            attempts=row["attempts"],
            at_us=row["at_us"],
            durable=True,
            request_key=row["request_key"],
        )
        for row in connection.execute(LATEST, (limit,))
    ]
