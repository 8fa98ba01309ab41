"""Stored messages that the code at hand cannot read: they wait, and are listed, till code can."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

ON_THE_WAY: Final = (
    "SELECT number, message_type, message FROM outbox WHERE receiver = ? AND number > ?"
    " ORDER BY number LIMIT ?"
)
TIMED: Final = "SELECT seq, message_type, message FROM timer ORDER BY due_us, seq LIMIT ?"
TIMED_OF: Final = "SELECT seq, message FROM timer WHERE message_type = ?"


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A stored message that its receiver cannot read; kept as it is.

    It `waits` for code that can, unless it is to become a dead letter: an operator let it go, or
    no code has ever wanted to read it. One that was `let_go` pushes no other letter out.
    """

    message_type: str
    blob: bytes
    reason: str
    waits: bool = True
    let_go: bool = False


class UnreadableRows(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one type that wait for code that can read them; `first` is a row's number."""

    message_type: str
    count: int
    first: int
    reason: str


def unreadable_on_the_way(
    connection: sqlite3.Connection,
    receiver: str,
    *,
    after: int,
    read: Callable[[str, bytes], Any],
    rows_max: int,
) -> list[UnreadableRows]:
    """Return what `receiver` cannot read of the first that are on their way to it, by type."""
    rows = connection.execute(ON_THE_WAY, (receiver, after, rows_max))
    return _by_type(rows, read)


def unreadable_timers(
    connection: sqlite3.Connection, read: Callable[[str, bytes], Any], *, rows_max: int
) -> list[UnreadableRows]:
    """Return what the service cannot read of its first timers, by type."""
    return _by_type(connection.execute(TIMED, (rows_max,)), read)


def find_unreadable(
    connection: sqlite3.Connection,
    message_type: str,
    *,
    read: Callable[[str, bytes], Any],
    rows_max: int,
) -> tuple[tuple[int, ...], str] | None:
    """Return some timers of the type that cannot be read, and why the first cannot; or None."""
    found: list[int] = []
    reason = ""
    with closing(connection.execute(TIMED_OF, (message_type,))) as rows:
        for seq, blob in rows:
            message = read(message_type, blob)
            if isinstance(message, Unreadable):
                found.append(seq)
                reason = reason or message.reason
            if len(found) == rows_max:
                break
    return (tuple(found), reason) if found else None


def _by_type(
    rows: Iterable[tuple[int, str, bytes]], read: Callable[[str, bytes], Any]
) -> list[UnreadableRows]:
    found: dict[str, UnreadableRows] = {}
    for number, message_type, blob in rows:
        message = read(message_type, blob)
        if not (isinstance(message, Unreadable) and message.waits):
            continue
        first = found.get(message_type) or UnreadableRows(
            message_type=message_type, count=0, first=number, reason=message.reason
        )
        found[message_type] = msgspec.structs.replace(first, count=first.count + 1)
    return list(found.values())
