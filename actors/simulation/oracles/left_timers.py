"""Guarantee 10: whoever has waited for an answer leaves no timer behind that would end the wait."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.kernel.deadlines import Deadlines
from actors.kernel.future import AsyncioFuture
from actors.simulation.oracles.once_oracle import inner_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class LeftTimers:
    """Those of two looks in succession: at the first, who has waited may be about to cancel it.

    Of those who share a timer (see Deadlines), each that is still there has one.
    """

    def __init__(self) -> None:
        """Nothing was looked at yet."""
        # By identity; they are kept, so that no other gets the same. And when that was.
        self._over: dict[int, Any] = {}
        self._looked_s = 0.0
        self._told: set[str] = set()

    def look(self, timers: Iterable[asyncio.TimerHandle], now_s: float) -> Iterator[str]:
        """Yield what each of them would do, if it was over at a look before, too; once each."""
        if now_s == self._looked_s:
            return
        before, self._looked_s = self._over, now_s
        self._over = {id(each): each for each in _apart(timers) if _is_over(each)}
        for number, each in self._over.items():
            what = _described(each)
            if number in before and what not in self._told:
                self._told.add(what)
                yield f"a timer is left, {what}, for a wait that is over"


def _apart(timers: Iterable[asyncio.TimerHandle]) -> Iterator[Any]:
    """Yield the timers; instead of one that is shared, those who wait for it."""
    for each in timers:
        owner = getattr(_call_of(each)[0], "__self__", None)
        if isinstance(owner, Deadlines):
            yield from owner.waiting()
        else:
            yield each


def _is_over(timer: Any) -> bool:
    """Whether all that it could end has ended.

    An ask that was given up, as with the effect that asked, has its timer until that is due.
    """
    waits = [
        inner_of(each) if isinstance(each, AsyncioFuture) else each
        for each in _waiters(timer)
        if isinstance(each, AsyncioFuture | asyncio.Future)
    ]
    return bool(waits) and all(
        each is not None and each.done() and not each.cancelled() for each in waits
    )


def _waiters(timer: Any) -> tuple[Any, ...]:
    if not isinstance(timer, asyncio.TimerHandle):
        return (timer,)
    callback, args = _call_of(timer)
    return getattr(callback, "__self__", None), *args


def _call_of(timer: asyncio.TimerHandle) -> tuple[Any, tuple[Any, ...]]:
    made: Any = timer
    callback: Any = made._callback  # noqa: SLF001 - see time/loop.py
    args = made._args or ()  # noqa: SLF001
    while isinstance(callback, partial):
        callback, args = callback.func, (*callback.args, *args)
    return callback, args


def _described(timer: Any) -> str:
    if not isinstance(timer, asyncio.TimerHandle):
        return f"the deadline of {type(timer).__name__}"
    callback, _ = _call_of(timer)
    return getattr(callback, "__qualname__", repr(callback))
