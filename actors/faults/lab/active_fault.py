"""A fault that is on: it decides what is struck, by its own seed, and counts it."""

from __future__ import annotations

import asyncio
import threading
from math import inf
from typing import TYPE_CHECKING, Final

import msgspec

from actors.faults.lab.waits import wait_s
from actors.kernel.messages import Query, type_name, type_of
from actors.kernel.rng import Rng

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from actors.faults.lab.fault_order import FaultOrder

# How long a handler's thread can be held up without being asked whether it is to go on.
_STEP_S: Final = 0.005


class FaultStats(msgspec.Struct, frozen=True, kw_only=True):
    """An active fault as an operator sees it: `seen` came by that were meant, `hits` were struck.

    Times are microseconds since the epoch; without `until_us` it stays until it is mended.
    """

    id: str
    what: str
    order: FaultOrder
    seed: int
    begun_us: int
    until_us: int | None
    hits: int
    seen: int
    by: str | None


class ActiveFault:
    """What happens to the n-th that comes by follows from the seed and n alone."""

    __slots__ = (
        "_begun_us", "_hits", "_latency_s_max", "_mended", "_over", "_spent", "_until_us",
        "_waits", "hits", "id", "is_over", "order", "part", "seed", "seen", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        fault_id: str,
        order: FaultOrder,
        *,
        seed: int,
        begun_us: int,
        latency_s_max: float,
        spent: Callable[[ActiveFault], None],
    ) -> None:
        """`spent` hears when the last of the `first` so many was struck, and waits no more."""
        self.id = fault_id
        self.order = order
        # Asked for each that comes by, and computed.
        self.part = None if order.route is not None else order.part
        self.seed = seed
        self._begun_us = begun_us
        self._until_us = None if order.for_s is None else begun_us + int(order.for_s * 1_000_000)
        self._latency_s_max = latency_s_max
        # Two, so that how long somebody waits does not shift who is struck next.
        self._hits, self._waits = Rng(f"hits:{seed}"), Rng(f"waits:{seed}")
        self._spent = spent
        self._over = asyncio.Event()
        self._mended = threading.Event()
        self.is_over = False
        self.seen = self.hits = 0
        # How many wait for it now.
        self.waiting = 0

    def takes(self, message: Any) -> bool:
        """Whether it is meant for such a message, whoever has sent it."""
        wanted = self.order.message_type
        if self.part == "queries" and not isinstance(message, Query):
            return False
        return wanted is None or type_name(type_of(message)) == wanted

    def strikes(self) -> bool:
        """Whether this one is struck that comes by; loop's thread only."""
        if self.is_over:
            return False
        order = self.order
        self.seen += 1
        drawn = self._hits.random() * 100 < order.percent
        number = self.seen - order.after
        if number < 1 or number % order.every or not drawn:
            return False
        if self.is_spent:
            return False
        self.hits += 1
        if self.hits == order.first:
            self._spent(self)
        return True

    @property
    def is_spent(self) -> bool:
        """Whether all that it is to strike was struck; some may wait for it still."""
        return self.order.first is not None and self.hits >= self.order.first

    def wait_s(self) -> float:
        """Draw how long one that is struck is to wait, in seconds."""
        return min(wait_s(self.order, self._waits), self._latency_s_max)

    async def lasts(self, at_most_s: float | None = None) -> None:
        """Wait for so many seconds, or until the fault is over."""
        self.waiting += 1
        try:
            async with asyncio.timeout(at_most_s):
                await self._over.wait()
        except TimeoutError:
            return
        finally:
            self.lets_go()

    def holds_up(self, at_most_s: float | None) -> None:
        """Hold up this thread for so many seconds, or until the fault is mended.

        In short steps: a handler beyond its budget is interrupted between two of them.
        """
        left_s = inf if at_most_s is None else at_most_s
        while left_s > 0 and not self._mended.wait(min(left_s, _STEP_S)):
            left_s -= _STEP_S

    def lets_go(self) -> None:
        """Hear that one waits no more."""
        self.waiting -= 1
        if not self.waiting and self.is_spent:
            self._spent(self)

    def end(self) -> None:
        """Strike nothing more, and let go whom it keeps waiting.

        Spent, it lets those threads be that it holds up: it has struck them for so long.
        """
        self.is_over = True
        self._over.set()
        if not self.is_spent:
            self._mended.set()

    def stats(self) -> FaultStats:
        """Return a snapshot."""
        return FaultStats(
            id=self.id,
            what=str(self.order),
            order=self.order,
            seed=self.seed,
            begun_us=self._begun_us,
            until_us=self._until_us,
            hits=self.hits,
            seen=self.seen,
            by=self.order.by,
        )
