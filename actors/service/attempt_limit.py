"""One attempt of an effect: its time, and who may know what is left of it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from actors.kernel.clock import Clock
    from actors.kernel.deadlines import Deadlines, Slot

_attempt: ContextVar[AttemptLimit | None] = ContextVar("attempt", default=None)


class AttemptLimit:
    """`with AttemptLimit(...)`: TimeoutError where it takes longer than `limit_s`.

    As `asyncio.timeout`, with one timer of the loop for all of them (see Deadlines).
    """

    __slots__ = ("_at_s", "_cancelling", "_clock", "_task", "is_over", "slot")

    def __init__(
        self,
        task: asyncio.Task[None],
        limit_s: float,
        limit_name: str,
        *,
        deadlines: Deadlines,
        clock: Clock,
    ) -> None:
        """It begins now, in `task`, which runs."""
        self._task = task
        self._cancelling = task.cancelling()
        self._clock = clock
        self._at_s = clock.monotonic() + limit_s
        self.slot: Slot | None = None
        # Whether its time was up before it had ended.
        self.is_over = False
        deadlines.add(self, self._at_s, limit_s, limit_name)

    def __enter__(self) -> Self:
        # The task is the effect's own and makes one attempt after the other: nothing to reset.
        _attempt.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.slot is not None:
            del self.slot[self]
            self.slot = None
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self, after_s: float, whom: str) -> None:
        """Its time is up."""
        del after_s, whom
        self.is_over = True
        self._task.cancel()

    def rest_s(self) -> float:
        """Return how many seconds are left of it."""
        return max(0.0, self._at_s - self._clock.monotonic())


def rest_s() -> float | None:
    """Return what is left of the attempt that this runs in, in seconds; None outside of any."""
    attempt = _attempt.get()
    return None if attempt is None else attempt.rest_s()
