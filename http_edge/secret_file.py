"""A secret is made once, whole or not at all, and only its owner can read it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import structlog

from actors.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = structlog.get_logger()

_MODE = 0o600


def keep_secret(path: Path, name: str, make: Callable[[], str]) -> str:
    """Return the text kept at `path`, which `make` makes at first boot; `name` is what it is.

    Any byte is a character of it: the caller refuses those that are none of its own. Raises
    ConfigError where the file can be neither read nor made.
    """
    try:
        return _read(path, name) if path.exists() else _write(path, make())
    except FileExistsError:  # made meanwhile by another
        return _read(path, name)
    except OSError as error:
        message = f"cannot make the {name} {path}: {error}"
        raise ConfigError(message) from error


def _write(path: Path, text: str) -> str:
    # The secret appears whole or not at all: a boot that dies here must not fail the next one.
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    # O_EXCL and the mode at creation: there is no instant at which others could read or plant it.
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        os.fchmod(file, _MODE)
        os.write(file, f"{text}\n".encode())
        os.fsync(file)
        os.link(draft, path)
    finally:
        os.close(file)
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return text


def _read(path: Path, name: str) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~_MODE:
            path.chmod(_MODE)
            found = f"{mode:04o}"
            log.warning("secret was readable by others", what=name, path=str(path), mode=found)
        return path.read_text(encoding="latin-1").strip()
    except OSError as error:
        message = f"cannot read the {name} {path}: {error}"
        raise ConfigError(message) from error
