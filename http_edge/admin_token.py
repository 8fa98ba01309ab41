"""The admin token is made once, and only its owner can read it."""

from __future__ import annotations

import os
import re
import secrets
import stat
from typing import TYPE_CHECKING

import structlog

from actors.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger()

FILE = "admin.token"
_MODE = 0o600
_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_~.+/=-]{16,512}")  # as RFC 6750 allows, and too long to guess


def load_admin_token(data_dir: Path) -> str:
    """Return the token kept in `data_dir`, making it at first boot. Raises ConfigError."""
    path = data_dir / FILE
    try:
        token = _read(path) if path.exists() else _make(path)
    except FileExistsError:
        token = _read(path)
    except OSError as error:
        message = f"cannot make the admin token {path}: {error}"
        raise ConfigError(message) from error
    return token


def _make(path: Path) -> str:
    # The one use of entropy outside runtime.py: a seeded token could be guessed.
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    # The token appears whole or not at all: a boot that dies here must not fail the next one.
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    # O_EXCL and the mode at creation: there is no instant at which others could read or plant it.
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        os.fchmod(file, _MODE)
        os.write(file, f"{token}\n".encode())
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
    return token


def _read(path: Path) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~_MODE:
            path.chmod(_MODE)
            log.warning("admin token was readable by others", path=str(path), mode=f"{mode:04o}")
        # Any byte is a character here; those that no token has are refused below.
        token = path.read_text(encoding="latin-1").strip()
    except OSError as error:
        message = f"cannot read the admin token {path}: {error}"
        raise ConfigError(message) from error
    if not _TOKEN.fullmatch(token):
        message = f"the admin token {path} is empty or damaged; delete the file to get a new one"
        raise ConfigError(message)
    return token
