"""What no text may hold: control characters, NUL, and half of a surrogate pair."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from http_edge.problems import Kind, ProblemError

if TYPE_CHECKING:
    from actors.kernel.messages import Message

_SURROGATE = re.compile("[\ud800-\udfff]")
# What SQLite's functions take for a text's end.
_NUL = re.compile("\0")
# What ends a line, steers a terminal or turns the direction of what is around it: C0, C1, the line
# separators, and the bidirectional embeddings, overrides and isolates (Unicode's UAX #9).
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def refuse_surrogates(text: str) -> None:
    """A lone surrogate is malformed or truncated to msgspec; say which field holds it instead."""
    try:
        found = _find(json.loads(text), _SURROGATE)
    except (ValueError, RecursionError):
        return
    if found is not None:
        detail = f"{found} holds half of a UTF-16 surrogate pair, which is no character"
        raise ProblemError(Kind.INVALID, detail, field=found) from None


def refuse_control(body: bytes, message: Message, texts: frozenset[str]) -> None:
    """Refuse control characters: all in what is a line, NUL in a text as well."""
    # In JSON's ASCII, all but U+007F are escapes: most bodies are done here.
    if b"\\" not in body and b"\x7f" not in body and body.isascii():
        return
    for name, value in msgspec.to_builtins(message).items():
        refuse_control_in(name, value, texts)


def refuse_control_in(name: str, value: object, texts: frozenset[str]) -> None:
    """Likewise, in one field's value; `texts` names those that have many lines."""
    wrong = _NUL if name in texts else _CONTROL
    found = _find(value, wrong, name)
    if found is not None:
        detail = f"{found} holds {'a NUL' if wrong is _NUL else 'a control'} character"
        raise ProblemError(Kind.INVALID, detail, field=found)


def _find(value: Any, wrong: re.Pattern[str], path: str = "") -> str | None:
    """Return the path of the first string in which `wrong` occurs."""
    if isinstance(value, str):
        return path if wrong.search(value) else None
    if isinstance(value, dict):
        pairs = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
        pairs = [(name, name) for name, _ in pairs if wrong.search(name)] + pairs
    elif isinstance(value, list):
        pairs = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    else:
        return None
    return next(
        (hit for name, item in pairs if (hit := _find(item, wrong, name)) is not None), None
    )
