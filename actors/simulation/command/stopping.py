"""Ctrl-C lets a campaign end in order: after the run in hand, with what was found so far."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from actors.simulation.stage.watchdog import end_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signal(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGINT or SIGTERM; the second one is a KeyboardInterrupt.

    A KeyboardInterrupt at once could end in the middle of the system under simulation, which might
    take it for a crash of its own.
    """
    stopped = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        if stopped:
            end_run(KeyboardInterrupt())
        stopped = True
        stop()

    before = [(number, signal.signal(number, on_signal)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
