"""What is in force while a simulation is sealed, and a note of whatever asks to get out."""

from __future__ import annotations

from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from actors.simulation.errors import Escape
from actors.simulation.sealed.callers import find_caller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from actors.kernel.rng import Rng

    class WallClock(Protocol):
        """Virtual microseconds since the epoch."""

        def now_us(self) -> int: ...

    class Sockets(Protocol):
        """A network that stands for the real one."""

        def socket(self, *arguments: Any, **options: Any) -> Any: ...

    class VirtualWorld(Protocol):
        """Who answers instead of the real world: the loop of a simulation."""

        @property
        def clock(self) -> WallClock: ...

        @property
        def entropy(self) -> Rng: ...

        @property
        def network(self) -> Sockets | None: ...

        def time(self) -> float: ...


AllowedAnswer = Literal["virtual", "real"]


class Allowance(NamedTuple):
    """Who may ask for what, who answers, and why that changes no outcome."""

    asker: str  # a module with all below it
    kinds: tuple[str, ...]  # of "time" and "entropy"
    answer: AllowedAnswer
    reason: str


class Watch:
    """What is in force: whose thread it is, who serves what is allowed, what has escaped so far."""

    def __init__(self, world: VirtualWorld | None, allowed: Iterable[Allowance]) -> None:
        self.world = world
        self.allowed = (*allowed,)
        self.thread = get_ident()
        self.escapes: list[Escape] = []
        # Who hears of each file that is synced, by its descriptor.
        self.synced: Callable[[int], None] | None = None


_watch: Watch | None = None


def watching() -> Watch | None:
    """Return the watch that is in force on this thread, if any.

    Other threads of the process, a test runner's say, are not in the simulation.
    """
    return _watch if _watch is not None and _watch.thread == get_ident() else None


def in_force() -> bool:
    """Whether any thread of this process is watched."""
    return _watch is not None


def put_in_force(watch: Watch | None) -> None:
    """Let `watch`, or from now on none, be in force."""
    global _watch  # noqa: PLW0603 - an audit hook and a patched type are the process's, not ours
    _watch = watch


@contextmanager
def in_the_real_world() -> Iterator[None]:
    """Let none be in force meanwhile: who looks on from outside is no part of the simulation."""
    watch = watching()
    put_in_force(None)
    try:
        yield
    finally:
        put_in_force(watch)


def escape(what: str) -> Escape:
    """Make the error for `what`, such as "a socket", and keep it in the watch; the caller raises.

    Names the innermost frame that is neither the standard library's nor the simulation's own.
    """
    caller, through = find_caller()
    error = Escape(what, caller=caller, through=through)
    if (watch := watching()) is not None:
        watch.escapes.append(error)
    return error
