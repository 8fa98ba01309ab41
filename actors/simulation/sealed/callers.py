"""Who asked: the first frame that is neither the standard library's nor the simulation's own."""

from __future__ import annotations

import functools
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_STDLIB = tuple(f"{Path(sysconfig.get_path(name)).resolve()}/" for name in ("stdlib", "platstdlib"))
_INSTALLED = ("/site-packages/", "/dist-packages/")
# Its frames stand between whoever asked and what was refused. What else is in the rooms, such as
# a workload, is somebody who asks.
_OWN = (
    # Between a handler and its SQL.
    str(Path(__file__).parents[2] / "store" / "transaction.py"),
    *(
        str(Path(__file__).parents[1] / f"{name}.py")
        for name in (
            "net/handshakes",
            "net/network",
            "net/network_calls",
            "net/refused_calls",
            "sealed/callers",
            "sealed/escapes",
            "sealed/forbidden",
            "sealed/guard",
            "sealed/replacing",
            "sealed/sql",
            "sealed/surroundings",
            "sealed/watch",
            "stage/watchdog",
            "time/loop",
            "time/run",
        )
    ),
)


def find_caller() -> tuple[str, str]:
    """Return `file:line` of the first frame outside the library, and of the first of nobody's.

    The second leaves out installed packages too: the line of a project that called one.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack() would read files
    innermost = frame
    caller: str | None = None
    while frame is not None:
        kind = kind_of(frame.f_code.co_filename)
        if kind != "library":
            here = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            caller = caller or here
            if kind == "project":
                return caller, here
        frame = frame.f_back
    assert innermost is not None
    caller = caller or f"{innermost.f_code.co_filename}:{innermost.f_lineno}"
    return caller, caller


@functools.cache
def kind_of(filename: str) -> str:
    """Return whose a file is: the standard "library"'s, an "installed" package's, a "project"'s."""
    if filename.startswith("<") or filename in _OWN:
        return "library"
    if any(part in filename for part in _INSTALLED):
        return "installed"
    return "library" if str(Path(filename).resolve()).startswith(_STDLIB) else "project"
