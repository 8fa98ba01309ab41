"""What threads do in a server, done in place at a simulated cost: backups of a running system."""

from __future__ import annotations

import asyncio
import resource
from contextlib import contextmanager, nullcontext
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from actors.store.files.backup import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.simulation.files.running_backups import RunningBackups

# What a hop to a thread and back takes, each, in seconds.
HOP_S_MAX: Final = 0.002
# And what it takes to hold a file as it is.
STEP_S_MAX: Final = 0.0005
# Where a disk is full, a file may have as many bytes as this still: none of a database's.
ROOM_BYTES: Final = 8_192


class SimulatedAside:
    """Functions run in their turn; `backups` are told of the moment when all stand still."""

    def __init__(self, is_short: Callable[[], bool], rng: Rng, backups: RunningBackups) -> None:
        """While the disk `is_short` of room, no file can grow."""
        self._is_short = is_short
        self._costs = rng
        self._backups = backups

    async def run(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """Return what it returns, a little later."""
        await self._hop()
        with _little_room() if self._is_short() else nullcontext():
            found = function(*arguments)
        if function is prepare:
            self._backups.begun(arguments[0])
        if isawaitable(found):
            found = await found
        await self._hop()
        return found

    def hold(self, writers: int, *, limit_s: float, clock: Clock) -> SimulatedHold:
        """Return what so many writers are held with."""
        return SimulatedHold(
            writers,
            limit_s=limit_s,
            clock=clock,
            taken=self._backups.taken,
            step_s=lambda: self._costs.uniform(0.0, STEP_S_MAX),
        )

    async def _hop(self) -> None:
        await asyncio.sleep(self._costs.uniform(0.0, HOP_S_MAX))


class SimulatedHold:
    """As Hold is: whoever has stopped goes on at the latest `limit_s` after the first has.

    A thread that stands still is a task that waits.
    """

    def __init__(
        self,
        writers: int,
        *,
        limit_s: float,
        clock: Clock,
        taken: Callable[[], None],
        step_s: Callable[[], float],
    ) -> None:
        """Nobody has stopped. `taken` is called at the moment; each step takes `step_s`."""
        self._step_s = step_s
        loop = asyncio.get_running_loop()
        self._awaited = writers
        self._limit_s = limit_s
        self._clock = clock
        self._taken = taken
        self._since_s: float | None = None
        self._all: asyncio.Future[None] = loop.create_future()
        self._over: asyncio.Future[None] = loop.create_future()

    async def stop(self) -> None:
        """Stand still; called by each writer."""
        now_s = self._clock.monotonic()
        if self._since_s is None:
            self._since_s = now_s
        self._awaited -= 1
        if not self._awaited and not self._all.done():
            self._all.set_result(None)
        await asyncio.wait([self._over], timeout=max(0.0, self._since_s + self._limit_s - now_s))
        self.give_up()

    async def take(self, steps: Iterable[Callable[[], None]]) -> float | None:
        """Take these steps while all stand still; return for how long they did, in seconds."""
        try:
            if self._awaited:
                await asyncio.wait(
                    [self._all, self._over],
                    timeout=self._limit_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if self._awaited:
                return None
            for step in steps:
                if self._over.done():
                    return None
                step()
                await asyncio.sleep(self._step_s())
            if self._over.done():
                return None
            self._taken()
            now_s = self._clock.monotonic()
            return 0.0 if self._since_s is None else now_s - self._since_s
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Let all go on."""
        if not self._over.done():
            self._over.set_result(None)


@contextmanager
def _little_room() -> Iterator[None]:
    """Let no file grow beyond a few pages: what the system says then, it says of a full disk."""
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
