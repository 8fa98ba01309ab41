"""All writers stopped between two batches, for as long as they may be and no longer."""

from __future__ import annotations

from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actors.kernel.clock import Clock


class Hold:
    """One try to have them all stand still together.

    Whoever has stopped goes on when the moment has been taken, or `limit_s` seconds after the first
    has stopped: whatever the others and the taking need is not theirs to wait for.
    """

    def __init__(self, writers: int, *, limit_s: float, clock: Clock) -> None:
        """Nobody has stopped."""
        self._awaited = writers
        self._limit_s = limit_s
        self._clock = clock
        self._changed = Condition()
        self._since_s: float | None = None
        self._over = False

    def stop(self) -> None:
        """Stand still; called by each writer, on its thread."""
        with self._changed:
            now_s = self._clock.monotonic()
            if self._since_s is None:
                self._since_s = now_s
            self._awaited -= 1
            self._changed.notify_all()
            left_s = self._since_s + self._limit_s - now_s
            self._changed.wait_for(lambda: self._over, max(0.0, left_s))
            self._end()

    def take(self, steps: Iterable[Callable[[], None]]) -> float | None:
        """Take these steps while all stand still; return for how long they did, in seconds.

        None where they did not, or not to the last step's end. Raises what a step raises.
        """
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._over or not self._awaited, self._limit_s)
                if self._awaited:
                    return None
            for step in steps:
                if self._over:
                    return None
                step()
            with self._changed:
                now_s = self._clock.monotonic()
                held_s = 0.0 if self._since_s is None else now_s - self._since_s
                return None if self._over or held_s > self._limit_s else held_s
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Let all go on."""
        with self._changed:
            self._end()

    def _end(self) -> None:
        self._over = True
        self._changed.notify_all()
