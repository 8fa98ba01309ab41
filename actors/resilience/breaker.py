"""A circuit breaker: a dependency that keeps failing is left alone, then tried with care.

M. Nygard, "Release It!", 2nd edition, 2018, "Circuit Breaker".
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

import structlog

if TYPE_CHECKING:
    from actors.config import BreakerConfig
    from actors.kernel.clock import Clock

log = structlog.get_logger()

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Guards the calls to one dependency: `allow`, then `succeeded`, `failed` or `withdrawn`.

    | state | `allow` | `succeeded` | `failed` |
    | --- | --- | --- | --- |
    | closed | yes | the count starts over | open, if it is `failures_max` in a row |
    | open | no; half_open after `open_s` | nothing | nothing |
    | half_open | `probes_max` at a time | closed, if a probe is out | open, if a probe is out |

    Reports carry no name: while a probe is out, one of a call from before counts as the probe's.
    While none is out, such a report says nothing new and is ignored. A call that was not made, or
    was given up, is `withdrawn`. One that is never reported costs nothing but, for a probe, its
    slot for `probe_s_max` seconds.
    """

    def __init__(self, name: str, *, config: BreakerConfig, clock: Clock) -> None:
        """Start closed. `name` is the dependency's, for the log."""
        self.name = name
        self._config = config
        self._clock = clock
        self._failures = 0
        # How often it has opened.
        self.openings = 0
        self._state: State = "closed"
        # When `open` ends, in the clock's monotonic seconds.
        self._open_until_s = 0.0
        # Until when each probe that is out may keep its slot from another; the oldest first.
        self._slots_until_s: deque[float] = deque()

    @property
    def state(self) -> State:
        """What it is now: an open breaker whose time is over is half open."""
        over = self._state == "open" and self._clock.monotonic() >= self._open_until_s
        return "half_open" if over else self._state

    @property
    def retry_after_s(self) -> float:
        """Seconds until `allow` may say yes, unless a report comes first; 0.0: it would now."""
        state, slots = self.state, self._slots_until_s
        if state == "closed" or (state == "half_open" and len(slots) < self._config.probes_max):
            return 0.0
        until_s = self._open_until_s if state == "open" else slots[0]
        return max(0.0, until_s - self._clock.monotonic())

    def allow(self) -> bool:
        """Whether a call may be made now. After a yes, say how the call ended."""
        state = self.state
        if state != "half_open":
            return state == "closed"
        if self._state == "open":
            self._state = "half_open"
            log.info("breaker half open", breaker=self.name)
        now_s = self._clock.monotonic()
        slots = self._slots_until_s
        if len(slots) == self._config.probes_max:
            if now_s < slots[0]:
                return False
            # Whoever called may have been killed; a probe that is merely late may still report.
            slots.popleft()
        slots.append(now_s + self._config.probe_s_max)
        return True

    def succeeded(self) -> None:
        """A call that was allowed has succeeded."""
        if self._state == "closed":
            self._failures = 0
        elif self._slots_until_s:
            self._state = "closed"
            self._failures = 0
            self._slots_until_s.clear()
            log.info("breaker closed", breaker=self.name)

    def failed(self) -> None:
        """A call that was allowed has failed."""
        if self._state == "closed":
            self._failures += 1
            if self._failures >= self._config.failures_max:
                self._open()
        elif self._slots_until_s:
            self._failures += 1
            self._open()

    def withdrawn(self) -> None:
        """A call that was allowed says nothing; if it was a probe, another may be made now."""
        if self._state == "half_open" and self._slots_until_s:
            self._slots_until_s.pop()

    def _open(self) -> None:
        self._state = "open"
        self.openings += 1
        self._slots_until_s.clear()
        self._open_until_s = self._clock.monotonic() + self._config.open_s
        log.warning(
            "breaker opened",
            breaker=self.name,
            failures=self._failures,
            retry_after_s=self._config.open_s,
        )
