"""A background gate on a loop whose time a test moves."""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any

from actors.config import BackgroundConfig
from actors.resilience.background_gate import BackgroundGate

if TYPE_CHECKING:
    from collections.abc import Callable

STALLED_S = 0.25
CONFIG = BackgroundConfig(
    requests_min=2,
    quiet_s=0.05,
    slice_messages=4,
    slice_s=0.01,
    slice_wait_s_max=0.5,
    share_min=0.1,
    lag_s_max=10.0,
)
# Between two slices at the least share.
INTERVAL_S = CONFIG.slice_s / CONFIG.share_min
DEPTH_MAX = 100_000


class Timer:
    """A call that is due, or was cancelled."""

    def __init__(self, at_s: float, call: Callable[[], None]) -> None:
        self.at_s = at_s
        self.call = call
        self.gone = False

    def cancel(self) -> None:
        self.gone = True


class HandMovedLoop:
    """An event loop's time and timers."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, call: Callable[[], None], *, context: Context) -> Timer:
        assert isinstance(context, Context)
        timer = Timer(self.now_s + delay_s, call)
        self.timers.append(timer)
        return timer

    def pending(self) -> list[Timer]:
        return [each for each in self.timers if not each.gone]

    def pass_time(self, seconds: float) -> None:
        """Call what is due meanwhile, in order."""
        end_s = self.now_s + seconds
        while due := [each for each in self.pending() if each.at_s <= end_s]:
            timer = min(due, key=lambda each: each.at_s)
            timer.gone = True
            self.now_s = max(self.now_s, timer.at_s)
            timer.call()
        self.now_s = end_s


def made_gate(loop: Any, config: BackgroundConfig = CONFIG) -> BackgroundGate:
    """Return a gate on that loop."""
    return BackgroundGate(
        config, depth_max=DEPTH_MAX, stalled_s=STALLED_S, loop=loop, ambient=Context()
    )


def open_gate() -> BackgroundGate:
    """Return one that nobody asks anything beside."""
    return made_gate(HandMovedLoop())
