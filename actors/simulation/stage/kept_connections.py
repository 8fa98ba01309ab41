"""What is open of a file outlives the incarnations of its service, and a process that is killed."""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Final

from actors.simulation.sealed.sql import seal_dates
from actors.store.files.sqlite_file import open_reader, open_writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from actors.config import StoreConfig

    Opened = Callable[[], sqlite3.Connection]

TEMPORARY: Final = "SELECT 1 FROM sqlite_temp_schema LIMIT 1"

READER, WRITER = range(2)


class KeptConnections:
    """A reader and a writer a file, each used by one incarnation at a time.

    To open one, with its pragmas, its schema and its statements, takes longer than ten
    transactions, and a run has some twenty incarnations. The file that has the name now counts:
    another one is opened. Who is killed closes nothing, so that its log stays as it is, as it does
    here: only who ends in order, or has no power any more, begins with other connections.
    """

    def __init__(self) -> None:
        """Open nothing yet."""
        self._idle: dict[tuple[int, int, int], sqlite3.Connection] = {}
        self._places: dict[sqlite3.Connection, tuple[int, int, int]] = {}
        self._sealed: set[sqlite3.Connection] = set()

    def reader(self, path: Path, config: StoreConfig) -> sqlite3.Connection:
        """Return what reads the file, sealed; a new one where none is idle. Raises StoreError."""
        connection = self._take(READER, path, partial(open_reader, path, config))
        connection.row_factory = sqlite3.Row
        self.seal(connection)
        return connection

    def writer(self, path: Path, config: StoreConfig) -> sqlite3.Connection:
        """Return what writes to the file; a new one where none is idle. Raises StoreError."""
        return self._take(WRITER, path, partial(open_writer, path, config))

    def seal(self, *connections: sqlite3.Connection | None) -> None:
        """Seal the dates of those that are not sealed yet; the file has its schema."""
        for each in connections:
            if each is not None and each not in self._sealed:
                seal_dates(each)
                self._sealed.add(each)

    def keep(self, *connections: sqlite3.Connection | None) -> list[sqlite3.Connection | None]:
        """Take back what the next incarnation may use; return what is to be closed in its place.

        What an incarnation leaves in its connection alone, the next must not find.
        """
        left = [None if self._put(each) else each for each in connections]
        for each in left:
            if each is not None:
                self._places.pop(each, None)
                self._sealed.discard(each)
        return left

    def close(self) -> None:
        """Close all, whoever has them: the process ends."""
        for each in self._places:
            each.close()
        self._idle.clear()
        self._places.clear()
        self._sealed.clear()

    # --- Inside ------------------------------------------------------------------------------

    def _take(self, kind: int, path: Path, opened: Opened) -> sqlite3.Connection:
        connection = None
        if path.exists():
            connection = self._idle.pop(_place(kind, path), None)
        if connection is None:
            connection = opened()
            self._places[connection] = _place(kind, path)
        return connection

    def _put(self, connection: sqlite3.Connection | None) -> bool:
        place = None if connection is None else self._places.get(connection)
        if connection is None or place is None or place in self._idle:
            return False
        if connection.in_transaction or connection.execute(TEMPORARY).fetchone():
            return False
        self._idle[place] = connection
        return True


def _place(kind: int, path: Path) -> tuple[int, int, int]:
    found = os.stat(path)  # noqa: PTH116 - at each open: a link's file, without a Path's detours
    return kind, found.st_dev, found.st_ino
