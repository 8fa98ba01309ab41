"""What a breaker may be, to who sees only when calls begin and how they end.

Not all is seen: whether a time-out counts, or which of two things of one instant came first. So it
keeps every window that there may be, and is sure of what holds in all of them.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from actors.config import BreakerConfig

# What a call may have said: that it failed, that it did not, or nothing.
Said = bool | None
# With more it knows nothing any more, until the process ends.
WORLDS_MAX: Final = 256


class _Closed(NamedTuple):
    """It is closed since then, and those of its calls have failed, or not."""

    since_s: float
    window: tuple[bool, ...]


class BreakerWorlds:
    """One breaker, of a process that begins."""

    def __init__(self) -> None:
        # None: it is not closed. Empty: nobody knows.
        self._worlds: set[_Closed | None] = {_Closed(-inf, ())}
        # When a call failed last, or may have.
        self.failed_s = -inf
        # Until when it is surely open, if it surely is not closed; else 0.0.
        self.open_until_s = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether it surely is."""
        return bool(self._worlds) and None not in self._worlds

    def is_half_open(self, now_s: float) -> bool:
        """Whether it surely is: who is let in now asks whether the dependency is back."""
        return 0.0 < self.open_until_s <= now_s

    def heard(
        self, said: AbstractSet[Said], begun_s: float | None, now_s: float, config: BreakerConfig
    ) -> None:
        """Hear that a call has ended, which began then, or nobody knows when."""
        if True in said:
            self.failed_s = now_s
        until_s = self.open_until_s
        if until_s > 0.0 and begun_s is not None:
            # It is of no state before, so it is a probe, or it is late.
            if begun_s < until_s:
                return
            if True in said and False not in said:
                self.open_until_s = now_s + config.open_s
                return
        surely_closed = self.is_closed
        worlds: set[_Closed | None] = set()
        for world in self._worlds:
            for each in said:
                worlds.update(self._after(world, each, begun_s, now_s, config))
        self._worlds = worlds if len(worlds) <= WORLDS_MAX else set()
        opened = surely_closed and self._worlds == {None}
        self.open_until_s = now_s + config.open_s if opened else 0.0

    def _after(
        self,
        world: _Closed | None,
        said: Said,
        begun_s: float | None,
        now_s: float,
        config: BreakerConfig,
    ) -> Iterator[_Closed | None]:
        if said is None:
            yield world
        elif world is None:
            # Of a call that began after the last failure: it was open by then.
            certain = begun_s is not None and (self.open_until_s > 0.0 or begun_s > self.failed_s)
            if said or not certain:
                yield None
            if not said:
                yield _Closed(now_s, ())
        else:
            if begun_s is None or begun_s <= world.since_s:
                yield world
            if begun_s is None or begun_s >= world.since_s:
                yield _counted(world, config, failed=said)


def _counted(world: _Closed, config: BreakerConfig, *, failed: bool) -> _Closed | None:
    window = (*world.window, failed)[-config.window_calls :]
    enough = len(window) >= config.calls_min
    if failed and enough and sum(window) / len(window) >= config.failed_share:
        return None
    return _Closed(world.since_s, window)
