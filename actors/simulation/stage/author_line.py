"""Which line of a traceback to name: its author's own, not the framework's that it called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.simulation.sealed.callers import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOT: Final = Path(__file__).parents[3]
_FRAMEWORK: Final = (f"{_ROOT / 'actors'}/", f"{_ROOT / 'http_edge'}/")
# These are written as anybody's are.
_SYSTEMS: Final = f"{_ROOT / 'actors' / 'systems'}/"


def author_line(frames: Iterable[tuple[str, int]]) -> str:
    """Return `shop.py:12` for the last of the frames (file, line) that is no library's of anybody.

    Where all of them are, the last. There is one at least.
    """
    every = list(frames)
    own = [each for each in every if _is_own(each[0])]
    file, line = (own or every)[-1]
    return f"{file.rpartition('/')[2]}:{line}"


def _is_own(file: str) -> bool:
    if file.startswith(_SYSTEMS):
        return True
    return not file.startswith(_FRAMEWORK) and kind_of(file) == "project"
