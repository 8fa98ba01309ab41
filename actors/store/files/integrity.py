"""A file is read whole after every start, beside the work, and goes on where it was cut short."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from actors.errors import StoreCorrupt
from actors.store.files.sqlite_file import UNREADABLE, as_damage, corrupt

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

    from actors.kernel.clock import Clock

# What the store itself opens with, and what is small whatever the service does: looked at in the
# open. A number given twice or a channel that is lost is worse than a service that is down.
OWN_TABLES: Final = ("migration", "epoch", "identity", "former", "channel", "inbox", "subscription")

# What is known of a pass is written down this often: a pass that is shorter leaves no file.
NOTED_S: Final = 1.0

TABLES: Final = (
    "SELECT name FROM pragma_table_list"
    " WHERE schema = 'main' AND type IN ('table', 'shadow') ORDER BY name"
)


class IntegrityCheck:
    """How far this process's pass over a service's file has come; outlives its incarnations.

    In which order the tables were found whole stands in a file beside the database: a process that
    never lives long enough for a whole pass begins with what was left out longest. Not in the
    database, which may be full, read-only, or a backup of one that was whole.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Nothing has been looked at yet."""
        self._path = path
        self._clock = clock
        self._file = path.with_name(f"{path.name}-checked")
        # The later, the higher; no times, for a wall clock may be ahead for a while.
        self._whole: dict[str, int] = {}
        self._left: list[str] | None = None
        self._opened_whole: frozenset[str] = frozenset()
        self._noted_s = 0.0

    def opened(self) -> None:
        """Leave out what was looked at when the process opened the file: a moment ago."""
        self._opened_whole = frozenset(OWN_TABLES)

    def is_done(self) -> bool:
        """Whether every table has been found whole since the pass began."""
        return self._left == []

    def again(self) -> None:
        """Begin anew, and leave out nothing: damage was seen."""
        self._left = None
        self._opened_whole = frozenset()

    def next_table(self, connection: sqlite3.Connection) -> str | None:
        """Return the table to look at; the one looked at longest ago, or never, comes first."""
        if self._left is None:
            self._whole = _read(self._file)
            self._noted_s = self._clock.monotonic()
            try:
                names = [name for (name,) in connection.execute(TABLES)]
            except UNREADABLE as error:
                raise as_damage(error, self._path) from error
            self._whole.update(dict.fromkeys(self._opened_whole, self._latest()))
            self._left = sorted(
                {*names} - self._opened_whole, key=lambda name: (self._whole.get(name, 0), name)
            )
        return self._left[0] if self._left else None

    def look_at(self, connection: sqlite3.Connection, table: str) -> None:
        """Look at one table, its indexes and its references. Raises StoreCorrupt, StoreError.

        The snapshot that it reads ends with it.
        """
        try:
            check_tables(connection, self._path, (table,))
        except StoreCorrupt:
            self._whole.pop(table, None)
            self._note()
            raise
        with suppress(ValueError):  # the thread of a dead incarnation was not to be stopped
            (self._left or []).remove(table)
        self._whole[table] = self._latest()
        now_s = self._clock.monotonic()
        if now_s - self._noted_s >= NOTED_S or (not self._left and self._file.exists()):
            self._noted_s = now_s
            self._note()

    def suspects(self, connection: sqlite3.Connection) -> list[str]:
        """Return the tables that were not found whole by the latest pass: the likeliest damaged."""
        whole = _read(self._file)
        return [name for (name,) in connection.execute(TABLES) if name not in whole]

    def _latest(self) -> int:
        return 1 + max(self._whole.values(), default=0)

    def _note(self) -> None:
        draft = self._file.with_name(f".{self._file.name}.{os.getpid()}.new")
        with suppress(OSError):  # a full disk: the next process begins elsewhere
            draft.write_bytes(msgspec.json.encode(self._whole))
            draft.replace(self._file)


def check_tables(connection: sqlite3.Connection, path: Path, tables: Iterable[str]) -> None:
    """Raise StoreCorrupt unless each of the tables is whole; StoreError where it was cut short.

    Every page, row and index entry of the tables, and every reference from them. What belongs to no
    table is not looked at: the list of free pages, and pages that nothing or two things refer to.
    """
    for table in tables:
        quoted = '"' + table.replace('"', '""') + '"'
        try:
            rows = connection.execute(f"PRAGMA integrity_check({quoted})").fetchall()
            orphans = connection.execute(f"PRAGMA foreign_key_check({quoted})").fetchall()
        except UNREADABLE as error:
            raise as_damage(error, path) from error
        problems = [line for (line,) in rows if line != "ok"]
        problems += [
            f"row {row} of {name} refers to no {parent}" for name, row, parent, _ in orphans
        ]
        if problems:
            raise corrupt(path, "; ".join(problems))


def _read(file: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, int])
    except (OSError, msgspec.MsgspecError):
        return {}
