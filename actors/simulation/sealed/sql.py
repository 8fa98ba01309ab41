"""SQL's own clock and its own chance: a connection that is made in a simulation has neither.

SQLite lets a connection replace its functions. What always asks is refused; of dates and times,
those that ask for now, or for the machine's zone: the others are computed as ever.
"""

from __future__ import annotations

import functools
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.simulation.sealed.watch import escape, watching

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS: Final = tuple(f"current_{each}" for each in ("timestamp", "date", "time"))
_ALWAYS: Final = ("random", "randomblob", *_WORDS)
# Which of a function's arguments, counted from 0, is the first that says when.
_DATES: Final = {
    "date": 0, "time": 0, "datetime": 0, "julianday": 0, "unixepoch": 0, "strftime": 1,
    "timediff": 0,
}  # fmt: skip
_MODIFIERS: Final = frozenset({"localtime", "utc"})
# From SQLite 3.42 on, each of these is now where a time is expected.
_NOW: Final = frozenset({"now", "subsec", "subsecond"})


# A store makes its connections such that a schema may use no function but SQLite's: until it is
# migrated, dates are. Who opens the store seals them then (`seal_dates`).
_STORES: Final = str(Path(__file__).parents[2] / "store")


class Connecting:
    """Stands in for `sqlite3.connect`: what is connected in a simulation is sealed."""

    __slots__ = ("original",)

    def __init__(self) -> None:
        self.original: Callable[..., sqlite3.Connection] = sqlite3.connect

    def __call__(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = self.original(*arguments, **options)
        if watching() is not None:
            seal(connection)
            asker = sys._getframe(1).f_code.co_filename  # noqa: SLF001 - inspect.stack() reads files
            if not asker.startswith(_STORES):
                seal_dates(connection)
        return connection


def seal(connection: sqlite3.Connection) -> None:
    """Let no statement of this connection ask for chance, or for now by these three words."""
    for name in _ALWAYS:
        connection.create_function(name, -1, _refused(name))


def seal_dates(connection: sqlite3.Connection) -> None:
    """Let no function of dates ask for now, or for the machine's zone.

    The schema's own constraints, columns and indexes use these functions too, so they are trusted.
    """
    connection.execute("PRAGMA trusted_schema = ON")
    for name, computed in _sealing():
        connection.create_function(name, -1, computed, deterministic=True)


@functools.cache
def _sealing() -> list[tuple[str, Callable[..., Any]]]:
    """Return what takes the place of which functions."""
    known = _known()
    return [(name, _computed(name, first)) for name, first in _DATES.items() if name in known]


@functools.cache
def _refused(name: str) -> Callable[..., Any]:
    def refuse(*_arguments: Any) -> Any:
        if watching() is None:
            return _ask(name, ())
        raise escape(f"{name}() in SQL")

    return refuse


def _computed(name: str, first: int) -> Callable[..., Any]:
    def compute(*arguments: Any) -> Any:
        if watching() is not None:
            words = [_word(each) for each in arguments[first:]]
            times = words if name == "timediff" else words[:1]
            if not words or "now" in words or not _NOW.isdisjoint(times):
                raise escape(f"now, by {name}() in SQL,")
            if not _MODIFIERS.isdisjoint(words):
                raise escape(f"the machine's zone in SQL's {name}()")
        return _ask(name, arguments)

    return compute


def _word(argument: Any) -> str:
    """Return what SQLite reads: of bytes too, and up to a zero."""
    text = argument.decode(errors="replace") if isinstance(argument, bytes) else str(argument)
    return text.partition("\0")[0].strip().lower()


def _ask(name: str, arguments: tuple[Any, ...]) -> Any:
    marks = ", ".join("?" * len(arguments))
    call = name if name in _WORDS else f"{name}({marks})"
    return _PLAIN.execute(f"SELECT {call}", arguments).fetchone()[0]


# Made before anything is sealed, and used by whichever thread asks.
_PLAIN: Final = sqlite3.connect(":memory:", check_same_thread=False)


def _known() -> set[str]:
    if not _KNOWN:
        names = _PLAIN.execute("SELECT name FROM pragma_function_list")
        _KNOWN.update(name for (name,) in names)
    return _KNOWN


_KNOWN: Final[set[str]] = set()
