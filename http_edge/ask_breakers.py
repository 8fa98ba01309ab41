"""Who asks a service that answers nothing is told so at once, and not when his time is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.config import BreakerConfig
from actors.errors import ActorCrashed, DeadlineExceeded, NotAnswering
from actors.kernel.messages import Command
from actors.measures.measured import MeasuredBreaker
from actors.resilience.breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from actors.config import EdgeConfig
    from actors.kernel.messages import Message
    from http_edge.served_system import ServedSystem


class AskBreaker:
    """What one edge asks of a service, its queries or its commands.

    It has failed where there was no answer in time, or the service is gone over it. To be refused
    is an answer; and who is starting, parked, full or without room says so at once himself, which
    is neither. Nor is a message that crashed it each time and was set aside: that one is to blame,
    the next proceeds, and whoever sends such must not close the service to all others.
    """

    def __init__(
        self,
        system: ServedSystem,
        service: str,
        kind: str,
        config: EdgeConfig,
        *,
        shard: str | None = None,
    ) -> None:
        """It lets in. What is asked of a `shard` is asked of its service."""
        self.service = shard or service
        self.kind = kind
        self._ask = system.ask
        self._asked = service
        self._config = config
        self.breaker = Breaker(f"{self.service}.{kind}", config=self._limits(), clock=system.clock)

    def reconfigured(self) -> None:
        """Hear that the configuration has other values."""
        self.breaker.reconfigured(self._limits())

    def measured(self) -> MeasuredBreaker:
        """Return what it is now."""
        return MeasuredBreaker(
            dependency=self.kind,
            state=self.breaker.state,
            openings=self.breaker.openings,
            forced=self.breaker.forced is not None,
        )

    async def ask(self, message: Message, *, timeout_s: float, key: str | None = None) -> Any:
        """As `ServedSystem.ask`. Raises NotAnswering, too, and then the service was not asked."""
        call = self.breaker.enter()
        if call is None:
            raise NotAnswering(
                f"{self.service} has answered nothing for a while, and is left alone",
                retry_after_s=self.breaker.retry_after_s,
            )
        try:
            reply = await self._ask(self._asked, message, timeout_s=timeout_s, key=key)
        except DeadlineExceeded:
            # Whoever has no patience says nothing of the service.
            # Nobody's time is longer than deadline_s, and some of it is gone when he asks.
            config = self._config
            if timeout_s >= min(config.breaker.patience_s, config.deadline_s / 2):
                call.failed()
            else:
                call.withdrawn()
            raise
        except ActorCrashed:
            call.failed()
            raise
        except BaseException:
            call.withdrawn()
            raise
        call.succeeded()
        return reply

    def _limits(self) -> BreakerConfig:
        limits = self._config.breaker
        return BreakerConfig(
            window_calls=limits.window_calls,
            calls_min=limits.calls_min,
            failed_share=limits.failed_share,
            slow_s=0.0,
            open_s=limits.open_s,
            probes_max=limits.probes_max,
            # A probe ends by its deadline, whoever asks.
            probe_s_max=self._config.deadline_s,
        )


class ShardAskBreakers:
    """Those of a sharded service, one a shard: who waits for one in vain says nothing of others."""

    def __init__(
        self, system: ServedSystem, service: str, whole: AskBreaker, each: Mapping[str, AskBreaker]
    ) -> None:
        """`whole` is for what any shard is asked, or all are."""
        self._service = service
        self._shard_of = system.shard_of
        self._whole = whole
        self._each = each

    async def ask(self, message: Message, *, timeout_s: float, key: str | None = None) -> Any:
        """As AskBreaker.ask."""
        shard = self._shard_of(self._service, message, key)
        breaker = self._whole if shard is None else self._each[shard]
        return await breaker.ask(message, timeout_s=timeout_s, key=key)


class AskBreakers:
    """One edge's."""

    def __init__(self, system: ServedSystem, config: EdgeConfig) -> None:
        """None yet: those that its addresses ask are made with these."""
        self._system = system
        self._config = config
        self._found: dict[tuple[str, str], AskBreaker] = {}

    def of(self, service: str, message: type[Message]) -> AskBreaker | ShardAskBreakers:
        """Return what asks the service such messages."""
        kind = "commands" if issubclass(message, Command) else "queries"
        whole = self._of(service, kind)
        names = self._system.shards(service)
        if not names:
            return whole
        each = {name: self._of(service, kind, shard=name) for name in names}
        return ShardAskBreakers(self._system, service, whole, each)

    def _of(self, service: str, kind: str, *, shard: str | None = None) -> AskBreaker:
        name = shard or service
        found = self._found.get((name, kind))
        if found is None:
            found = AskBreaker(self._system, service, kind, self._config, shard=shard)
            self._found[name, kind] = found
        return found

    def __iter__(self) -> Iterator[AskBreaker]:
        return iter(self._found.values())

    def named(self, name: str) -> Breaker | None:
        """Return the one of that name, or None."""
        return next((each.breaker for each in self if each.breaker.name == name), None)
