"""A request target is percent-decoded exactly once; what cannot be decoded is a 400 saying why."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from http_edge.problems import Kind, ProblemError

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode_part(text: str, *, field: str | None = None) -> str:
    """Return `text` with its %XX read as UTF-8; `+` stays a plus."""
    if "%" not in text and text.isascii():
        return text
    broken = _BROKEN_ESCAPE.search(text)
    if broken is not None:
        seen = text[broken.start() : broken.start() + 3]
        detail = f"{seen!r} is not a percent-escape; a percent sign itself is written %25"
        raise ProblemError(Kind.MALFORMED_URL, detail, field=field)
    try:
        # Bytes that were sent raw arrive as surrogate escapes; they are held to UTF-8 as well.
        return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError:
        detail = "the percent-escapes do not decode to UTF-8"
        raise ProblemError(Kind.MALFORMED_URL, detail, field=field) from None


def split_target(target: str) -> tuple[str, str]:
    """Return path and query, both raw, of an origin-form target."""
    if "#" in target:
        # A fragment is never sent; cutting the text there would silently lose what follows.
        raise ProblemError(Kind.MALFORMED_URL, "a request target has no fragment; write # as %23")
    path, _, query = target.partition("?")
    return path, query


def parse_query(query: str) -> dict[str, str]:
    """Return the query's parameters, decoded; a repeated one is a 422 that names it."""
    fields: dict[str, str] = {}
    for piece in query.split("&"):
        if not piece:
            continue
        raw_name, _, raw_value = piece.replace("+", "%20").partition("=")
        name = decode_part(raw_name)
        if name in fields:
            raise ProblemError(Kind.INVALID, f"{name} is given twice", field=name)
        fields[name] = decode_part(raw_value, field=name)
    return fields


def refuse_query(query: str) -> None:
    """For an address that takes no query parameters: a 422 that names the first one sent."""
    for name in parse_query(query):
        raise ProblemError(Kind.INVALID, f"unknown query parameter {name}", field=name)
