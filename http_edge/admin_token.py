"""The admin token is made once, and only its owner can read it."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from actors.errors import ConfigError
from http_edge.secret_file import keep_secret

if TYPE_CHECKING:
    from pathlib import Path

FILE = "admin.token"
_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_~.+/=-]{16,512}")  # as RFC 6750 allows, and too long to guess


def load_admin_token(data_dir: Path) -> str:
    """Return the token kept in `data_dir`, making it at first boot. Raises ConfigError."""
    path = data_dir / FILE
    token = keep_secret(path, "admin token", _make)
    if not _TOKEN.fullmatch(token):
        message = f"the admin token {path} is empty or damaged; delete the file to get a new one"
        raise ConfigError(message)
    return token


def _make() -> str:
    # By name one of the few uses of entropy: a seeded token could be guessed.
    return secrets.token_urlsafe(_TOKEN_BYTES)
