"""What must hold in the files of any system at rest, whoever wrote them and crashed.

"At rest" is: every service up, and nothing on its way. Each rule yields a sentence for every
violation; a system's own rules stand beside it, and read its tables as these do.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Row = dict[str, Any]
# All rows of all tables of a service, by the table's name.
Tables = dict[str, list[Row]]


@contextmanager
def all_at_rest() -> Iterator[None]:
    """Nobody writes until the block ends: there, every reader of a file has the same connection.

    To open one takes as long as to read a file of a simulation, and many have a look at it.
    """
    kept: dict[Path, sqlite3.Connection] = {}
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)
        for connection in kept.values():
            connection.close()


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a service's file to read it."""
    kept = _kept.get()
    if kept is None:
        with closing(_open(path)) as connection:
            yield connection
        return
    connection = kept.get(path) or kept.setdefault(path, _open(path))
    try:
        yield connection
    finally:
        connection.rollback()
        connection.row_factory, connection.text_factory = None, str


_kept: ContextVar[dict[Path, sqlite3.Connection] | None] = ContextVar("kept", default=None)


def _open(path: Path) -> sqlite3.Connection:
    # Without a write-ahead log no process has it open: then none is made, to be removed again.
    in_use = path.with_name(f"{path.name}-wal").exists()
    mode = "mode=rw" if in_use else "immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)


def read_tables(path: Path) -> Tables:
    """Read a service's file whole, as it stands at one instant."""
    with reading(path) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")  # one instant for all tables
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {
            name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')]  # noqa: S608 - a name that SQLite gave
            for (name,) in names.fetchall()
        }


def file_is_sound(path: Path) -> Iterator[str]:
    """SQLite itself finds nothing to complain about."""
    with reading(path) as connection:
        for (line,) in connection.execute("PRAGMA integrity_check").fetchall():
            if line != "ok":
                yield f"{path.name}: {line}"
        for row in connection.execute("PRAGMA foreign_key_check").fetchall():
            yield f"{path.name}: a row of {row[0]} refers to no {row[2]}"


def nothing_is_under_way(
    files: Mapping[str, Tables], *, now_us: int, planted: frozenset[str] = frozenset()
) -> Iterator[str]:
    """No message, due timer, open request or dead letter is left in any file of the system.

    `planted` are the message types of dead letters that a test meant to be there.
    """
    for name, tables in files.items():
        (identity,) = tables["identity"]
        for channel in tables["channel"]:
            if channel["receiver"]:  # the empty one numbers the service's own timers
                lasts = {
                    row["store"]: row["last"]
                    for row in tables["former"]
                    if row["receiver"] == channel["receiver"]
                }
                lasts[identity["store"]] = channel["last"]
                yield from _unapplied(files, name, lasts, channel)
        for row in tables["timer"]:
            if row["due_us"] <= now_us:
                yield f"{name}: timer {row['message_type']} was due {now_us - row['due_us']} us ago"
        for row in tables["later"]:
            yield f"{name}: request {row['request']} is not answered"
        for row in tables["dead_letter"]:
            if row["message_type"] not in planted:
                yield f"{name}: dead letter {row['message_type']}: {row['reason']}"


def _unapplied(
    files: Mapping[str, Tables], sender: str, lasts: dict[str, int], channel: Row
) -> Iterator[str]:
    receiver, last = channel["receiver"], channel["last"]
    if receiver not in files:  # it runs elsewhere, and says so to nobody's file but its sender's
        left = sum(row["receiver"] == receiver for row in files[sender]["outbox"])
        if left:
            yield f"{sender} has {left} messages that {receiver} has not answered"
        return
    # Of each identity that the sender's file has had, up to where that one gave numbers.
    applied = max(
        [
            min(row["applied"], lasts[row["store"]])
            for row in files[receiver]["inbox"]
            if row["sender"] == sender and row["store"] in lasts
        ],
        default=0,
    )
    if applied != last:
        yield f"{sender} has sent {last} messages to {receiver}, which has applied {applied}"
