"""A store's file as it was at one moment, however it is written to meanwhile."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from actors.store.files.file_history import history_of
from actors.store.files.manifest import ManifestEntry
from actors.store.files.sqlite_file import look, open_quietly, translate, verify

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import StoreConfig

TOUCH = "SELECT count(*) FROM sqlite_schema"


class Snapshot:
    """A read transaction that begins when it is told to, so that many can begin at one moment.

    Until it is closed, the file's write-ahead log cannot begin anew and grows with what is written.
    """

    def __init__(self, path: Path, config: StoreConfig) -> None:
        """Open the file, which must exist. Raises StoreError."""
        self._path = path
        self._connection = open_quietly(path, config)

    def begin(self) -> None:
        """Hold the file as it is now: some 50 us. Raises StoreError."""
        # BEGIN alone takes no snapshot; the first read does.
        look(self._path, lambda connection: connection.execute("BEGIN"), self._connection)
        look(self._path, lambda connection: connection.execute(TOUCH).fetchone(), self._connection)

    def end(self) -> None:
        """Let go of the moment; another may begin."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def row(self) -> ManifestEntry | None:
        """Return what the folder's manifest says of such a file. Raises StoreError.

        None where no service has begun with it: it was just made, or its first start fails.
        """
        history, _ = look(self._path, history_of, self._connection)
        if history.store is None and history.epoch == 0:
            return None
        return ManifestEntry(store=history.store, epoch=history.epoch)

    def copy_to(self, target: Path) -> None:
        """Write it to a new file and look that file through for damage. Raises StoreError, OSError.

        What SQLite can find of damage (see `verify`) is found here and not when it is needed.
        """
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                self._connection.backup(copy)
                verify(copy, self._path)
        except sqlite3.Error as error:
            raise translate(error, target) or error from error
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()
