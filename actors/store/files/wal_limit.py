"""A write-ahead log that has grown is cut, as soon as nobody reads what stands in it."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import StoreConfig

# How many batches pass between two looks at the file: a look takes a microsecond, a checkpoint that
# comes to nothing some tens of them.
LOOK_BATCHES: Final = 64


class WalLimit:
    """Looks now and then how large the log is.

    SQLite's own checkpoints start it anew only if no reader is in it at the very moment of a
    commit: who reads long lets it grow, and readers who take turns can keep it so for ever.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, config: StoreConfig) -> None:
        """`connection` is the writer's."""
        self._connection = connection
        self._log = path.with_name(f"{path.name}-wal")
        self._bytes_max = config.wal_kib_max * 1024
        self._busy_ms = int(config.busy_s_max * 1000)
        self._batches = 0

    def keep(self) -> None:
        """Cut the log if it is too large and nobody reads it; between two transactions."""
        self._batches += 1
        if self._batches % LOOK_BATCHES:
            return
        with suppress(OSError, sqlite3.Error):  # what is wrong the next commit says
            if self._log.stat().st_size <= self._bytes_max:
                return
            # Without waiting for readers: the next look comes soon.
            self._connection.execute("PRAGMA busy_timeout = 0")
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {self._busy_ms}")
