"""Runs a service's effects: what its commits asked the outside world for, until it has happened."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from actors.errors import Starting, line_at
from actors.kernel.envelope import Envelope
from actors.kernel.exit import describe
from actors.kernel.messages import Command, EffectOutcome, GaveUp, type_of
from actors.kernel.supervision.backoff import equal_jitter_s
from actors.resilience.breaker import Breaker
from actors.service.bound_effect import AttemptLimit
from actors.service.gate import Gate
from actors.store.messaging.origin import TimerOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors.config import BreakerConfig, EffectConfig
    from actors.kernel.clock import Clock
    from actors.kernel.deadlines import Deadlines
    from actors.kernel.rng import Rng
    from actors.service.bound_effect import BoundEffect
    from actors.service.directory import Directory
    from actors.store.messaging.output import Timer
    from actors.store.transaction import Transaction

    Send = Callable[[Envelope], None]

log = structlog.get_logger()


class EffectDone(Command):
    """The outcome of an effect that has none: only to mark it done."""


class EffectPutOff(Command):
    """The outcome of an effect that is to begin anew."""

    command: Command
    again_s: float


def put_effect_off(tx: Transaction, cmd: EffectPutOff) -> None:
    """Have it begin anew: its timer gives way to a later one."""
    tx.after(cmd.again_s, cmd.command)


class Breakers:
    """One breaker for each kind of effect; they outlive incarnations, as the outside world does."""

    def __init__(self, service: str, config: BreakerConfig, clock: Clock) -> None:
        """None yet: each is made when its effect first runs."""
        # How many incarnations have crashed during the effect of a timer, by its number.
        self.crashes: dict[int, int] = {}
        self._service = service
        self._config = config
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}

    def of(self, effect: str, limit_s: float) -> Breaker:
        """Return the breaker of that effect, whose attempts take `limit_s` at most."""
        breaker = self._breakers.get(effect)
        if breaker is None:
            # A probe that may still answer was not killed.
            probe_s_max = max(self._config.probe_s_max, limit_s)
            config = msgspec.structs.replace(self._config, probe_s_max=probe_s_max)
            breaker = self._breakers[effect] = Breaker(
                f"{self._service}.{effect}", config=config, clock=self._clock
            )
        return breaker


class _Request:
    """One effect under way: its timer, what sends the outcome, and the task that sees to it."""

    __slots__ = ("is_settled", "send", "task", "timer")

    task: asyncio.Task[None]

    def __init__(self, timer: Timer, send: Send) -> None:
        self.timer = timer
        self.send = send
        # Whether it was applied by another incarnation's outcome: then there is nothing to send.
        self.is_settled = False


class Effects:
    """One incarnation's effects under way, at least once each.

    An attempt has a time limit. One that fails is tried again with growing, jittered delays, and
    `attempts_max` times at most; while its breaker is open, or what it asks is a service of ours
    that is starting, it waits, which costs no attempt. One that a crash of its service interrupts
    begins anew: after such a delay, where that was not the first. Then it is put off, in a commit,
    where it has `again_s`. Else the service is told by GaveUp, or where it does not listen to that,
    the request becomes a dead letter. Who waits, for whatever reason, holds no place among the
    `running_max` (see Gate).
    """

    def __init__(  # noqa: PLR0913 - each is another's to give, and none is its own
        self,
        name: str,
        kinds: Mapping[Any, BoundEffect],
        *,
        directory: Directory,
        breakers: Breakers,
        config: EffectConfig,
        letter_attempts: int,
        deadlines: Deadlines,
        clock: Clock,
        rng: Rng,
    ) -> None:
        """`kinds` by message type; `letter_attempts` makes a message a dead letter at once."""
        self._name = name
        self.kinds = kinds
        self._directory = directory
        self._breakers = breakers
        self._config = config
        self._letter_attempts = letter_attempts
        self._deadlines = deadlines
        self._clock = clock
        self._rng = rng
        self._gates: dict[str, Gate] = {}
        self._loop = asyncio.get_running_loop()
        # By the timer's number.
        self._requests: dict[int, _Request] = {}
        self._crashed = False

    @property
    def running(self) -> int:
        """How many are under way, those that wait for their next attempt included."""
        return len(self._requests)

    def start(self, timer: Timer, send: Send) -> None:
        """Run the effect; `send` is given the envelope of its outcome."""
        request = self._requests[timer.seq] = _Request(timer, send)
        request.task = self._loop.create_task(self._run(request))

    def settled(self, seq: int) -> None:
        """Hear that an outcome was applied: one of an earlier incarnation needs no other."""
        request = self._requests.get(seq)
        if request is None or request.is_settled:
            return
        request.is_settled = True
        request.task.cancel()
        # It may never have begun.
        request.task.add_done_callback(lambda _: self._requests.pop(seq, None))
        self._breakers.crashes.pop(seq, None)
        request.send(Envelope(EffectDone(), origin=TimerOrigin(seq)))  # it runs no more

    async def close(self, *, crashed: bool = False) -> None:
        """Stop all at once; the next incarnation runs them again."""
        self._crashed = crashed
        for gate in self._gates.values():
            gate.close()
        tasks = [request.task for request in self._requests.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- Inside ------------------------------------------------------------------------------

    async def _run(self, request: _Request) -> None:
        # What it asks of its own service may be what crashes that, again and again.
        seq, crashes = request.timer.seq, self._breakers.crashes
        try:
            if seq in crashes:
                await asyncio.sleep(self._delay_s(crashes[seq]))
            try:
                ended = await self._try(request)
            except asyncio.CancelledError:
                if self._crashed:
                    crashes[seq] = crashes.get(seq, 0) + 1
                raise
        finally:
            self._requests.pop(seq, None)
        if not request.is_settled:
            crashes.pop(seq, None)
            request.send(ended)

    async def _try(self, request: _Request) -> Envelope:
        """Return what is to be applied in the end."""
        timer = request.timer
        message = timer.message
        effect = self.kinds[type_of(message)]
        gate = self._gate(timer.message_type, effect)
        attempt = waits = 0
        while True:
            first = attempt == 0
            if not gate.enter_at_once(first=first):
                await gate.enter(first=first)
            attempt += 1
            reason: str | None = None
            at: str | None = None
            limit = AttemptLimit(
                request.task,
                effect.limit_s,
                effect.limit_name,
                deadlines=self._deadlines,
                clock=self._clock,
            )
            try:
                with limit:
                    outcome = await effect.function(message)
            except Starting:
                gate.withdrawn()
            except (Exception, asyncio.CancelledError) as error:
                if _is_cancelled():  # by us, and not by what it awaited
                    gate.withdrawn()
                    raise
                gate.failed(error)
                reason, at = describe(error), line_at(error)
                if limit.is_over and isinstance(error, TimeoutError):
                    reason = f"not done within {effect.limit_s:g} s ({effect.limit_name})"
            else:
                gate.succeeded()
                return self._outcome(timer, effect, outcome)
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
                attempts_max=effect.attempts_max,
                reason=reason,
                request_id=timer.trace,
                **({} if at is None else {"at": at}),
            )
            if attempt >= effect.attempts_max:
                return self._ended(timer, effect, attempt, reason)
            await asyncio.sleep(self._delay_s(attempt))

    def _gate(self, name: str, effect: BoundEffect) -> Gate:
        gate = self._gates.get(name)
        if gate is None:
            breaker = self._breakers.of(name, effect.limit_s)
            gate = self._gates[name] = Gate(breaker, config=self._config, clock=self._clock)
        return gate

    def _delay_s(self, attempt: int) -> float:
        return equal_jitter_s(
            self._rng,
            attempt,
            min_s=self._config.backoff_s_min,
            max_s=self._config.backoff_s_max,
        )

    def _outcome(self, timer: Timer, effect: BoundEffect, outcome: Any) -> Envelope:
        if effect.has_outcome:
            message: Any = EffectOutcome(command=timer.message, value=outcome)
        else:
            message = EffectDone() if outcome is None else outcome
        return Envelope(message, trace=timer.trace, origin=TimerOrigin(timer.seq))

    def _ended(self, timer: Timer, effect: BoundEffect, attempt: int, reason: str) -> Envelope:
        """Return what is to be applied after the last attempt."""
        origin = TimerOrigin(timer.seq)
        if effect.again_s is not None:
            (log.info if self._directory.leaving else log.warning)(
                "effect put off",
                actor=self._name,
                effect=timer.message_type,
                again_s=effect.again_s,
                reason=reason,
                request_id=timer.trace,
            )
            later = EffectPutOff(command=timer.message, again_s=effect.again_s)
            return Envelope(later, trace=timer.trace, origin=origin)
        if effect.is_told:
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
