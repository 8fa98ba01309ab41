"""What must hold in the files of any system at rest, whoever wrote them and crashed.

"At rest" is: every service up, and nothing on its way. Each rule yields a sentence for every
violation; a system's own rules stand beside it, and read its tables as these do.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Row = dict[str, Any]
# All rows of all tables of a service, by the table's name.
Tables = dict[str, list[Row]]


def read_tables(path: Path) -> Tables:
    """Read a service's file whole, as it stands at one instant."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")  # one instant for all tables
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return {
            name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')]  # noqa: S608 - a name that SQLite gave
            for (name,) in names.fetchall()
        }


def file_is_sound(path: Path) -> Iterator[str]:
    """SQLite itself finds nothing to complain about."""
    with closing(sqlite3.connect(path)) as connection:
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
