"""Nothing gets out unseen: while `forbid()` is in force, the real world raises `Escape`.

Three nets, because none holds everything:

- Names. Functions such as `time.time` are replaced in their own module and in every loaded module
  that imported them by name (`forbidden.py` lists them).
- Types. Methods written in C, such as `datetime.now` or a lock's `acquire`, are replaced in the
  type (`builtin_types.py`).
- Audit events (PEP 578). Sockets, subprocesses, forks and `input()` announce themselves to the
  interpreter, whatever they were called by.

What slips through: a clock or a random function that somebody stored before (in a default argument,
an attribute, a container); C code that asks the kernel itself. Both are what
`tests/architecture.py` keeps out of this project's own code. SQLite is such code: its clock and
its chance are refused by functions of ours (`sql.py`). A blocking read or file lock announces
nothing; the watchdog ends it (`stage/watchdog.py`).

An `Escape` that somebody caught is raised again at the end: a catch-all must not hide one.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from actors.simulation.errors import SimulationError
from actors.simulation.sealed.debugging import debuggable
from actors.simulation.sealed.replacing import replaced
from actors.simulation.sealed.watch import Watch, escape, in_force, put_in_force, watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from actors.simulation.sealed.watch import Allowance, VirtualWorld

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
    "socket.gethostname": "the machine's name",
    "socket.getaddrinfo": "a name look-up",
    "socket.gethostbyaddr": "a name look-up",
    "socket.gethostbyname": "a name look-up",
    "socket.getnameinfo": "a name look-up",
    "socket.sendmsg": "a socket",
    "socket.sendto": "a socket",
    "subprocess.Popen": "a subprocess",
    "time.sleep": "time.sleep()",
}

_hooked = False


@contextlib.contextmanager
def forbid(
    world: VirtualWorld | None = None, *, allowed: Iterable[Allowance] = ()
) -> Iterator[Watch]:
    """Let no thread, socket, process, sleep, clock or entropy of the real world be used.

    `world`, a loop, serves the few libraries that may ask (`guard.ALLOWED`, and the `allowed` of
    what is played) from its virtual time and its seed; without it they are refused too. Does not
    nest. Raises, besides what its block raises, the first Escape that the block caught and forgot.
    """
    if in_force():
        message = "forbid() is in force already"
        raise SimulationError(message)
    _hook()
    watch = Watch(world, allowed)
    with replaced(), debuggable():
        put_in_force(watch)
        try:
            yield watch
        except BaseException as error:
            for hidden in watch.escapes:
                if hidden is not error:
                    error.add_note(f"before that: {hidden}")
            raise
        finally:
            put_in_force(None)
    if watch.escapes:
        raise watch.escapes[0]


def _hook() -> None:
    global _hooked  # noqa: PLW0603 - a hook cannot be removed, so there must be one at most
    if not _hooked:
        sys.addaudithook(_on_audit)
        _hooked = True


def _on_audit(
    event: str,
    _arguments: tuple[Any, ...],
    # Bound here: at its exit the interpreter sets a module's names to None, and tells hooks on.
    audited: Mapping[str, str] = AUDITED,
    watching: Callable[[], Watch | None] = watching,
) -> None:
    if event in audited and watching() is not None:
        raise escape(audited[event])
