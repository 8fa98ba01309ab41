"""OAuth 1.0a signatures, verified (RFC 5849).

Clients sign the URL before they rebase it, so a signature counts for X's own hosts as well as for
the one that was really asked. Bodies are JSON throughout, which RFC 5849 does not sign.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, unquote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from actors.systems.x_platform.api.embedded_credentials import EmbeddedCredentials

METHOD: Final = "HMAC-SHA1"
X_HOSTS: Final = ("https://api.twitter.com", "https://api.x.com")
DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}

_PARAMETER: Final = re.compile(r'\s*([A-Za-z0-9_]+)="([^"]*)"\s*')
_REQUIRED: Final = frozenset(
    f"oauth_{name}"
    for name in (
        "consumer_key",
        "token",
        "nonce",
        "timestamp",
        "signature",
        "signature_method",
    )
)
_TIMESTAMP: Final = re.compile(r"[0-9]{1,11}")
_NONCE: Final = re.compile(r"[\x21-\x7e]{1,255}")


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose signature is right. `timestamp_s` is the signer's, in epoch seconds."""

    timestamp_s: int
    nonce: str


def verify_signature(
    request: web.BaseRequest, header: str, credentials: EmbeddedCredentials
) -> Signed | None:
    """Return what the Authorization header's parameters say if the account's keys signed them.

    `header` is what follows `OAuth `. None for anything else: a client is not told what was wrong.
    """
    fields = _parse(header)
    if fields is None or not fields.keys() >= _REQUIRED or not _is_well_formed(fields):
        return None
    right = [
        hmac.compare_digest(given.encode(), expected.encode())
        for given, expected in (
            (fields["oauth_consumer_key"], credentials.consumer_key),
            (fields["oauth_token"], credentials.access_token),
        )
    ]
    given = fields.pop("oauth_signature").encode()
    path, _, query = request.raw_path.partition("?")
    # Signed is what a server is sent, not what it makes of it: escapes stay as they are.
    parameters = _normalise([*fields.items(), *_query(query)])
    key = f"{_escape(credentials.consumer_secret)}&{_escape(credentials.access_token_secret)}"
    for origin in _origins(request.headers.get("Host", "")):
        base = f"{request.method}&{_escape(origin + path)}&{_escape(parameters)}"
        digest = hmac.digest(key.encode(), base.encode(), hashlib.sha1)
        right.append(hmac.compare_digest(given, base64.b64encode(digest)))
    if not (right[0] and right[1] and any(right[2:])):
        return None
    return Signed(timestamp_s=int(fields["oauth_timestamp"]), nonce=fields["oauth_nonce"])


def _parse(header: str) -> dict[str, str] | None:
    """Return the header's parameters without the realm; None if one is malformed or doubled."""
    fields: dict[str, str] = {}
    for piece in header.split(","):
        found = _PARAMETER.fullmatch(piece)
        if found is None or found[1] in fields:
            return None
        fields[found[1]] = unquote(found[2], errors="surrogateescape")
    fields.pop("realm", None)
    return fields if all(text.isascii() for text in fields.values()) else None


def _is_well_formed(fields: dict[str, str]) -> bool:
    return (
        fields["oauth_signature_method"] == METHOD
        and fields.get("oauth_version", "1.0") == "1.0"
        and _TIMESTAMP.fullmatch(fields["oauth_timestamp"]) is not None
        and _NONCE.fullmatch(fields["oauth_nonce"]) is not None
    )


def _query(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True, errors="surrogateescape")


def _normalise(parameters: list[tuple[str, str]]) -> str:
    """RFC 5849 section 3.4.1.3.2: escaped, sorted by name and then by value."""
    pairs = sorted((_escape(name), _escape(value)) for name, value in parameters)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _origins(host: str) -> Iterator[str]:
    """What the client may have taken for the server: X's hosts, or the one it asked."""
    yield from X_HOSTS
    for scheme, port in DEFAULT_PORTS.items():
        yield f"{scheme}://{host.lower().removesuffix(port)}"


def _escape(text: str) -> str:
    """RFC 5849 section 3.6: all but letters, digits, `-`, `.`, `_` and `~`."""
    return quote(text, safe="", errors="surrogateescape")
