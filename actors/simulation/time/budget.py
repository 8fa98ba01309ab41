"""How much a simulation may do before it is taken to be going round in circles."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from actors.simulation.errors import BudgetSpent, Livelock

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Limits in callbacks of the loop; a simulated HTTP request takes about ten."""

    # A thousand clients that begin at one instant need tens of thousands.
    callbacks_per_instant_max: int = 200_000
    # A quarter of an hour of one core.
    callbacks_max: int = 500_000_000


class Spending:
    """Counts callbacks, and near a limit what they are called."""

    _NAMED = 2_000  # callbacks before a limit whose names are kept
    _REPORTED = 5

    def __init__(self, budget: Budget) -> None:
        self.callbacks = 0
        self.at_instant = 0
        self._budget = budget
        self._names: Counter[str] = Counter()
        self._callbacks_max = budget.callbacks_max
        self._name_instant_from = budget.callbacks_per_instant_max - self._NAMED
        self._name_total_from = budget.callbacks_max - self._NAMED

    def renew(self) -> None:
        """Allow as much again, for the cleaning up."""
        self.at_instant = 0
        self._names.clear()
        self._callbacks_max = self.callbacks + self._budget.callbacks_max
        self._name_total_from = self._callbacks_max - self._NAMED

    def begin_instant(self) -> None:
        """Time has moved: what was done before counts for the total alone."""
        self.at_instant = 0

    def spend(self, handles: Iterable[asyncio.Handle], count: int) -> None:
        """Count the `count` callbacks of `handles`. Raises Livelock and BudgetSpent."""
        self.callbacks += count
        self.at_instant += count
        if self.at_instant > self._name_instant_from or self.callbacks > self._name_total_from:
            self._names.update(name_of(handle) for handle in handles)
            self._check()

    def _check(self) -> None:
        budget = self._budget
        busiest = sorted(self._names.items(), key=lambda item: (-item[1], item[0]))
        if self.at_instant > budget.callbacks_per_instant_max:
            message = f"{self.at_instant} callbacks, and no time has gone by"
            raise Livelock(message, busiest[: self._REPORTED])
        if self.callbacks > self._callbacks_max:
            message = f"{self.callbacks} callbacks, more than callbacks_max allows"
            raise BudgetSpent(message, busiest[: self._REPORTED])


def name_of(handle: asyncio.Handle) -> str:
    """Return what a callback is called: a task's name, or the function's."""
    callback: Any = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001 - see loop.py
    owner = getattr(callback, "__self__", None)
    if owner is not None and hasattr(owner, "get_name"):
        return f"task {owner.get_name()}"
    function = getattr(callback, "func", callback)  # a functools.partial's
    return str(getattr(function, "__qualname__", type(function).__qualname__))
