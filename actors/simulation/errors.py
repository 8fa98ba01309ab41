"""What ends a simulation besides its own result."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from actors.errors import DressRehearsalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class SimulationError(DressRehearsalError):
    """Root of what a simulation raises about itself, not about the system in it."""


class Escape(SimulationError):
    """Something asked for a thread, a socket, a process, a clock or entropy of the real world."""

    def __init__(self, what: str, *, caller: str, through: str | None = None) -> None:
        """`caller` is `file:line` outside the standard library, `through` that of your own code."""
        where = caller if through in (None, caller) else f"{caller}, called from {through}"
        super().__init__(f"{what} inside a simulation, at {where}")
        self.what = what
        self.caller = caller
        self.through = through or caller


class NoScenario(SimulationError):
    """A scenario or an audit does what none may: no run of it says anything."""


class NoSuchName(NoScenario):
    """A scenario names what there is not."""

    def __init__(self, what: str, name: str, known: Iterable[str], *, where: str) -> None:
        """`known` are the names of such things as `what` is, `where` is who names another."""
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        message = f"{where}: there is no {what} {name!r}, there are {', '.join(names)}{guess}"
        super().__init__(message)


class NoSuchHandler(SimulationError):
    """A scenario says of a message that it is seldom or never reached, and nobody handles it."""

    def __init__(self, message: object) -> None:
        """`message` is what it says so of."""
        name = getattr(message, "__qualname__", repr(message))
        super().__init__(f"the scenario's seldom or unreached: no service handles {name}")


class NotRead(SimulationError):
    """The version that runs cannot read what a scenario tells a service."""


class NothingThere(SimulationError):
    """A scenario's wire leads to an address at which nobody listens: no fault strikes anything."""


class Deadlock(SimulationError):
    """Nothing is ready, nothing is scheduled, and the main task still waits."""

    def __init__(self, at_s: float, waiting: Sequence[str]) -> None:
        """`waiting` has a line for each that waits, and what it waits for."""
        lines = "\n".join(f"  {line}" for line in waiting)
        super().__init__(f"deadlock at {at_s:.6f} s: nothing is left to happen\n{lines}")
        self.waiting = tuple(waiting)


class BudgetSpent(SimulationError):
    """The simulation ran more callbacks than it may; `busiest` names those that ran most."""

    def __init__(self, message: str, busiest: Sequence[tuple[str, int]]) -> None:
        """`busiest` holds (callback, times among the last ones), most first."""
        lines = "".join(f"\n  {count} x {name}" for name, count in busiest)
        super().__init__(f"{message}; busiest at the end:{lines}")
        self.busiest = tuple(busiest)


class Endless(SimulationError):
    """The simulation took more processor time than any should, and may never have ended."""


class Livelock(BudgetSpent):
    """Callbacks kept one another ready without any time going by."""
