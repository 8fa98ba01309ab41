"""Guarantee 9: who has ended is started again at once, or after a pause that grows, and no later.

The model is that of a reader of config.toml: it knows crashes, by whose doing, and when the next
incarnation begins, up or not.
"""

from __future__ import annotations

from collections import defaultdict
from math import inf
from typing import TYPE_CHECKING, Final

from actors.kernel import lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.config import SupervisorConfig
    from actors.simulation.oracles.standstills import Standstills

# A supervisor hears of an end, and what it decides is done, some turns of the loop later.
SLACK_S: Final = 0.1
# By so much it may have been up for a shorter time to its supervisor, who hears of that later.
EDGE_S: Final = 1.0


class RestartDelayOracle:
    """Each crash that counts waits for up to twice as long as the last; in stable times none does.

    Those that stand in a group wait for each other's ends, too: of a system with one nothing is
    said.
    """

    def __init__(self, config: SupervisorConfig, pauses: Standstills) -> None:
        """Nobody has ended yet; in `pauses` no time is anybody's doing."""
        self.config = config
        self._pauses = pauses
        self._alone = True
        self._up_s: dict[str, float] = {}
        self._failures: dict[str, int] = defaultdict(int)
        # Of who has ended: when, and how much later it may begin.
        self._ended: dict[str, tuple[float, float]] = {}

    def begin(self, *, alone: bool) -> None:
        """Another process begins; `alone` says that nobody there stands in a group."""
        self._alone = alone
        for known in (self._up_s, self._failures, self._ended):
            known.clear()

    def hear(self, event: lifecycle.LifecycleEvent, now_s: float) -> None:
        """Note who is up, and who has ended."""
        name = event.name
        if isinstance(event, lifecycle.Started | lifecycle.Restarted):
            self._up_s[name] = now_s
        elif isinstance(event, lifecycle.Parked):
            self._ended[name] = now_s, event.retry_s
        elif isinstance(event, lifecycle.Crashed):
            up_s = self._up_s.pop(name, inf)
            delay_s = 0.0
            if not event.killed and event.message_type is None:
                if now_s - up_s >= self.config.stable_s + EDGE_S:
                    self._failures[name] = 0
                self._failures[name] += 1
                delay_s = self._delay_s_max(self._failures[name])
            self._ended[name] = now_s, delay_s

    def begun(self, name: str, now_s: float) -> Iterator[str]:
        """Hear that the next incarnation is made; yield where that comes too late."""
        ended_s, delay_s = self._ended.pop(name, (now_s, 0.0))
        late_s = now_s - ended_s - delay_s - self._pauses.within(ended_s, now_s)
        if self._alone and late_s > SLACK_S:
            yield f"{name} was started again {late_s:.3f} s later than {delay_s:g} s after its end"

    def _delay_s_max(self, failures: int) -> float:
        config = self.config
        doublings = failures - 2
        return (
            0.0 if doublings < 0 else min(config.backoff_s_max, config.backoff_s_min * 2**doublings)
        )
