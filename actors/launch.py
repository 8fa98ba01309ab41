"""What a process begins with: a signal that comes while nothing is up yet ends it, without a word.

It imports next to nothing, so that a signal hardly ever comes before it.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from actors.heap import spare_imports
from actors.lean_imports import lean_imports

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

HELD, STOPPED = 0, 3


def launch() -> int:
    """Do what the process's arguments say; returns its exit code. `dress-rehearsal` calls this."""
    return command_line()()


def command_line() -> Callable[..., int]:
    """Return `command_line.main`, imported as is best for a process that begins.

    It imports what a command needs when it is called. Both raise NotInstalled where a package is
    not there.
    """
    hear_signals()
    spare_imports()
    with lean_imports():
        # A signal is heard already.
        from actors.command_line import main  # noqa: PLC0415

    return main


def hear_signals() -> None:
    """End at the first signal, until who has something to end hears them instead.

    A KeyboardInterrupt could strike anywhere: it may be swallowed, and if not, it is a traceback.
    A SIGHUP waits where it is to have the configuration read anew, see `actors.serving`.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    if _is_to_serve(sys.argv[1:]):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def _end(_number: int, _frame: FrameType | None) -> None:
    # Files of a process that ends here are as those of one that is killed: whole.
    os._exit(HELD if _is_to_serve(sys.argv[1:]) else STOPPED)


def _is_to_serve(words: list[str]) -> bool:
    """Whether it was asked to run until it is stopped: then it has done what it was asked."""
    return not words or words[0] == "run" or words[0].startswith("-")
