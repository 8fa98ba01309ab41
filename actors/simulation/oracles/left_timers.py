"""Guarantee 10: whoever has waited for an answer leaves no timer behind that would end the wait."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.kernel.future import AsyncioFuture
from actors.simulation.oracles.once_oracle import inner_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class LeftTimers:
    """Those of two looks in succession: at the first, who has waited may be about to cancel it."""

    def __init__(self) -> None:
        """Nothing was looked at yet."""
        # By identity; they are kept, so that no other gets the same. And when that was.
        self._over: dict[int, asyncio.TimerHandle] = {}
        self._looked_s = 0.0
        self._told: set[str] = set()

    def look(self, timers: Iterable[asyncio.TimerHandle], now_s: float) -> Iterator[str]:
        """Yield what each of them would do, if it was over at a look before, too; once each."""
        if now_s == self._looked_s:
            return
        before, self._looked_s = self._over, now_s
        self._over = {id(each): each for each in timers if _is_over(each)}
        for number, each in self._over.items():
            what = _described(each)
            if number in before and what not in self._told:
                self._told.add(what)
                yield f"a timer is left, {what}, for a wait that is over"


def _is_over(timer: asyncio.TimerHandle) -> bool:
    """Whether all that it could end has ended.

    An ask that was given up, as with the effect that asked, has its timer until that is due.
    """
    callback, args = _call_of(timer)
    waits = [
        inner_of(each) if isinstance(each, AsyncioFuture) else each
        for each in (getattr(callback, "__self__", None), *args)
        if isinstance(each, AsyncioFuture | asyncio.Future)
    ]
    return bool(waits) and all(
        each is not None and each.done() and not each.cancelled() for each in waits
    )


def _call_of(timer: asyncio.TimerHandle) -> tuple[Any, tuple[Any, ...]]:
    made: Any = timer
    callback: Any = made._callback  # noqa: SLF001 - see time/loop.py
    args = made._args or ()  # noqa: SLF001
    while isinstance(callback, partial):
        callback, args = callback.func, (*callback.args, *args)
    return callback, args


def _described(timer: asyncio.TimerHandle) -> str:
    callback, _ = _call_of(timer)
    return getattr(callback, "__qualname__", repr(callback))
