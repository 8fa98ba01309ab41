"""Every message and reply in a service's file that the next program reads again, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from actors.store.messaging.outbox import missed_events
from actors.store.messaging.unheard import heard

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from actors.store.messaging.service_catalog import Subscription

TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table'"
# Of each table a number, whom the message is for ('' is the service itself), its type, itself.
MESSAGES: Final = {
    "outbox": (
        "SELECT number, receiver, message_type, message FROM outbox ORDER BY receiver, number"
    ),
    "timer": "SELECT seq, '', message_type, message FROM timer ORDER BY seq",
    "dead_letter": "SELECT seq, '', message_type, message FROM dead_letter ORDER BY seq",
}
REPLIES: Final = "SELECT seq, refused, reply FROM client_key ORDER BY seq"
TIMERS: Final = "SELECT count(*) FROM timer"


class StoredRow(msgspec.Struct, frozen=True):
    """A message in `table`, kept under `number` for the service `receiver`."""

    table: str
    number: int
    receiver: str
    message_type: str
    blob: bytes


class StoredReply(msgspec.Struct, frozen=True):
    """A reply under a client's key, also of a request whose answer was put off.

    Those under keys made at the edge are of one process: the next forgets them unread.
    """

    number: int
    refused: bool
    blob: bytes


def stored_messages(
    connection: sqlite3.Connection, service: str, subscriptions: tuple[Subscription, ...]
) -> Iterator[StoredRow]:
    """Yield what is on its way, due, or a dead letter; and the kept events that are sent again."""
    tables = _tables(connection)
    for table, sql in MESSAGES.items():
        if table in tables:
            for number, receiver, message_type, blob in connection.execute(sql):
                yield StoredRow(table, number, receiver or service, message_type, blob)
    if {"event", "subscription"} <= tables:
        for seq, subscriber, message_type, blob, _ in missed_events(connection, subscriptions):
            yield StoredRow("event", seq, subscriber, message_type, blob)


def stored_replies(connection: sqlite3.Connection) -> Iterator[StoredReply]:
    """Yield what a client would be answered that asks again."""
    if "client_key" in _tables(connection):
        for seq, refused, blob in connection.execute(REPLIES):
            yield StoredReply(seq, bool(refused), blob)


def stored_listeners(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """Return who has ever listened to what from this file, see was_wanted."""
    return heard(connection) if "subscription" in _tables(connection) else frozenset()


def count_stored_timers(connection: sqlite3.Connection) -> int:
    """Return how many timers and effects the file holds."""
    return connection.execute(TIMERS).fetchone()[0] if "timer" in _tables(connection) else 0


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute(TABLES).fetchall()}
