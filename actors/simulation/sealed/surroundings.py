"""What a process is surrounded by: its number, its environment, its machine, the files' dates.

Equal seeds would still differ where a handler looks at one of them. Python and its libraries look
at them all the time, to no effect on what a system says; so only an author's own code is refused,
and not what looks at files after a run, as an audit does.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.simulation.sealed.callers import kind_of
from actors.simulation.sealed.watch import escape, watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, ModuleType

try:
    import resource
except ImportError:  # Unix alone has it
    resource = None  # type: ignore[assignment]

_PACKAGE = Path(__file__).parents[2]
_OURS = (f"{_PACKAGE}{os.sep}", f"{_PACKAGE.parent / 'http_edge'}{os.sep}")
_SYSTEMS = f"{_PACKAGE / 'systems'}{os.sep}"
# Modules that only pass a question on. What others of Python's ask, they ask for themselves.
_PASSING = frozenset(
    {"collections", "genericpath", "getpass", "glob", "os", "pathlib", "platform", "posixpath"}
    | {"ntpath", "shutil"}
)
# From the loop on, whose frame is below an audit, a scenario and its clients, but no handler.
_STAGE = {
    str(Path(__file__).parents[1] / "stage" / name) for name in ("staging.py", "rehearsal.py")
}
_LOOP = str(Path(__file__).parents[1] / "time" / "loop.py")


class OfAuthors:
    """Stands in for a function that authors' code must not call in a simulation; others may."""

    __slots__ = ("_what", "original")

    def __init__(self, original: Callable[..., Any], what: str) -> None:
        self.original = original
        self._what = what

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        refuse_authors(self._what)
        return self.original(*arguments, **options)


def refuse_authors(what: str) -> None:
    """Raise Escape where somebody's own code asks, by itself or through the standard library."""
    if watching() is not None and _is_an_author():
        raise escape(what)


def kept_from_authors() -> Iterator[OfAuthors]:
    """Make a stand-in for each function of the kind that this Python has."""
    found: tuple[tuple[ModuleType | None, str], ...] = (
        (os, "getpid"),
        (os, "getppid"),
        (os, "getpgid"),
        (os, "getpgrp"),
        (os, "getsid"),
        (os, "getuid"),
        (os, "geteuid"),
        (os, "getlogin"),
        (os, "getcwd"),
        (os, "getcwdb"),
        (os, "uname"),
        (os, "cpu_count"),
        (os, "process_cpu_count"),
        (os, "sched_getaffinity"),
        (os, "getloadavg"),
        (os, "listdir"),
        (os, "scandir"),
        (os, "statvfs"),
        (resource, "getrusage"),
    )
    for module, name in found:
        if module is not None and hasattr(module, name):
            yield OfAuthors(getattr(module, name), f"{module.__name__}.{name}()")


def unread_by_authors() -> Iterator[tuple[type, str, Any]]:
    """Yield (type, name, what stands in for it): variables of the environment, dates of files."""
    for name in ("__getitem__", "__iter__"):
        yield type(os.environ), name, _asking("os.environ", vars(type(os.environ))[name])
    for name, member in vars(os.stat_result).items():
        if name.startswith(("st_atime", "st_ctime", "st_mtime", "st_birthtime", "st_ino")):
            yield os.stat_result, name, _read(f"a file's {name}", member)


# --- Inside --------------------------------------------------------------------------------------


def _asking(what: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def ask(*arguments: Any) -> Any:
        refuse_authors(what)
        return original(*arguments)

    return ask


def _read(what: str, member: Any) -> property:
    def read(self: os.stat_result) -> Any:
        refuse_authors(what)
        return member.__get__(self)

    return property(read)


def _is_an_author() -> bool:
    """Whether the first that is not Python's is an author's, below whom no audit is.

    What is imported for the first time asks for what it would have asked before.
    """
    frame: FrameType | None = sys._getframe(3)  # noqa: SLF001 - inspect.stack() would read files
    found = False
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        if name == _LOOP:
            break
        if name in _STAGE or (code.co_name == "exec_module" and name.startswith("<frozen")):
            return False
        if not found and not _passes(frame):
            ours = name.startswith(_OURS) and not name.startswith(_SYSTEMS)
            if ours or kind_of(name) != "project":
                return False
            found = True
        frame = frame.f_back
    return found


def _passes(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _PASSING
