"""One process at a time uses a data directory; a second is told which one that is."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, Final, Self

from actors.errors import StoreError, StoreLocked, StoreShared

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

# A command line may be longer; its beginning is what tells two processes apart.
HOLDER_CHARS_MAX: Final = 512
LOCK_BYTES_MAX: Final = 4096

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DirectoryLock:
    """The lock on `data_dir`, held from `acquire` to `release` or to the end of the process.

    It is the kernel's lock on the open file (flock), not the file's existence: what a killed
    process leaves behind means nothing. Use: `with DirectoryLock(path).acquire(holder=...):`.
    """

    def __init__(self, data_dir: Path) -> None:
        """Touch nothing yet."""
        self._data_dir = data_dir
        self._path = data_dir / "lock"
        self._descriptor: int | None = None
        self._holder = ""
        self._name = os.fspath(self._path)
        self._place = (-1, -1)
        self._is_written = True

    def acquire(self, *, holder: str) -> Self:
        """Take the lock, or raise StoreLocked with the pid and the `holder` text of its owner.

        Creates the directory, for this user alone, if it is missing. On a read-only file system
        the lock that is there is taken, and says nothing. Raises StoreError where it cannot be
        used.
        """
        if self._descriptor is not None:
            message = f"this lock on {self._data_dir} is already held"
            raise StoreError(message)
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = self._open()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._lock(descriptor)
            status = os.fstat(descriptor)
            self._place = status.st_dev, status.st_ino
            self.check()
            self._holder = " ".join(holder.split())[:HOLDER_CHARS_MAX]
            self._write(descriptor, self._holder)
        except OSError as error:
            os.close(descriptor)
            raise self._unusable(error) from error
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def check(self) -> None:
        """Raise StoreShared where the file called `lock` is no longer the one that was locked.

        Others lock what has that name: nothing keeps them out of the folder any more.
        """
        try:
            found = os.stat(self._name)  # noqa: PTH116 - twice as fast, at each commit
            if (found.st_dev, found.st_ino) == self._place:
                return
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:  # no permission: that says nothing of the file
            return
        message = (
            f"{self._path} was removed or replaced while it was locked: a second process may be "
            f"using the folder; stop every process that does, and start one again"
        )
        raise StoreShared(message)

    def note_address(self, url: str) -> None:
        """Note where the holder can be asked for what only it can do; see `address_of_holder`."""
        if self._descriptor is not None:
            self._write(self._descriptor, self._holder, url)

    def release(self) -> None:
        """Give the lock back; does nothing if it is not held."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        # The file stays: removing it would let two processes lock two files of the same name.
        if self._is_written:
            os.ftruncate(descriptor, 0)
        # Explicit, as a forked copy of the descriptor would outlive the close.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)

    def __enter__(self) -> Self:
        """Return the lock, which was acquired before."""
        if self._descriptor is None:
            message = f"acquire the lock on {self._data_dir} before entering it"
            raise StoreError(message)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release."""
        self.release()

    def _open(self) -> int:
        # Descriptors from os.open are not inherited: a child must not keep the lock alive.
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            try:  # what is there can be read; and others, who cannot write either, are kept out
                descriptor = os.open(self._path, os.O_RDONLY)
            except FileNotFoundError:
                raise error from None
            self._is_written = False
            return descriptor

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = (
                f"{self._data_dir} is in use by {_read_holder(descriptor)}; "
                f"stop it, or use another directory with --data-dir DIR"
            )
            raise StoreLocked(message) from error

    def _write(self, descriptor: int, *lines: str) -> None:
        if not self._is_written:
            return
        text = "".join(f"{line}\n" for line in (os.getpid(), *lines))
        # Of a command line, what is not UTF-8 can still be shown.
        content = text.encode(errors="backslashreplace")[:LOCK_BYTES_MAX]
        # Over what is there, which needs no room; and a full disk keeps nobody from reading.
        try:
            os.ftruncate(descriptor, os.pwrite(descriptor, content, 0))
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise

    def _unusable(self, error: OSError) -> StoreError:
        if error.errno in {errno.EEXIST, errno.ENOTDIR}:
            return StoreError(f"{self._data_dir} is not a directory; name one with --data-dir DIR")
        return StoreError(
            f"cannot lock {self._path}: {error.strerror}; name a local directory that this user "
            f"can write to with --data-dir DIR"
        )


def address_of_holder(data_dir: Path) -> str | None:
    """Return the URL at which the process that uses the folder can be asked, once it has one."""
    try:
        lines = (data_dir / "lock").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return lines[2] if len(lines) > 2 else None  # noqa: PLR2004 - pid, command line, address


def holder_of(data_dir: Path) -> str | None:
    """Return who says in the lock that it uses the folder, and lives; without asking for it."""
    try:
        return _named((data_dir / "lock").read_bytes()[:LOCK_BYTES_MAX])
    except OSError:
        return None


def _read_holder(descriptor: int) -> str:
    # Between taking the lock and writing its name a process has none, or a dead one's.
    return (
        _named(os.pread(descriptor, LOCK_BYTES_MAX, 0))
        or "another process, which has not written its pid to the file `lock` there"
    )


def _named(content: bytes) -> str | None:
    pid, holder = (*content.decode(errors="replace").split("\n", 2), "", "")[:2]
    if not (pid.isascii() and pid.isdigit()) or not _is_alive(int(pid)):
        return None
    return f"process {pid} ({holder.strip() or 'unnamed'})"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
