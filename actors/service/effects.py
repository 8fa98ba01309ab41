"""Runs a service's effects: what its commits asked the outside world for, until it has happened."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from actors.errors import DeadlineExceeded, Starting, line_at
from actors.kernel.envelope import Envelope
from actors.kernel.exit import describe
from actors.kernel.messages import Command, EffectOutcome, GaveUp, type_name, type_of
from actors.kernel.supervision.backoff import full_jitter_s
from actors.log import ids_of, request_id
from actors.resilience.breaker import Probe
from actors.service.bound_effect import AttemptLimit
from actors.service.gate import Gate
from actors.store.messaging.origin import TimerOrigin
from actors.tracing.effect_span import EffectSpan
from actors.tracing.trace_context import is_traced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.config import EffectConfig
    from actors.faults.lab.seams import ServiceSeam
    from actors.kernel.clock import Clock
    from actors.kernel.deadlines import Deadlines
    from actors.kernel.rng import Rng
    from actors.resilience.breaker import Breaker, Call
    from actors.service.bound_effect import BoundEffect
    from actors.service.directory import Directory
    from actors.service.gate import Breakers
    from actors.store.messaging.output import Timer
    from actors.store.transaction import Transaction

    Send = Callable[[Envelope], None]

log = structlog.get_logger()


# Why an effect has ended that was asked for until a time.
TIME_UP: Final = "its time was up"
# Why an attempt was not made; it has failed all the same.
SPENT: Final = "the budget of retries was spent (effect.retries_share)"
# With less than that left it is up: nobody could be asked in it, and clocks round.
LEFT_S_MIN: Final = 0.001


class EffectDone(Command):
    """The outcome of an effect that has none: only to mark it done."""


class EffectPutOff(Command):
    """The outcome of an effect that is to begin anew."""

    command: Command
    again_s: float


def put_effect_off(tx: Transaction, cmd: EffectPutOff) -> None:
    """Have it begin anew: its timer gives way to a later one."""
    tx.after(cmd.again_s, cmd.command, by_us=tx.deadline_us)


class _Request:
    """One effect under way: its timer, what sends the outcome, and the task that sees to it."""

    __slots__ = ("is_over", "is_settled", "send", "span", "task", "timer")

    def __init__(self, timer: Timer, send: Send) -> None:
        # None until it begins. One may see to several.
        self.task: asyncio.Task[None] | None = None
        self.timer = timer
        self.send = send
        # Whether it was applied by another incarnation's outcome: then there is nothing to send.
        self.is_settled = False
        # Whether its time was up before it was done.
        self.is_over = False
        # What its trace is told of it, if its request is traced.
        self.span: EffectSpan | None = None


class _Failed(NamedTuple):
    """Why an attempt has failed, and at which line of ours."""

    reason: str
    at: str | None

    def fields(self) -> dict[str, str]:
        """Return what the log says of it."""
        return {"reason": self.reason} | ({} if self.at is None else {"at": self.at})


class Effects:
    """One incarnation's effects under way, at least once each.

    An attempt has a time limit. One that fails is tried again with growing, jittered delays, and
    `attempts_max` times at most; where the budget of retries is spent, it has failed without being
    made. While its breaker is open, or what it asks is a service of ours that is starting, it
    waits, which costs no attempt. One that a crash of its service interrupts begins anew: after
    such a delay, where that was not the first. Then it is put off, in a commit, where it has
    `again_s`. Else the service is told by GaveUp, or where it does not listen to that, the request
    becomes a dead letter. Who waits, for whatever reason, holds no place among the `running_max`
    (see Gate).

    Where its time is up (`tx.run(…, by_us=…)`) it ends at once, whatever it does or waits for: an
    attempt has what is left of it, and one cut short for that says nothing of the outside world.
    The service is told by GaveUp, or where it does not listen to that, nobody is.

    One that takes lists is given together what commits ask for before the loop has its next turn.
    That is one attempt of nobody's: if it fails, each goes on alone, as if it had just begun, so
    that a message that always fails takes no other with it.
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
        seam: ServiceSeam,
        expired: Callable[[], None],
    ) -> None:
        """`kinds` by message type; `letter_attempts` makes a message a dead letter at once.

        At the `seam` faults of the outside world are put in; `expired` counts those whose time was
        up.
        """
        self._name = name
        self.kinds = kinds
        self._directory = directory
        self._breakers = breakers
        self._config = config
        self._letter_attempts = letter_attempts
        self._deadlines = deadlines
        self._clock = clock
        self._rng = rng
        self._seam = seam
        self._expired = expired
        self._gates: dict[str, Gate] = {}
        self._loop = asyncio.get_running_loop()
        # By the timer's number.
        self._requests: dict[int, _Request] = {}
        # By kind: those that are given to it together in the loop's next turn.
        self._gathered: dict[str, list[_Request]] = {}
        self._crashed = False
        for kind, effect in kinds.items():
            breakers.counts_of(type_name(kind))
            self._breaker(type_name(kind), effect)

    @property
    def running(self) -> int:
        """How many are under way, those that wait for their next attempt included."""
        return len(self._requests)

    def start(self, timer: Timer, send: Send) -> None:
        """Run the effect; `send` is given the envelope of its outcome."""
        request = self._requests[timer.seq] = _Request(timer, send)
        if is_traced(timer.trace):
            request.span = EffectSpan(
                self._name, timer.seq, timer.message_type, timer.trace, self._clock
            )
        effect = self.kinds[type_of(timer.message)]
        # One during which the service has crashed goes alone: it may be its doing. So does one that
        # has less than a whole attempt: it would cut short those of the others.
        if (
            effect.together_max is None
            or timer.seq in self._breakers.crashes
            or (timer.by_us is not None and self._left_s(timer) < effect.limit_s)
        ):
            request.task = self._loop.create_task(self._run(request))
            return
        gathered = self._gathered.setdefault(timer.message_type, [])
        if not gathered:
            self._loop.call_soon(self._begin_together, timer.message_type)
        gathered.append(request)
        if len(gathered) >= effect.together_max:
            self._begin_together(timer.message_type)

    def settled(self, seq: int) -> None:
        """Hear that an outcome was applied: one of an earlier incarnation needs no other."""
        request = self._requests.get(seq)
        if request is None or request.is_settled:
            return
        request.is_settled = True
        task = request.task
        if task is None:
            del self._requests[seq]
        elif all(each.is_settled for each in self._requests.values() if each.task is task):
            task.cancel()
            # It may never have begun.
            task.add_done_callback(lambda _: self._requests.pop(seq, None))
        self._breakers.crashes.pop(seq, None)
        request.send(Envelope(EffectDone(), origin=TimerOrigin(seq)))  # it runs no more

    async def close(self, *, crashed: bool = False) -> None:
        """Stop all at once; the next incarnation runs them again."""
        self._crashed = crashed
        for gate in self._gates.values():
            gate.close()
        self._gathered.clear()
        tasks = dict.fromkeys(each.task for each in self._requests.values() if each.task)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- Inside ------------------------------------------------------------------------------

    async def _run(self, request: _Request, *, first: bool = True) -> None:
        _trace([request])
        # What it asks of its own service may be what crashes that, again and again.
        seq, crashes = request.timer.seq, self._breakers.crashes
        try:
            if seq in crashes:
                await asyncio.sleep(self._delay_s(crashes[seq] - 1))
            try:
                ended = await self._try(request, first=first)
            except asyncio.CancelledError:
                self._interrupted(request)
                raise
        finally:
            self._requests.pop(seq, None)
        self._end(request, ended)

    def _begin_together(self, kind: str) -> None:
        gathered = [each for each in self._gathered.pop(kind, ()) if not each.is_settled]
        if not gathered:
            return
        alone = len(gathered) == 1
        run = self._run(gathered[0]) if alone else self._run_together(gathered)
        task = self._loop.create_task(run)
        for request in gathered:
            request.task = task

    async def _run_together(self, requests: list[_Request]) -> None:
        _trace(requests)
        try:
            outcomes = await self._try_together(requests)
        except asyncio.CancelledError:
            for request in requests:
                self._interrupted(request)
                self._requests.pop(request.timer.seq, None)
            raise
        effect = self.kinds[type_of(requests[0].timer.message)]
        for number, request in enumerate(requests):
            if request.is_settled or outcomes is not None:
                self._requests.pop(request.timer.seq, None)
            if outcomes is not None:
                self._end(request, self._outcome(request.timer, effect, outcomes[number]))
            elif not request.is_settled:
                # Not among the first, whom those must not stop that never get an answer.
                request.task = self._loop.create_task(self._run(request, first=False))

    def _interrupted(self, request: _Request) -> None:
        if self._crashed:
            crashes, seq = self._breakers.crashes, request.timer.seq
            crashes[seq] = crashes.get(seq, 0) + 1

    def _end(self, request: _Request, ended: Envelope) -> None:
        if not request.is_settled:
            self._breakers.crashes.pop(request.timer.seq, None)
            end = "expired" if request.is_over else _end_of(ended)
            self._breakers.counts_of(request.timer.message_type).ends[end] += 1
            if request.is_over:
                self._expired()
            if request.span is not None:
                ended.trace = request.span.ended(end)
            request.send(ended)

    async def _try(self, request: _Request, *, first: bool) -> Envelope:
        """Make its attempts; return what is to be applied in the end."""
        timer = request.timer
        effect = self.kinds[type_of(timer.message)]
        attempt = refused = waits = 0
        reason = SPENT
        while not self._is_over(timer):
            ended = await self._attempt(
                [request],
                effect,
                first=first and attempt == 0,
                is_alone=not first and attempt == 0,
            )
            if ended is None:
                waits += 1
                await self._pause(timer, self._delay_s(waits))
                continue
            if not isinstance(ended, _Failed):
                return self._outcome(timer, effect, ended[0])
            if ended.reason is TIME_UP:
                break
            attempt += 1
            refused += ended.reason is SPENT
            reason = reason if ended.reason is SPENT else ended.reason
            (log.info if self._directory.leaving else log.warning)(
                "effect failed",
                actor=self._name,
                effect=timer.message_type,
                attempt=attempt,
                attempts_max=effect.attempts_max,
                **ids_of(timer.trace),
                **ended.fields(),
            )
            if attempt >= effect.attempts_max and not self._is_over(timer):
                if refused:
                    reason = f"{reason}; of {attempt} attempts {refused} were not made: {SPENT}"
                return self._ended(timer, effect, attempt - refused, reason)
            await self._pause(timer, self._delay_s(attempt))
        return self._too_late(request, effect)

    async def _try_together(self, requests: list[_Request]) -> Sequence[Any] | None:
        """Make one attempt for all; return their outcomes, or None where it has failed."""
        timer = requests[0].timer
        effect = self.kinds[type_of(timer.message)]
        waits = 0
        while (ended := await self._attempt(requests, effect, first=True)) is None:
            waits += 1
            await asyncio.sleep(self._delay_s(waits))
        if not isinstance(ended, _Failed):
            return ended
        (log.info if self._directory.leaving else log.warning)(
            "effects failed together",
            actor=self._name,
            effect=timer.message_type,
            messages=len(requests),
            advice="each is tried alone",
            **ended.fields(),
        )
        return None

    async def _attempt(
        self,
        requests: list[_Request],
        effect: BoundEffect,
        *,
        first: bool,
        is_alone: bool = False,
    ) -> Sequence[Any] | _Failed | None:
        """Return the outcomes; or None where a service of ours was starting.

        That was not asked, so that was no attempt. `is_alone`: it is the first since it failed
        together with others.
        """
        timer, task = requests[0].timer, requests[0].task
        assert task is not None, "a task makes the attempt"
        gate = self._gate(timer.message_type, effect)
        call = await self._admitted(gate, requests, first=first, is_alone=is_alone)
        if isinstance(call, _Failed):
            return call
        limit_s = min(effect.limit_s, self._least_left_s(requests))
        limit = AttemptLimit(
            task,
            limit_s,
            effect.limit_name,
            deadlines=self._deadlines,
            clock=self._clock,
        )
        if isinstance(call, Probe):
            call.cancel = limit.end
        outcomes: Sequence[Any]
        try:
            with limit:
                outcomes = await self._ask_outside(
                    effect, [each.timer.message for each in requests]
                )
        except Starting:
            gate.withdrawn(call)
            if not first and not is_alone:
                self._breakers.budget_of(timer.message_type).refund()
            return None
        except (Exception, asyncio.CancelledError) as error:
            if task.cancelling() > 0:  # by us, and not by what it awaited
                gate.withdrawn(call)
                raise
            silent = isinstance(error, TimeoutError | DeadlineExceeded)
            is_cut = silent and limit_s < effect.limit_s and limit.rest_s() <= LEFT_S_MIN
            if is_cut:
                gate.withdrawn(call)
                return _Failed(TIME_UP, line_at(error))
            gate.failed(call, error)
            return _failed(effect, error, is_over=limit.is_over)
        else:
            gate.succeeded(call)
            return outcomes
        finally:
            gate.leave(first=first)

    async def _ask_outside(self, effect: BoundEffect, messages: Sequence[Any]) -> Sequence[Any]:
        """Return one outcome each, by way of the seam where the outside world is broken."""
        faults = self._seam.effects
        if faults is not None:
            await faults.strike(messages, self._name, after=False)
        outcomes: Sequence[Any]
        if effect.together_max is None:
            outcomes = (await effect.function(messages[0]),)
        else:
            outcomes = effect.one_each(await effect.function(messages), len(messages))
        if faults is not None:
            await faults.strike(messages, self._name, after=True)
        return outcomes

    async def _admitted(
        self, gate: Gate, requests: Sequence[_Request], *, first: bool, is_alone: bool
    ) -> Call | _Failed:
        """Wait for a place; return the call that may be made, or why none may be."""
        call = gate.enter_at_once(first=first) or await self._enter(gate, requests, first=first)
        if call is None:
            return _Failed(TIME_UP, None)
        kind = requests[0].timer.message_type
        if self._is_within_budget(kind, first=first, is_alone=is_alone):
            for each in requests:
                if each.span is not None:
                    each.span.attempts += 1
            return call
        call.withdrawn()
        gate.leave(first=first)
        return _Failed(SPENT, None)

    def _is_within_budget(self, kind: str, *, first: bool, is_alone: bool) -> bool:
        """Whether it may be made, now that it is let in: who waits may wait for long."""
        budget, counts = self._breakers.budget_of(kind), self._breakers.counts_of(kind)
        if first:
            budget.deposit()
            return True
        # That it has failed may be another's fault, and must not be that of who spends the budget.
        may = is_alone or budget.withdraw()
        counts.retries += may
        counts.retries_refused += not may
        return may

    async def _enter(self, gate: Gate, requests: Sequence[_Request], *, first: bool) -> Call | None:
        """Wait for a place; return None where there was none before the time of any was up."""
        left_s = self._least_left_s(requests)
        try:
            async with asyncio.timeout(None if left_s == inf else left_s):
                call = await gate.enter(first=first)
        except TimeoutError:
            return None
        if self._least_left_s(requests) > LEFT_S_MIN:
            return call
        gate.withdrawn(call)  # the wall clock was set meanwhile
        gate.leave(first=first)
        return None

    def _least_left_s(self, requests: Sequence[_Request]) -> float:
        """Return how long it is until the first one's time is up."""
        return min([self._left_s(each.timer) for each in requests])

    def _left_s(self, timer: Timer) -> float:
        return inf if timer.by_us is None else (timer.by_us - self._clock.now_us()) / 1_000_000

    def _is_over(self, timer: Timer) -> bool:
        return timer.by_us is not None and self._left_s(timer) <= LEFT_S_MIN

    async def _pause(self, timer: Timer, delay_s: float) -> None:
        await asyncio.sleep(min(delay_s, max(0.0, self._left_s(timer))))

    def _too_late(self, request: _Request, effect: BoundEffect) -> Envelope:
        """Return what is to be applied where its time is up."""
        timer, request.is_over = request.timer, True
        if not effect.is_told:
            self._directory.warn_expired(self._name, timer.message_type)
        ended = GaveUp(command=timer.message, reason=TIME_UP) if effect.is_told else EffectDone()
        return _end(timer, ended)

    def _breaker(self, name: str, effect: BoundEffect) -> Breaker:
        return self._breakers.of(name, limit_s=effect.limit_s, slow_s=effect.slow_s)

    def _gate(self, name: str, effect: BoundEffect) -> Gate:
        gate = self._gates.get(name)
        if gate is None:
            breaker = self._breaker(name, effect)
            counts = self._breakers.counts_of(name)
            gate = self._gates[name] = Gate(
                breaker,
                counts,
                running_max=effect.running_max,
                limit_s=effect.limit_s,
                silence_s=self._config.silence_s,
                clock=self._clock,
            )
        return gate

    def _delay_s(self, attempt: int) -> float:
        # The second follows no sooner than its draw: what overloads a dependency fails together.
        return full_jitter_s(
            self._rng,
            attempt + 1,
            min_s=self._config.backoff_s_min,
            max_s=self._config.backoff_s_max,
        )

    def _outcome(self, timer: Timer, effect: BoundEffect, outcome: Any) -> Envelope:
        if effect.has_outcome:
            message: Any = EffectOutcome(command=timer.message, value=outcome)
        else:
            message = EffectDone() if outcome is None else outcome
        return _end(timer, message)

    def _ended(self, timer: Timer, effect: BoundEffect, attempt: int, reason: str) -> Envelope:
        """Return what is to be applied after the last attempt."""
        if effect.again_s is not None:
            (log.info if self._directory.leaving else log.warning)(
                "effect put off",
                actor=self._name,
                effect=timer.message_type,
                again_s=effect.again_s,
                reason=reason,
                **ids_of(timer.trace),
            )
            return _end(timer, EffectPutOff(command=timer.message, again_s=effect.again_s))
        if effect.is_told:
            return _end(timer, GaveUp(command=timer.message, reason=reason))
        return Envelope(
            timer.message,
            trace=timer.trace,
            origin=TimerOrigin(timer.seq, has_ended=True),
            attempt=max(attempt, self._letter_attempts),
            error=f"the effect failed {attempt} times: {reason}",
        )


def _trace(requests: Sequence[_Request]) -> None:
    """Let what this task asks and logs be the first one's that is traced: a list has one caller."""
    for each in requests:
        if each.span is not None:
            request_id.set(each.span.context)
            return


def _failed(effect: BoundEffect, error: BaseException, *, is_over: bool) -> _Failed:
    at = line_at(error)
    if is_over and isinstance(error, TimeoutError):
        return _Failed(f"not done within {effect.limit_s:g} s ({effect.limit_name})", at)
    return _Failed(describe(error), at)


def _end(timer: Timer, message: Any) -> Envelope:
    """Return what is told of it, whatever its time."""
    origin = TimerOrigin(timer.seq, has_ended=True)
    return Envelope(message, trace=timer.trace, origin=origin, by_us=timer.by_us)


def _end_of(ended: Envelope) -> str:
    """Return which of ENDS it is."""
    if ended.error is not None:
        return "dead_lettered"
    kinds: dict[Any, str] = {EffectPutOff: "put_off", GaveUp: "given_up"}
    return kinds.get(ended.message.__class__, "done")
