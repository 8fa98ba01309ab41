"""Ends a run that never comes back: a handler with an endless loop has the only thread there is."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from actors.simulation.errors import Endless
from actors.simulation.sealed.callers import find_caller
from actors.simulation.time.loop import SimulationLoop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# Seconds of processor time that a run may take: four hundred times what a booking system's do.
RUN_CPU_S_MAX: Final = 20.0
# Who catches what ends it, and goes on, is told again after so much more.
AGAIN_S: Final = 1.0


@contextmanager
def watchdog(cpu_s_max: float) -> Iterator[None]:
    """End the simulation inside the block with `Endless` after so much processor time.

    Processor time, so that a machine that is busy with something else spoils nothing. There is such
    a timer in main threads of Unix alone; and a single endless statement of SQL is not interrupted.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGPROF"):
        yield
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if _simulation() is not None:
            _, where = find_caller()
            end_run(Endless(f"{cpu_s_max:g} s of processor time were not enough, at {where}"))

    before = signal.signal(signal.SIGPROF, on_signal)
    signal.setitimer(signal.ITIMER_PROF, cpu_s_max, AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def end_run(error: BaseException) -> None:
    """Raise `error` in what runs now and, as that may be caught there, out of the loop as well."""
    loop = _simulation()
    if loop is not None:
        loop.end_with(error)
    raise error


def _simulation() -> SimulationLoop | None:
    loop = asyncio._get_running_loop()  # noqa: SLF001 - asyncio exports it; no error without one
    return loop if isinstance(loop, SimulationLoop) else None
