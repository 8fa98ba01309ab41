"""Nothing gets out unseen: while `forbid()` is in force, the real world raises `Escape`.

Three nets, because none holds everything:

- Names. Functions such as `time.time` are replaced in their own module and in every loaded module
  that imported them by name (`forbidden.py` lists them).
- Types. Methods written in C, such as `datetime.now` or a lock's `acquire`, are replaced in the
  type (`builtin_types.py`).
- Audit events (PEP 578). Sockets, subprocesses, forks and `input()` announce themselves to the
  interpreter, whatever they were called by.

What slips through: a clock or a random function that somebody stored before (in a default argument,
an attribute, a container); C code that asks the kernel itself, SQLite's `datetime('now')` and
`random()` among it; a blocking read or file lock. The first and the second are what
`tests/architecture.py` keeps out of this project's own code.

An `Escape` that somebody caught is raised again at the end: a catch-all must not hide one.
"""

from __future__ import annotations

import contextlib
import sys
from threading import get_ident
from typing import TYPE_CHECKING, Any

from actors.simulation.errors import Escape, SimulationError
from actors.simulation.sealed.callers import find_caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.time.loop import SimulationLoop

AUDITED = {
    "_thread.start_new_thread": "a thread",
    "_thread.start_joinable_thread": "a thread",
    "builtins.input": "input()",
    "os.exec": "os.exec*()",
    "os.fork": "os.fork()",
    "os.forkpty": "os.forkpty()",
    "os.posix_spawn": "os.posix_spawn()",
    "os.spawn": "os.spawn*()",
    "os.startfile": "os.startfile()",
    "os.system": "os.system()",
    "pty.spawn": "pty.spawn()",
    "socket.__new__": "a socket",
    "socket.bind": "a socket",
    "socket.connect": "a socket",
    "socket.getaddrinfo": "a name look-up",
    "socket.gethostbyaddr": "a name look-up",
    "socket.gethostbyname": "a name look-up",
    "socket.getnameinfo": "a name look-up",
    "socket.sendmsg": "a socket",
    "socket.sendto": "a socket",
    "subprocess.Popen": "a subprocess",
    "time.sleep": "time.sleep()",
}


class Watch:
    """What is in force: whose thread it is, who serves what is allowed, what has escaped so far."""

    def __init__(self, loop: SimulationLoop | None) -> None:
        self.loop = loop
        self.thread = get_ident()
        self.escapes: list[Escape] = []


_watch: Watch | None = None
_hooked = False


def watching() -> Watch | None:
    """Return the watch that is in force on this thread, if any.

    Other threads of the process, a test runner's say, are not in the simulation.
    """
    return _watch if _watch is not None and _watch.thread == get_ident() else None


def escape(what: str) -> Escape:
    """Make the error for `what`, such as "a socket", and keep it in the watch; the caller raises.

    Names the innermost frame that is neither the standard library's nor the simulation's own.
    """
    caller, through = find_caller()
    error = Escape(what, caller=caller, through=through)
    if (watch := watching()) is not None:
        watch.escapes.append(error)
    return error


@contextlib.contextmanager
def forbid(loop: SimulationLoop | None = None) -> Iterator[Watch]:
    """Let no thread, socket, process, sleep, clock or entropy of the real world be used.

    `loop` serves the few libraries that may ask (`guard.ALLOWED`) from its virtual time and
    its seed; without it they are refused too. Does not nest. Raises, besides what its block
    raises, the first Escape that the block caught and forgot.
    """
    # Down here: what stands in for what is forbidden needs this module.
    from actors.simulation.sealed.replacing import replaced  # noqa: PLC0415

    global _watch  # noqa: PLW0603 - an audit hook and a patched type are the process's, not ours
    if _watch is not None:
        message = "forbid() is in force already"
        raise SimulationError(message)
    _hook()
    watch = Watch(loop)
    with replaced():
        _watch = watch
        try:
            yield watch
        except BaseException as error:
            for hidden in watch.escapes:
                if hidden is not error:
                    error.add_note(f"before that: {hidden}")
            raise
        finally:
            _watch = None
    if watch.escapes:
        raise watch.escapes[0]


def _hook() -> None:
    global _hooked  # noqa: PLW0603 - a hook cannot be removed, so there must be one at most
    if not _hooked:
        sys.addaudithook(_on_audit)
        _hooked = True


def _on_audit(event: str, _arguments: tuple[Any, ...]) -> None:
    if _watch is not None and event in AUDITED and watching() is not None:
        raise escape(AUDITED[event])
