"""Ends a run that never comes back: a handler that loops or waits has the only thread there is."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from actors.simulation.errors import Endless
from actors.simulation.sealed.callers import find_caller
from actors.simulation.sealed.forbidden import REAL_CPU_S_AND_TIME_S as CLOCKS
from actors.simulation.time.loop import SimulationLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

# Seconds of processor time that a run may take: four hundred times what a booking system's do.
RUN_CPU_S_MAX: Final = 20.0
# Who catches what ends it, and goes on, is told again after so much more.
AGAIN_S: Final = 1.0


# Seconds in which a run has to use the processor at all, twice in a row: what waits for the world
# outside uses none, while a machine that is busy, or was asleep, gives it some in the end.
STILL_S_MAX: Final = 10.0
# Of a processor, in that time. The least share of a machine with a hundred others is more.
BUSY_SHARE_MIN: Final = 0.001


@contextmanager
def watchdog(cpu_s_max: float, still_s_max: float = STILL_S_MAX) -> Iterator[None]:
    """End the simulation inside the block with `Endless` after so much processor time.

    Processor time, so that a machine that is busy with something else spoils nothing. What uses
    none, for it waits in a read or for a file's lock, is ended after two times `still_s_max`
    seconds. There are such timers in main threads of Unix alone; and neither a single endless
    statement of SQL nor one that waits for a lock of SQLite's is interrupted.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGPROF"):
        yield
        return

    def on_spent(_number: int, _frame: FrameType | None) -> None:
        if _simulation() is not None:
            _, where = find_caller()
            end_run(Endless(f"{cpu_s_max:g} s of processor time were not enough, at {where}"))

    stillness = _Stillness(still_s_max)

    def on_tick(_number: int, _frame: FrameType | None) -> None:
        if stillness.lasts() and _simulation() is not None:
            _, where = find_caller()
            end_run(Endless(f"nothing was done for {2 * still_s_max:g} s, at {where}"))

    with (
        _timer(signal.SIGPROF, signal.ITIMER_PROF, on_spent, cpu_s_max, AGAIN_S),
        _timer(signal.SIGALRM, signal.ITIMER_REAL, on_tick, still_s_max, still_s_max),
    ):
        yield


class _Stillness:
    """Whether the processor was not used between this look and the one before the last."""

    def __init__(self, every_s: float) -> None:
        self._cpu_s_min = every_s * BUSY_SHARE_MIN
        self._cpu_s = CLOCKS[0]()
        self._looks = 0

    def lasts(self) -> bool:
        cpu_s = CLOCKS[0]()
        self._looks = self._looks + 1 if cpu_s - self._cpu_s < self._cpu_s_min else 0
        self._cpu_s = cpu_s
        return self._looks > 1


@contextmanager
def _timer(
    number: int, which: int, handler: Callable[..., None], first_s: float, every_s: float
) -> Iterator[None]:
    """Let `handler` be called after so many seconds, and again; then be all as it was before."""
    before = signal.signal(number, handler)
    begun_s = CLOCKS[1]()
    left_s, repeated_s = signal.setitimer(which, first_s, every_s)
    try:
        yield
    finally:
        if left_s:  # a test's own limit, say: what has gone by counts
            left_s = max(left_s - (CLOCKS[1]() - begun_s), 0.001)
        signal.setitimer(which, 0.0)
        signal.signal(number, before)
        signal.setitimer(which, left_s, repeated_s)


def end_run(error: BaseException) -> None:
    """Raise `error` in what runs now and, as that may be caught there, out of the loop as well."""
    loop = _simulation()
    if loop is not None:
        loop.end_with(error)
    raise error


def _simulation() -> SimulationLoop | None:
    loop = asyncio._get_running_loop()  # noqa: SLF001 - asyncio exports it; no error without one
    return loop if isinstance(loop, SimulationLoop) else None
