"""One remote service in a system: what outlives the incarnations of its host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from actors.measures.measured import MeasuredBreaker, MeasuredRemote
from actors.measures.remote_counts import RemoteCounts
from actors.resilience.breaker import Breaker
from actors.resilience.retry_budget import RetryBudget

if TYPE_CHECKING:
    from actors.config import BreakerConfig, Config
    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.service.directory import Directory
    from actors.service.remote.remote import Remote
    from actors.service.remote.transport import Transport, TransportType
    from actors.tracing.tracing import Tracing

# What its breaker is called after the service, as those of effects are after these.
DEPENDENCY: Final = "remote"


class RemoteService:
    """Its routes, breaker, budget of retries and counts; and what was acknowledged to whom."""

    def __init__(
        self,
        name: str,
        remote: Remote,
        *,
        config: Config,
        directory: Directory,
        transport: TransportType,
        clock: Clock,
        rng: Rng,
        tracing: Tracing,
    ) -> None:
        """Nothing is asked of it yet. Raises ConfigError as `Remote.routes`."""
        self.name = name
        self.url = remote.url.rstrip("/")
        self.routes = remote.routes(name)
        self.config = config
        self.directory = directory
        self.clock = clock
        self.rng = rng
        self.tracing = tracing
        self.counts = RemoteCounts()
        self.budget = RetryBudget(config.effect, clock)
        self.breaker = Breaker(f"{name}.{DEPENDENCY}", config=self._limits(), clock=clock)
        # The highest number that it has acknowledged, by sender and the sender's file. Who comes
        # again with less was killed before it heard.
        self.acknowledged: dict[tuple[str, str], int] = {}
        self._transport = transport
        # Until when it asked to be left alone, in the clock's monotonic seconds.
        self._rests_until_s = 0.0

    def reconfigured(self) -> None:
        """Hear that the configuration has other values."""
        self.breaker.reconfigured(self._limits())

    def connect(self) -> Transport:
        """Return an incarnation's connections; none is open yet."""
        limits = self.config.remote
        senders = len(self.directory.catalog.handled)
        return self._transport(
            connections_max=limits.running_max + senders, body_bytes_max=limits.reply_bytes_max
        )

    @property
    def rests_s(self) -> float:
        """For how many seconds it asked to be left alone, from now on."""
        return max(0.0, self._rests_until_s - self.clock.monotonic())

    def rest(self, for_s: float) -> None:
        """Note that it asks to be left alone for so long."""
        rest_s = min(for_s, self.config.remote.rest_s_max)
        self._rests_until_s = max(self._rests_until_s, self.clock.monotonic() + rest_s)

    def measured(self) -> MeasuredRemote:
        """Return what was counted."""
        breaker = MeasuredBreaker(
            dependency=DEPENDENCY,
            state=self.breaker.state,
            openings=self.breaker.openings,
            forced=self.breaker.forced is not None,
        )
        return MeasuredRemote(name=self.name, counts=self.counts, breaker=breaker)

    def _limits(self) -> BreakerConfig:
        config = self.config
        # A probe that may still answer was not killed.
        slowest_s = max(
            config.breaker.probe_s_max, config.remote.command_s_max, config.edge.deadline_s
        )
        return msgspec.structs.replace(config.breaker, probe_s_max=slowest_s)
