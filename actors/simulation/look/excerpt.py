"""Values in few words, for who reads a timeline: as JSON has them, without what nobody reads."""

from __future__ import annotations

from typing import Any, Final

VALUE_CHARACTERS_MAX: Final = 60
CHARACTERS_MAX: Final = 240


def excerpt(value: Any) -> str:
    """Return a value on one line: a struct or object as `field=value`s, what is long cut short."""
    if isinstance(value, dict):
        text = _fields(value)
    else:  # by itself, a text may be a sentence
        text = _plain(value) if isinstance(value, str) else _value(value)
    return _cut(text, CHARACTERS_MAX)


def _fields(value: dict[str, Any]) -> str:
    return " ".join(f"{name}={_value(each)}" for name, each in value.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{_fields(value)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(each) for each in value)}]"
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return f"({len(value)} bytes)"
    if isinstance(value, str):
        return _cut(_plain(value))
    return "null" if value is None else str(value)


def _plain(text: str) -> str:
    """Return what a client has sent, say, on one line, and without a terminal's controls."""
    return "".join(each if each.isprintable() else "·" for each in text)


def _cut(text: str, characters_max: int = VALUE_CHARACTERS_MAX) -> str:
    return text if len(text) <= characters_max else f"{text[: characters_max - 1]}…"
