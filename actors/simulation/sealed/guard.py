"""What stands in for a function of the standard library, and who may ask nevertheless."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from actors.simulation.sealed.watch import Allowance, escape, watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.simulation.sealed.watch import AllowedAnswer, VirtualWorld

_ALL = ("time", "entropy")
ALLOWED = (
    Allowance("aiohttp", _ALL, "virtual", "ages of cookies and look-ups; which waiter goes first"),
    Allowance("logging", ("time",), "virtual", "every record is stamped where it is made"),
    Allowance("structlog", ("time",), "virtual", "likewise, where nobody has configured it"),
    Allowance("hypothesis", _ALL, "real", "measures and seeds the test around the simulation"),
    Allowance("_pytest", _ALL, "real", "measures the test around the simulation"),
    Allowance("pytest_timeout", _ALL, "real", "ends the test around the simulation"),
)

# Modules that only pass a call on: what counts is who called them.
_PASSED_THROUGH = ("random", "secrets", "tempfile", "uuid")


class Guard:
    """Stands in for a function of the standard library. No function itself: it binds to nothing.

    Outside a simulation, and for who is allowed to, it calls the original: whoever took it from a
    module meanwhile may keep it.
    """

    __slots__ = ("_kind", "_serve", "_what", "original")

    def __init__(
        self,
        original: Callable[..., Any],
        what: str,
        *,
        kind: str = "",
        serve: Callable[..., Any] | None = None,
    ) -> None:
        """`serve(world, *arguments)` answers who is allowed to ask for this `kind`."""
        self.original = original
        self._what = what
        self._kind = kind
        self._serve = serve

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        answer, world = decide(self._kind, self._what)
        if answer == "real":
            return self.original(*arguments, **options)
        assert self._serve is not None
        return self._serve(world, *arguments, **options)


def decide(kind: str, what: str) -> tuple[AllowedAnswer, VirtualWorld]:
    """Return who answers a call two frames up. Raises Escape."""
    watch = watching()
    if watch is None:
        return "real", None  # type: ignore[return-value]  # nobody needs it to answer for real
    asker = _asker()
    for allowance in (*ALLOWED, *watch.allowed) if kind else ():
        if kind in allowance.kinds and _is_within(asker, allowance.asker):
            if allowance.answer == "real":
                return "real", None  # type: ignore[return-value]
            if watch.world is not None:
                return "virtual", watch.world
    if kind and _is_import():
        return "real", None  # type: ignore[return-value]
    raise escape(what)


def _asker() -> str:
    frame = sys._getframe(3)  # noqa: SLF001 - inspect.stack() would read files
    while frame.f_back is not None and frame.f_globals.get("__name__") in _PASSED_THROUGH:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _is_import() -> bool:
    """Whether a module is being executed for the first time: it would have been, before."""
    frame = sys._getframe(3)  # noqa: SLF001
    while frame.f_back is not None:
        if frame.f_code.co_name == "exec_module" and frame.f_code.co_filename.startswith("<frozen"):
            return True
        frame = frame.f_back
    return False


class OfNow(Guard):
    """Guards a function that reads the clock only when it is not told a time."""

    __slots__ = ("_position",)

    def __init__(self, original: Callable[..., Any], what: str, position: int) -> None:
        """The time is the argument at `position`."""
        super().__init__(original, what)
        self._position = position

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        told = arguments[self._position :]
        if (not told or told[0] is None) and watching() is not None:
            decide("", self._what)
        return self.original(*arguments, **options)
