"""The admin token is made once, only its owner can read it, and who acts as operator shows it."""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING

from aiohttp import hdrs

from actors.errors import ConfigError
from http_edge.problems import Kind, ProblemError
from http_edge.secret_file import keep_secret

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

FILE = "admin.token"
_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_~.+/=-]{16,512}")  # as RFC 6750 allows, and too long to guess
_CHALLENGE = ((hdrs.WWW_AUTHENTICATE, 'Bearer realm="admin"'),)


def load_admin_token(data_dir: Path) -> str:
    """Return the token kept in `data_dir`, making it at first boot. Raises ConfigError."""
    path = data_dir / FILE
    token = keep_secret(path, "admin token", _make)
    if not _TOKEN.fullmatch(token):
        message = f"the admin token {path} is empty or damaged; delete the file to get a new one"
        raise ConfigError(message)
    return token


def authorize(request: web.BaseRequest, right: bytes) -> None:
    """Raise a 401 where the request has not this token."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    given = token.strip().encode("utf-8", "surrogateescape")
    # Compared in constant time: how long a refusal takes tells nothing about the token.
    is_right = hmac.compare_digest(given, right)
    if scheme.lower() != "bearer" or not is_right:
        detail = "send Authorization: Bearer TOKEN, with the token of DATA_DIR/admin.token"
        raise ProblemError(Kind.UNAUTHORIZED, detail, headers=_CHALLENGE)


def _make() -> str:
    # By name one of the few uses of entropy: a seeded token could be guessed.
    return secrets.token_urlsafe(_TOKEN_BYTES)
