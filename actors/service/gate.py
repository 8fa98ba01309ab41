"""Which attempts of one kind of effect are made now, and what its breaker is told of them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from actors.errors import DeadlineExceeded
from actors.measures.effect_counts import EffectCounts
from actors.resilience.breaker import Breaker, Call
from actors.resilience.retry_budget import RetryBudget

if TYPE_CHECKING:
    from actors.config import BreakerConfig, Config
    from actors.kernel.clock import Clock


class Breakers:
    """A breaker and a budget of retries for each kind of effect.

    They outlive incarnations, as the outside world does.
    """

    def __init__(self, service: str, config: Config, clock: Clock) -> None:
        """None yet: each is made when its service first runs."""
        # How many incarnations have crashed during the effect of a timer, by its number.
        self.crashes: dict[int, int] = {}
        # What became of each kind.
        self.counts: dict[str, EffectCounts] = {}
        self._service = service
        self._config = config
        self._clock = clock
        self.by_effect: dict[str, Breaker] = {}
        self._budgets: dict[str, RetryBudget] = {}
        # By effect, how long its attempts take at most, and from when on one has failed.
        self._limits: dict[str, tuple[float, float]] = {}

    def of(self, effect: str, *, limit_s: float, slow_s: float) -> Breaker:
        """Return the breaker of that effect, whose attempts take `limit_s` at most.

        One that took `slow_s` has failed.
        """
        breaker = self.by_effect.get(effect)
        if breaker is None:
            self._limits[effect] = limit_s, slow_s
            breaker = self.by_effect[effect] = Breaker(
                f"{self._service}.{effect}", config=self._config_of(effect), clock=self._clock
            )
        return breaker

    def reconfigured(self) -> None:
        """Hear that the configuration has other values."""
        for effect, breaker in self.by_effect.items():
            breaker.reconfigured(self._config_of(effect))

    def budget_of(self, effect: str) -> RetryBudget:
        """Return the budget of that effect's retries."""
        budget = self._budgets.get(effect)
        if budget is None:
            budget = self._budgets[effect] = RetryBudget(self._config.effect, self._clock)
        return budget

    def counts_of(self, effect: str) -> EffectCounts:
        """Return the counts of that effect."""
        counts = self.counts.get(effect)
        if counts is None:
            counts = self.counts[effect] = EffectCounts()
        return counts

    def _config_of(self, effect: str) -> BreakerConfig:
        limit_s, slow_s = self._limits[effect]
        # A probe that may still answer was not killed.
        probe_s_max = max(self._config.breaker.probe_s_max, limit_s)
        return msgspec.structs.replace(self._config.breaker, probe_s_max=probe_s_max, slow_s=slow_s)


class Gate:
    """Lets at most `running_max` attempts in, and none that the breaker does not allow.

    Whoever waits holds no place. First attempts go before repeated ones, each in order, and the
    repeated have half of the places at most: requests that never get an answer must not stop those
    that would. For the same reason a time-out counts as the dependency's failure only where
    nothing has succeeded for `silence_s` seconds of trying; those since the last success do then.

    Where nothing has succeeded for as long as an attempt may take, `limit_s`, whoever asks again
    only finds out whether it is back: no more do so at a time than a breaker has probes.
    """

    def __init__(
        self,
        breaker: Breaker,
        counts: EffectCounts,
        *,
        running_max: int,
        limit_s: float,
        silence_s: float,
        clock: Clock,
    ) -> None:
        """Nobody is inside."""
        self._breaker = breaker
        self._counts = counts
        self._places = running_max
        self._places_repeated = max(1, running_max // 2)
        self._places_silent = min(breaker.probes_max, self._places_repeated)
        self._limit_s = limit_s
        self._silence_s = silence_s
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        # Who waits, and how many are inside, of first attempts and of repeated ones.
        self._first: deque[asyncio.Future[Call]] = deque()
        self._repeated: deque[asyncio.Future[Call]] = deque()
        self._inside = 0
        self._inside_repeated = 0
        self._timer: asyncio.TimerHandle | None = None
        # When the last attempt was let in, and the first since one succeeded or tries were rare.
        self._tried_s = 0.0
        self._silent_since_s: float | None = None
        # Of the attempts since then those that had no answer, of which the breaker was not told.
        self._unsaid: deque[Call] = deque(maxlen=breaker.window_calls)

    def enter_at_once(self, *, first: bool) -> Call | None:
        """Return the attempt's call, if it may be made now, as nobody waits; else wait by `enter`.

        Say how it ended, and `leave`.
        """
        if self._first or self._inside >= self._places or not self._breaker.is_closed:
            return None
        if not first and (self._repeated or not self._has_room_again()):
            return None
        self._let_in(first=first)
        return self._breaker.enter()

    async def enter(self, *, first: bool) -> Call:
        """Wait until the attempt may be made; then say how it ended, and `leave`."""
        turn: asyncio.Future[Call] = self._loop.create_future()
        (self._first if first else self._repeated).append(turn)
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had been let in
                self.withdrawn(turn.result())
                self.leave(first=first)
            raise

    def leave(self, *, first: bool) -> None:
        """Make room for the next."""
        self._inside -= 1
        if not first:
            self._inside_repeated -= 1
        if self._first or self._repeated:
            self._admit()

    def succeeded(self, call: Call) -> None:
        """The attempt inside has succeeded."""
        self._counts.attempts["succeeded"] += 1
        self._silent_since_s = None
        call.succeeded()

    def failed(self, call: Call, error: BaseException) -> None:
        """The attempt inside has failed with `error`."""
        timed_out = isinstance(error, TimeoutError | DeadlineExceeded)
        self._counts.attempts["timed_out" if timed_out else "failed"] += 1
        if self._is_silent(self._silence_s):
            while self._unsaid:
                self._unsaid.popleft().failed()
        # To a breaker that asks whether the dependency is back, silence is a no as well.
        elif timed_out and not call.is_probe:
            self._unsaid.append(call)
            return
        call.failed()

    def withdrawn(self, call: Call) -> None:
        """The attempt inside was not made, or is given up."""
        self._counts.attempts["withdrawn"] += 1
        call.withdrawn()

    def close(self) -> None:
        """Let nobody in any more."""
        self._places = 0
        if self._timer is not None:
            self._timer.cancel()

    # --- Inside ------------------------------------------------------------------------------

    def _admit(self) -> None:
        while self._inside < self._places:
            queue = self._next_queue()
            if queue is None:
                return
            call = self._breaker.enter()
            if call is None:
                if self._timer is None:
                    delay_s = self._breaker.retry_after_s
                    self._timer = self._loop.call_later(delay_s, self._look_again)
                return
            self._let_in(first=queue is self._first)
            turn = queue.pop() if call.is_probe and queue is self._first else queue.popleft()
            turn.set_result(call)

    def _next_queue(self) -> deque[asyncio.Future[Call]] | None:
        """Return the queue whose first is next, or None; those who gave up waiting are gone."""
        for queue in (self._first, self._repeated):
            while queue and queue[0].done():
                queue.popleft()
            while queue and queue[-1].done():
                queue.pop()
            if queue and (queue is self._first or self._has_room_again()):
                return queue
        return None

    def _let_in(self, *, first: bool) -> None:
        self._inside += 1
        if not first:
            self._inside_repeated += 1
        now_s = self._clock.monotonic()
        if self._silent_since_s is None or now_s - self._tried_s > self._silence_s:
            self._silent_since_s = now_s
            self._unsaid.clear()
        self._tried_s = now_s

    def _look_again(self) -> None:
        self._timer = None
        self._admit()

    def _has_room_again(self) -> bool:
        silent = self._is_silent(self._limit_s)
        return self._inside_repeated < (self._places_silent if silent else self._places_repeated)

    def _is_silent(self, for_s: float) -> bool:
        since_s = self._silent_since_s
        return since_s is not None and self._clock.monotonic() - since_s >= for_s
