"""In which order one instant's events are taken: asyncio's, or one drawn from a seed.

S. Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
ASPLOS 2010 (PCT): priorities at random, and d - 1 places at random where who runs loses its own.

All actors of a process share one loop, and callbacks that were called soon run first in, first out,
in asyncio as in uvloop: no other order of them can be. What no loop decides is how far it has got
when something comes from outside: a timer, a store's thread, bytes. So PCT's threads are here what
one such arrival sets off until nothing is ready, a chain, and its steps are turns of the loop: the
next arrival comes in between two turns of a chain whose priority is lower, and waits for the end of
one whose priority is higher. Python takes time, so that what is due within `REACH_S` is as good as
due. Arrivals keep their order in time; those of one moment have none, unless they were scheduled at
one moment, too, and on one host.
"""

from __future__ import annotations

import heapq
import math
import zlib
from typing import TYPE_CHECKING, Final

import msgspec

from actors.simulation.net.current_host import CURRENT_HOST
from actors.simulation.time.timetable import Timetable

if TYPE_CHECKING:
    import asyncio
    from collections import deque
    from collections.abc import Callable, Iterator

# How long a turn of the loop may take, in seconds: a few slow callbacks, and far less than what any
# limit of the configuration notices.
REACH_S: Final = 0.005
# After so many turns what is due comes in all the same: some wait for it turn by turn.
TURNS_MAX: Final = 100
# Changes are drawn among so many choices: what a run of ten requests has.
CHOICES: Final = 600
# Odd, and its bits are as good as random: neighbours get ranks that have nothing in common.
_FACTOR: Final = 0x9E37_79B9_7F4A_7C15
_BITS: Final = (1 << 64) - 1


class Order(msgspec.Struct, frozen=True):
    """Priorities by a seed, and the choices at which who runs loses its own; neither: asyncio's.

    With `priorities` 0 all are equal. A choice is a turn of the loop at which something could have
    come in that was not called soon; they are counted from 1.
    """

    priorities: int = 0
    changes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.priorities < 0 or any(each < 1 for each in self.changes):
            raise ValueError(f"priorities are at least 0, and changes 1: {self}")

    def plainer(self) -> Iterator[Order]:
        """Yield what is plainer, asyncio's first."""
        yield Order()
        fewer = [
            tuple([kept for kept in self.changes if kept != each])
            for each in (self.changes if len(self.changes) > 1 else ())
        ]
        if self.priorities and self.changes:
            yield from (Order(0, each) for each in [*fewer, self.changes])
            yield Order(self.priorities, ())
        yield from (Order(self.priorities, each) for each in fewer)

    def __bool__(self) -> bool:
        """Whether it may be another than asyncio's."""
        return bool(self.priorities or self.changes)

    def __str__(self) -> str:
        drawn = f"priorities by {self.priorities}" if self.priorities else "equal priorities"
        changes = ", ".join(map(str, self.changes))
        return drawn + (f", changed at {changes}" if changes else "")


class OrderedTimetable(Timetable):
    """Timers that come in at the turn at which an order has them.

    `choices` counts the turns at which one could have come in.
    """

    def __init__(self, order: Order, time: Callable[[], float]) -> None:
        """`time` tells seconds of virtual time."""
        super().__init__()
        self.choices = 0
        self._time = time
        self._salt = _mixed(order.priorities) if order.priorities else 0
        self._changes = frozenset(order.changes)
        # The rank of what runs: the lower it is, the higher its priority.
        self._running = 0.0
        self._turns = 0

    def move_due(self, now_s: float, ready: deque[asyncio.Handle]) -> float:
        """Append to `ready` what comes in at this turn; return what time it is then."""
        next_s = self.next_s()
        if next_s is None or next_s > now_s + REACH_S:
            return now_s
        if ready:
            self._turns += 1
            if not self._comes_in(next_s <= now_s):
                return now_s
            self.early += next_s > now_s
        self._turns = 0
        self._running = self._timers[0][1]
        now_s = max(now_s, next_s)
        while (next_s := self.next_s()) is not None and next_s <= now_s:
            if self._timers[0][1] > self._running:
                break
            ready.append(heapq.heappop(self._timers)[-1])
        return now_s

    def _comes_in(self, is_due: bool) -> bool:  # noqa: FBT001 - whether it is
        """Whether the first timer comes before what is ready has been through."""
        self.choices += 1
        if self.choices in self._changes:
            self._running = math.inf
        rank = self._timers[0][1]
        if is_due:
            return rank <= self._running or self._turns == TURNS_MAX
        return rank < self._running and not self.held

    def _rank(self) -> int:
        if not self._salt:
            return 0
        host = zlib.crc32(CURRENT_HOST.get().encode())
        return _mixed(self._salt ^ host << 32 ^ round(self._time() * 1e9))


def _mixed(number: int) -> int:
    """Return one of 64 bits, as different as can be for numbers that hardly differ."""
    number = number * _FACTOR & _BITS
    return (number ^ number >> 32) * _FACTOR & _BITS
