"""Where simulated files are: in memory where that can be had, and nowhere afterwards."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.errors import ConfigError, StoreError
from actors.store.files.directory_lock import DirectoryLock

if TYPE_CHECKING:
    from collections.abc import Iterator

# A simulated disk's syncs cost what the disk says: real ones would only make the run slower.
IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - what is made there is made for this user alone
PREFIX: Final = "dress-rehearsal-"
HOLDER: Final = "a simulation"
NAMES_MAX: Final = 100


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder, for this user alone, and remove it with all that is in it.

    What a killed simulation left behind is removed as well. Raises ConfigError where no folder can
    be made.
    """
    parent = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else _temporary()
    _clear(parent)
    place, lock = _make(parent)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        lock.release()


def _temporary() -> Path:
    return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - likewise


def _make(parent: Path) -> tuple[Path, DirectoryLock]:
    """Take a name that nobody has, for another may have been given the same number."""
    for number in range(NAMES_MAX):
        place = parent / f"{PREFIX}{os.getpid()}-{number}"
        try:
            place.mkdir(mode=0o700)
            return place, DirectoryLock(place).acquire(holder=HOLDER)
        except (FileExistsError, StoreError):
            continue
        except OSError as error:
            raise ConfigError(f"no folder can be made in {parent}: {error.strerror}") from error
    raise ConfigError(f"too many folders named {PREFIX}* in {parent}")


def _clear(parent: Path) -> None:
    """Remove what is nobody's: the kernel gave its lock back when its process ended."""
    for left in sorted(parent.glob(f"{PREFIX}*")):
        try:
            if left.is_symlink() or left.stat().st_uid != os.getuid():
                continue
            with DirectoryLock(left).acquire(holder=HOLDER):
                shutil.rmtree(left, ignore_errors=True)
        except (StoreError, FileNotFoundError):  # its owner lives, or has just removed it
            continue
