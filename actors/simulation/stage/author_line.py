"""Which line a verdict names: its author's own, not the framework's that it called."""

from __future__ import annotations

from pathlib import Path

from actors.errors import line_at


def short_place(at: str) -> str:
    """Return `shop.py:12` for what `line_at` found: it is the same on every machine."""
    file, _, line = at.rpartition(", line ")
    return f"{Path(file).name}:{line}"


def at_place(error: BaseException) -> str:
    """Return `, at shop.py:12`, or nothing where no line is its author's."""
    at = line_at(error)
    return "" if at is None else f", at {short_place(at)}"
