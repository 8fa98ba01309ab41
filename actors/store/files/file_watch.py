"""Nothing is acknowledged into a file that is gone: before each answer its name is looked up."""

from __future__ import annotations

import os
from contextlib import suppress
from stat import ST_DEV, ST_INO
from typing import TYPE_CHECKING, Final

from actors.errors import StoreLost

if TYPE_CHECKING:
    from pathlib import Path

# Of the log's header: its sequence number and salts, which change when the log begins anew.
HEADER_BYTES: Final = 32
PAGE_BYTES: Final = 4096
GENERATION: Final = slice(12, 24)


class FileWatch:
    """The database and its write-ahead log, as they were linked when their writer opened them.

    By name and not by a descriptor: what others see under the name is what the next start opens.
    While a connection is open SQLite neither makes nor removes either file, so that another inode
    means that somebody else did.
    """

    def __init__(self, path: Path, checkpoint_pages: int) -> None:
        """Look at the files of an open store; there is a log once it has committed anything.

        SQLite checkpoints a log of `checkpoint_pages` or more, and begins it anew after that.
        """
        self._database, self._log = os.fspath(path), f"{path}-wal"
        self._linked = (_place(self._database), _place(self._log))
        self._generation = self._read_generation()
        self._log_bytes = os.stat(self._log).st_size  # noqa: PTH116 - as below
        self._was_cut = False
        self._checkpoint_bytes = checkpoint_pages * PAGE_BYTES

    @property
    def place(self) -> tuple[int, int]:
        """Device and inode of the database."""
        return self._linked[0]

    def check(self) -> None:
        """Raise StoreLost where either is no longer the file that was opened."""
        path = self._database
        try:
            database, path = os.stat(path), self._log  # noqa: PTH116 - twice as fast, at each commit
            log = os.stat(path)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            message = f"{path} was removed while it was in use"
            raise StoreLost(message) from None
        except OSError:  # no permission: that says nothing of the file
            return
        # Kept until the writer asks: a reader may be the one who sees it.
        if log.st_size < self._log_bytes:
            self._was_cut = True
        self._log_bytes = log.st_size
        if (_of(database), _of(log)) != self._linked:
            message = f"{self._database} or its write-ahead log was replaced while it was in use"
            raise StoreLost(message)

    def log_began_anew(self) -> bool:
        """Whether all of the log had gone into the database, and it was begun anew, by now.

        Since this was asked last, and as `check` has seen it.
        """
        # One that was cut (WalLimit, journal_size_limit) has begun anew, and is small again.
        if self._log_bytes < self._checkpoint_bytes and not self._was_cut:
            return False
        generation = self._read_generation()
        if not generation:  # it could not be read: the next commit looks again
            return False
        self._was_cut = False
        anew = generation != self._generation
        self._generation = generation
        return anew

    def _read_generation(self) -> bytes:
        # SQLite takes no lock on its log, so that closing a descriptor on it drops none.
        with suppress(OSError):
            descriptor = os.open(self._log, os.O_RDONLY)
            try:
                return os.pread(descriptor, HEADER_BYTES, 0)[GENERATION]
            finally:
                os.close(descriptor)
        return b""


def place_of(path: Path) -> tuple[int, int] | None:
    """Return device and inode of what has that name; None where nothing has."""
    try:
        return _place(path)
    except OSError:
        return None


def _place(path: str | Path) -> tuple[int, int]:
    return _of(os.stat(path))  # noqa: PTH116 - once a commit, and Path.stat costs twice as much


def _of(found: os.stat_result) -> tuple[int, int]:
    return found[ST_DEV], found[ST_INO]
