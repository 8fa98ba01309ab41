"""A circuit breaker: a dependency that keeps failing is left alone, then tried with care.

M. Nygard, "Release It!", 2nd edition, 2018, "Circuit Breaker"; the window is resilience4j's.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.config import BreakerConfig
    from actors.kernel.clock import Clock

log = structlog.get_logger()

State = Literal["closed", "open", "half_open"]
# What an operator may force it to be.
Forced = Literal["closed", "open"]


class BreakerStats(msgspec.Struct, frozen=True, kw_only=True):
    """How a breaker stands: of `calls` in its window `failures` have failed.

    `retry_after_s` is when it lets somebody in again; None: when the operator does who has forced
    it open.
    """

    name: str
    state: State
    forced: Forced | None
    calls: int
    failures: int
    openings: int
    retry_after_s: float | None


class Call(msgspec.Struct, eq=False):
    """A call that its breaker has let in: say once how it ended, whatever happens.

    What is said again, or when the breaker has changed its state meanwhile, says nothing.
    """

    # None once it has ended.
    _breaker: Breaker | None
    # Of the breaker's.
    period: int
    begun_s: float

    # Whether it asks if the dependency is back.
    is_probe: ClassVar[bool] = False

    def succeeded(self) -> None:
        """It had its answer: where that took `slow_s`, it has failed all the same."""
        if (breaker := self._breaker) is not None:
            self._breaker = None
            breaker.ended(self, failed=False)

    def failed(self) -> None:
        """It had none, or one that says that the dependency does not work."""
        if (breaker := self._breaker) is not None:
            self._breaker = None
            breaker.ended(self, failed=True)

    def withdrawn(self) -> None:
        """It was not made, or given up: it says nothing of the dependency."""
        if (breaker := self._breaker) is not None:
            self._breaker = None
            breaker.ended(self, failed=None)


class Probe(Call, eq=False):
    """A call of a breaker that is half open."""

    # What ends it once it has been out for too long, and whether it was asked to; whoever makes
    # it sets the one.
    cancel: Callable[[], None] | None = None
    is_late: bool = False

    is_probe: ClassVar[bool] = True


class Breaker:
    """Guards the calls to one dependency: `enter`, then the call says how it ended.

    | state | `enter` | a call of this state succeeded | failed |
    | --- | --- | --- | --- |
    | closed | yes | is in the window | open, where `failed_share` of `calls_min` have |
    | open | no; half open after `open_s` | | |
    | half open | `probes_max` at a time | closed, with an empty window | open |

    The window is of the last `window_calls` that said yes or no. A call is of the state in which it
    began: whoever is late changes nothing. A probe has its place until it has ended, also when the
    breaker has opened again meanwhile: more than `probes_max` never run. One that is out for
    `probe_s_max` is cancelled when another would come in.

    An operator may force it open or closed. Then nothing changes its state until he lifts that: one
    that was open is half open then, one that was closed begins with an empty window.
    """

    def __init__(self, name: str, *, config: BreakerConfig, clock: Clock) -> None:
        """Start closed. `name` is the dependency's, for the log."""
        self.name = name
        self.window_calls = config.window_calls
        self.probes_max = config.probes_max
        self._config = config
        self._clock = clock
        # 0.0: no answer is too slow, and when a call began need not be known.
        self._slow_s = config.slow_s
        # How often it has opened; not by an operator.
        self.openings = 0
        # What an operator has forced it to be.
        self.forced: Forced | None = None
        self._state: State = "closed"
        # The same, for who asks at every call.
        self.is_closed = True
        # How often it has changed its state: which calls are of this one.
        self._period = 0
        # Of the last calls whether they failed, and how many did.
        self._window: deque[bool] = deque()
        self._failures = 0
        # When `open` ends, in the clock's monotonic seconds.
        self._open_until_s = 0.0
        # The probes that run, of whichever period; the oldest first.
        self._probes: list[Probe] = []

    @property
    def state(self) -> State:
        """What it is now: an open breaker whose time is over is half open."""
        over = self._state == "open" and self._clock.monotonic() >= self._open_until_s
        return "half_open" if over else self._state

    @property
    def retry_after_s(self) -> float:
        """Seconds until `enter` lets in, or cancels who is in its way; sooner, if a probe ends."""
        if self.is_closed:
            return 0.0
        if self.forced is not None:
            return self._config.open_s  # look again: who has forced it may have thought better
        now_s = self._clock.monotonic()
        until_s = self._open_until_s
        if len(self._probes) >= self.probes_max:
            # Those that are cancelled end in a moment, or nobody knows when.
            late_s = [self._late_s(each) for each in self._probes if not each.is_late]
            until_s = max(until_s, min(late_s, default=now_s + self._config.open_s))
        return max(0.0, until_s - now_s)

    def stats(self) -> BreakerStats:
        """Return how it stands now."""
        return BreakerStats(
            name=self.name,
            state=self.state,
            forced=self.forced,
            calls=len(self._window),
            failures=self._failures,
            openings=self.openings,
            retry_after_s=None if self.forced == "open" else self.retry_after_s,
        )

    def force(self, forced: Forced | None) -> None:
        """Have it open or closed until that is lifted, by None."""
        if forced == self.forced:
            return
        log.warning("breaker forced", breaker=self.name, state=forced or "auto", was=self.state)
        lifted, self.forced = self.forced, forced
        if forced is not None:
            self._change(forced)
            self._open_until_s = inf
        elif lifted == "open":
            self._open_until_s = self._clock.monotonic()
        else:
            self._change("closed")

    def reconfigured(self, config: BreakerConfig) -> None:
        """Have other limits from now on; it stays as it is until the next call has ended."""
        self._config = config
        self._slow_s, self.probes_max = config.slow_s, config.probes_max
        self.window_calls = config.window_calls
        while len(self._window) > self.window_calls:
            self._failures -= self._window.popleft()

    def enter(self) -> Call | None:
        """Return the call that may be made now, or None."""
        if self.is_closed:
            return Call(self, self._period, self._clock.monotonic() if self._slow_s else 0.0)
        now_s = self._clock.monotonic()
        if self._state == "open":
            if now_s < self._open_until_s:
                return None
            self._change("half_open")
            log.info("breaker half open", breaker=self.name)
        if len(self._probes) >= self.probes_max:
            self._cancel_late(now_s)
            if len(self._probes) >= self.probes_max:
                return None
        probe = Probe(self, self._period, now_s)
        self._probes.append(probe)
        return probe

    def ended(self, call: Call, *, failed: bool | None) -> None:
        """Hear from the call, once, that it has ended: None, if that says nothing."""
        if self._probes and isinstance(call, Probe):
            self._probes.remove(call)
        if failed is None or call.period != self._period:
            return
        if self._slow_s and not failed:
            failed = self._clock.monotonic() - call.begun_s >= self._slow_s
        if self.is_closed:
            window = self._window
            if len(window) == self.window_calls:
                if not failed and not self._failures:
                    return  # as nearly always: all of them have succeeded, this one too
                self._failures -= window.popleft()
            window.append(failed)
            # Who succeeds opens nothing, also where that makes the calls enough.
            if failed:
                self._failures += 1
                self._judge()
        elif failed:
            self._open()
        else:
            self._change("closed")
            log.info("breaker closed", breaker=self.name)

    # --- Inside ------------------------------------------------------------------------------

    def _judge(self) -> None:
        calls = len(self._window)
        enough = calls >= self._config.calls_min and self.forced is None
        if enough and self._failures / calls >= self._config.failed_share:
            self._open()

    def _open(self) -> None:
        failures, calls = self._failures, len(self._window)
        self._change("open")
        self.openings += 1
        self._open_until_s = self._clock.monotonic() + self._config.open_s
        log.warning(
            "breaker opened",
            breaker=self.name,
            failures=failures or 1,  # a probe's
            calls=calls or 1,
            retry_after_s=self._config.open_s,
        )

    def _change(self, state: State) -> None:
        self._state = state
        self.is_closed = state == "closed"
        self._period += 1
        self._window.clear()
        self._failures = 0

    def _late_s(self, probe: Probe) -> float:
        return probe.begun_s + self._config.probe_s_max

    def _cancel_late(self, now_s: float) -> None:
        for probe in [each for each in self._probes if not each.is_late]:
            if now_s >= self._late_s(probe):
                probe.is_late = True
                if probe.cancel is not None:
                    probe.cancel()
                    # Its own limit has not ended it, either.
                    log.warning(
                        "probe does not end",
                        breaker=self.name,
                        advice="it keeps its place until it does: let CancelledError through",
                    )
