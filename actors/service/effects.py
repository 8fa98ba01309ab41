"""Runs a service's effects: what its commits asked the outside world for, until it has happened."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from actors.errors import Starting
from actors.kernel.envelope import Envelope
from actors.kernel.exit import describe
from actors.kernel.messages import Command, GaveUp, type_of
from actors.kernel.supervision.backoff import full_jitter_s
from actors.resilience.breaker import Breaker
from actors.service.gate import Gate
from actors.store.messaging.origin import TimerOrigin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from actors.config import BreakerConfig, EffectConfig
    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.service.directory import Directory
    from actors.store.messaging.output import Timer

    Send = Callable[[Envelope], None]

log = structlog.get_logger()


class EffectDone(Command):
    """The outcome of an effect that has none: only to mark it done."""


class Breakers:
    """One breaker for each kind of effect; they outlive incarnations, as the outside world does."""

    def __init__(self, service: str, config: BreakerConfig, clock: Clock) -> None:
        """None yet: each is made when its effect first runs."""
        self._service = service
        self._config = config
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}

    def of(self, effect: str) -> Breaker:
        """Return the breaker of that effect."""
        breaker = self._breakers.get(effect)
        if breaker is None:
            breaker = self._breakers[effect] = Breaker(
                f"{self._service}.{effect}", config=self._config, clock=self._clock
            )
        return breaker


class Effects:
    """One incarnation's effects under way, at least once each.

    An attempt has a time limit. One that fails is tried again with growing, jittered delays, and
    `attempts_max` times at most; while its breaker is open, or what it asks is a service of ours
    that is starting, it waits, which costs no attempt. Then
    the service is told by GaveUp, or where it does not listen to that, the request becomes a dead
    letter. Who waits, for whatever reason, holds no place among the `running_max` (see Gate).
    """

    def __init__(
        self,
        name: str,
        functions: Mapping[Any, Callable[[Any], Awaitable[Any]]],
        *,
        directory: Directory,
        breakers: Breakers,
        config: EffectConfig,
        letter_attempts: int,
        clock: Clock,
        rng: Rng,
    ) -> None:
        """`functions` by message type; `letter_attempts` makes a message a dead letter at once."""
        self._name = name
        self.functions = functions
        self._directory = directory
        self._breakers = breakers
        self._config = config
        self._letter_attempts = letter_attempts
        self._clock = clock
        self._rng = rng
        self._gates: dict[str, Gate] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many are under way, those that wait for their next attempt included."""
        return len(self._tasks)

    def start(self, timer: Timer, send: Send) -> None:
        """Run the effect; `send` is given the envelope of its outcome."""
        task = asyncio.get_running_loop().create_task(self._run(timer, send))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop all at once; the next incarnation runs them again."""
        for gate in self._gates.values():
            gate.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # --- Inside ------------------------------------------------------------------------------

    async def _run(self, timer: Timer, send: Send) -> None:
        message = timer.message
        gate = self._gate(timer.message_type)
        attempt = waits = 0
        while True:
            first = attempt == 0
            await gate.enter(first=first)
            attempt += 1
            reason: str | None = None
            try:
                async with asyncio.timeout(self._config.effect_s_max):
                    outcome = await self.functions[type_of(message)](message)
            except Starting:
                gate.withdrawn()
            except (Exception, asyncio.CancelledError) as error:
                if _is_cancelled():  # by us, and not by what it awaited
                    gate.withdrawn()
                    raise
                gate.failed(error)
                reason = describe(error)
            else:
                gate.succeeded()
                send(self._outcome(timer, outcome))
                return
            finally:
                gate.leave(first=first)
            if reason is None:  # a service of ours: it was not asked, so that was no attempt
                attempt -= 1
                waits += 1
                await asyncio.sleep(self._delay_s(waits))
                continue
            (log.info if self._directory.leaving else log.warning)(
                "effect failed",
                actor=self._name,
                effect=timer.message_type,
                attempt=attempt,
                attempts_max=self._config.attempts_max,
                reason=reason,
                request_id=timer.trace,
            )
            if attempt >= self._config.attempts_max:
                send(self._given_up(timer, attempt, reason))
                return
            await asyncio.sleep(self._delay_s(attempt))

    def _gate(self, effect: str) -> Gate:
        gate = self._gates.get(effect)
        if gate is None:
            breaker = self._breakers.of(effect)
            gate = self._gates[effect] = Gate(breaker, config=self._config, clock=self._clock)
        return gate

    def _delay_s(self, attempt: int) -> float:
        return full_jitter_s(
            self._rng,
            attempt,
            min_s=self._config.backoff_s_min,
            max_s=self._config.backoff_s_max,
        )

    def _outcome(self, timer: Timer, outcome: Any) -> Envelope:
        message = EffectDone() if outcome is None else outcome
        return Envelope(message, trace=timer.trace, origin=TimerOrigin(timer.seq))

    def _given_up(self, timer: Timer, attempt: int, reason: str) -> Envelope:
        origin = TimerOrigin(timer.seq)
        if self._directory.handles(self._name, f"{GaveUp.__name__}[{timer.message_type}]"):
            message = GaveUp(command=timer.message, reason=reason)
            return Envelope(message, trace=timer.trace, origin=origin)
        return Envelope(
            timer.message,
            trace=timer.trace,
            origin=origin,
            attempt=max(attempt, self._letter_attempts),
            error=f"the effect failed {attempt} times: {reason}",
        )


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
