"""Guarantee 18, and the breaker's rules: when an effect is attempted, how often, and how long.

The model is that of a reader of config.toml: it knows attempts by when they begin and end.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from actors.errors import DeadlineExceeded, Starting
from actors.kernel.messages import EffectOutcome, GaveUp
from actors.service.effects import EffectPutOff
from actors.simulation.oracles.handled import Content, encode
from actors.simulation.oracles.outside.breaker_worlds import BreakerWorlds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from actors.config import BreakerConfig, EffectConfig
    from actors.simulation.oracles.deadline_oracle import ExpiryOracle
    from actors.simulation.oracles.handled import Handled
    from actors.simulation.oracles.outside.retry_oracle import RetryOracle
    from actors.simulation.oracles.standstills import Standstills

# What a breaker that is closed may count as a failure, or not.
SILENCE: Final = (asyncio.CancelledError, TimeoutError, DeadlineExceeded)
# A callback is due at an instant, and comes at that instant.
SLACK_S: Final = 0.05
# A pause is drawn from 0 up: one in a thousand is as short as this, of what it may be. So many in a
# row are drawn once in a million million times.
SHORT_SHARE: Final = 0.001
SHORT_IN_A_ROW: Final = 4


class EffectLimits(NamedTuple):
    """What one kind of effect may take: of one attempt in seconds, and how many attempts.

    So many of these may run at once, and an answer that took `slow_s` is a failure; 0.0: none is.
    """

    limit_s: float
    attempts_max: int
    running_max: int
    slow_s: float


class _Request:
    """One request of one incarnation, or several that are made as one: the attempts so far."""

    __slots__ = (
        "attempts", "begun_s", "failed_s", "inside", "is_probe", "kind", "left_s", "task", "waited",
    )  # fmt: skip

    def __init__(self, task: Any, kind: str) -> None:
        self.task = task  # kept, so that no other has its identity
        self.kind = kind
        self.attempts = 0
        self.begun_s = 0.0
        self.failed_s: float | None = None
        self.inside = False
        # Whether the attempt surely asks whether the dependency is back.
        self.is_probe = False
        # How long it was until the time of the first of them was up, when the attempt began.
        self.left_s = inf
        # Whether an attempt was none, for a service of ours was starting.
        self.waited = False


class _Kind:
    """One service's effect of one type: who is inside, and what is known of its breaker."""

    def __init__(self) -> None:
        self.requests: dict[int, _Request] = {}
        # Those of the incarnation that has ended last.
        self.gone: dict[int, _Request] = {}
        self.inside = 0
        # When somebody was last inside, or came back.
        self.left_s = 0.0
        # When somebody left a place for which others may have waited.
        self.full_s = 0.0
        self.breaker = BreakerWorlds()

    def probes(self) -> int:
        """Return how many are inside that were let in to ask whether it is back, ever."""
        return sum(each.inside and each.is_probe for each in self.requests.values())


class EffectOracle:
    """Attempts are told apart by the task that makes them: one for each request and incarnation.

    What is attempted together has a task of its own, and one attempt, which is none of the
    requests': those go on alone, each as if it began.
    """

    def __init__(
        self,
        effect: EffectConfig,
        breaker: BreakerConfig,
        pauses: Standstills,
        times: ExpiryOracle,
        retries: RetryOracle,
    ) -> None:
        """Nothing was attempted yet; in `pauses` no time is anybody's doing.

        `times` knows whose is up, `retries` when one more may have been refused.
        """
        self._times = times
        self._retries = retries
        self._pauses = pauses
        self._config = effect
        self._breaker = breaker
        self._kinds: dict[tuple[str, str], _Kind] = {}
        # By (service, request): how often an incarnation has tried since it was asked for, at most,
        # and what it was told.
        self._tried: dict[tuple[str, Content], int] = {}
        # And since when any of them has.
        self._since_s: dict[tuple[str, Content], float] = {}
        # What was given up for its time was up.
        self._late: set[tuple[str, Content]] = set()
        # How many pauses in a row, of whatever kind, were so short.
        self._short = 0
        self._returned: dict[tuple[str, Content], set[bytes]] = {}
        self.limits: dict[tuple[str, str], EffectLimits] = {}

    def configure(self, effect: EffectConfig, breaker: BreakerConfig) -> None:
        """Judge by other limits from now on."""
        self._config, self._breaker = effect, breaker

    def begin(self) -> None:
        """Another process begins: its breakers are closed."""
        self._kinds.clear()

    def ended(self, store: str) -> None:
        """An incarnation has ended, and all that it had under way."""
        for (name, _), kind in self._kinds.items():
            if name == store:
                kind.requests, kind.gone = {}, kind.requests
                kind.inside = 0

    def attempted(
        self,
        store: str,
        messages: Sequence[Any],
        now_s: float,
        asked: Mapping[int, Any],
        *,
        now_us: int = 0,
    ) -> Iterator[str]:
        """Hear that an attempt begins; `asked` are the service's timers that have not fired."""
        what = Content.of(messages[0])
        kind = self._kinds.setdefault((store, what.type), _Kind())
        task = asyncio.current_task()
        request = kind.requests.get(id(task))
        limits = self.limits[store, what.type]
        if request is None:
            request = kind.requests[id(task)] = _Request(task, what.type)
            for message in messages:
                if not any(each.what.is_told_by(message) for each in asked.values()):
                    yield f"{store}: {what.type} runs, and no commit has asked for it"
        request.left_s = min(_left_s(message, asked, now_us) for message in messages)
        if request.left_s <= 0.0:
            yield f"{store}: {what.type} is tried {-request.left_s:.6f} s after its time was up"
        yield from self._in_time(store, kind, request, limits, now_s)
        self._since_s.setdefault((store, what), now_s)
        request.attempts += 1
        request.begun_s = now_s
        request.inside = True
        request.is_probe = kind.breaker.is_half_open(now_s)
        kind.inside += 1
        if len(messages) == 1:
            self._tried[store, what] = max(request.attempts, self._tried.get((store, what), 0))
        if kind.inside > limits.running_max:
            yield f"{store}: {kind.inside} attempts of {what.type} run at once"
        probes = kind.probes()
        if request.is_probe and probes > self._breaker.probes_max:
            yield f"{store}: {probes} attempts of {what.type} at once ask whether it is back"

    def finished(
        self,
        store: str,
        messages: Sequence[Any],
        now_s: float,
        values: Sequence[Any],
        error: BaseException | None,
    ) -> Iterator[str]:
        """Hear that the attempt of this task has returned `values`, one each, or raised."""
        what = Content.of(messages[0])
        kind = self._kinds.get((store, what.type))
        request = None if kind is None else kind.requests.get(id(asyncio.current_task()))
        if kind is None or request is None or not request.inside:
            if kind is not None:
                limit_s = self.limits[store, what.type].limit_s
                self._ended_later(kind, limit_s, now_s, error)
            return
        request.inside = False
        limits = self.limits[store, what.type]
        if kind.inside >= limits.running_max // 2:  # repeated ones have half of the places
            kind.full_s = now_s
        kind.inside -= 1
        kind.left_s = now_s
        took_s = now_s - request.begun_s
        limit_s = limits.limit_s
        paused_s = self._pauses.within(request.begun_s, now_s)
        limit_s = min(limit_s, request.left_s)
        if took_s - paused_s > limit_s + SLACK_S:
            yield f"{store}: an attempt of {what.type} took {took_s:.3f} s, of {limit_s:g}"
        if error is None:
            for message, value in zip(messages, values, strict=False):
                told = self._returned.setdefault((store, Content.of(message)), set())
                told.add(encode(value))
            kind.requests.pop(id(request.task))
            slow_s = limits.slow_s or inf
            late = {took_s > slow_s - SLACK_S, took_s > slow_s + SLACK_S}
            kind.breaker.heard(late, request.begun_s, now_s, self._breaker)
        elif isinstance(error, Starting):
            request.attempts -= 1
            request.waited = True
        elif limit_s == request.left_s and isinstance(error, asyncio.CancelledError):
            pass  # cut short for its time: it says nothing of the outside world
        elif took_s >= limit_s - SLACK_S or not isinstance(error, asyncio.CancelledError):
            request.failed_s = now_s
            said = {True, None} if isinstance(error, SILENCE) else {True}
            kind.breaker.heard(said, request.begun_s, now_s, self._breaker)

    def hear(self, store: str, batch: Sequence[Handled]) -> Iterator[str]:
        """Yield what came of an effect that it did not return, or that was not tried enough."""
        for each in batch:
            message = each.envelope.message
            if isinstance(message, GaveUp) and self._times.was_up(each, SLACK_S):
                # Also where it becomes a dead letter, and is told when that runs again.
                self._late.add((store, Content.of(message.command)))
            if not each.stands or each.run is None:
                continue
            if isinstance(message, EffectOutcome):
                what = Content.of(message.command)
                if encode(message.value) not in self._returned.get((store, what), ()):
                    yield f"{store}: {what.type} is said to have returned what it has not"
            elif isinstance(message, GaveUp | EffectPutOff):
                what = Content.of(message.command)
                tried = self._tried.pop((store, what), 0)
                most = self.limits[store, what.type].attempts_max
                since_s = self._since_s.pop((store, what), inf)
                if tried < most and self._retries.may_refuse(store, what.type, since_s):
                    continue
                if tried != most and (store, what) not in self._late:
                    yield f"{store}: {what.type} was given up after {tried} attempts, of {most}"

    # --- Inside ------------------------------------------------------------------------------

    def _ended_later(
        self, kind: _Kind, limit_s: float, now_s: float, error: BaseException | None
    ) -> None:
        """Hear of an incarnation that has ended: its breaker, which lives on, may hear of it.

        So it may where the time was up at that moment, as it is for many behind a pause.
        """
        gone = kind.gone.pop(id(asyncio.current_task()), None)
        in_time = gone is None or now_s - gone.begun_s < limit_s - SLACK_S
        if not (isinstance(error, asyncio.CancelledError) and in_time):
            kind.breaker.heard({None, True, error is not None}, None, now_s, self._breaker)

    def _in_time(
        self, store: str, kind: _Kind, request: _Request, limits: EffectLimits, now_s: float
    ) -> Iterator[str]:
        what = request.kind
        # Of several probes that were let in at one moment, one may fail before another begins.
        breaker = kind.breaker
        let_in = self._breaker.probes_max > 1 and now_s == breaker.failed_s
        # And of two that end at one moment the first may make room for another, which is let in
        # before the second opens it.
        let_in |= now_s == breaker.failed_s == kind.full_s and request.failed_s != now_s
        if now_s < breaker.open_until_s and not let_in:
            early_s = breaker.open_until_s - now_s
            yield f"{store}: {what} is tried {early_s:.3f} s too soon: its breaker is open"
        if request.attempts >= limits.attempts_max:
            yield f"{store}: {what} is tried for the {request.attempts + 1}th time"
        if request.failed_s is None or request.waited:
            return
        most_s = self._pause_s_max(request.attempts)
        if most_s > 0.0:
            is_short = now_s - request.failed_s < SHORT_SHARE * most_s
            self._short = self._short + 1 if is_short else 0
            if self._short == SHORT_IN_A_ROW:
                yield f"{store}: {what} is tried again too soon, for the {self._short}th time"
        alone = kind.inside == 0 and breaker.is_closed
        alone = alone and not self._retries.may_refuse(store, what, request.failed_s)
        due_s = max(request.failed_s + most_s, kind.left_s)
        late_s = now_s - due_s - self._pauses.within(request.failed_s, now_s)
        if alone and late_s > SLACK_S:
            yield f"{store}: {what} is tried again {late_s:.3f} s later than it may be"

    def _pause_s_max(self, attempts: int) -> float:
        """Return the longest pause after so many; the shortest is none."""
        config = self._config
        return min(config.backoff_s_max, config.backoff_s_min * 2.0 ** (attempts - 1))


def _left_s(message: Any, asked: Mapping[int, Any], now_us: int) -> float:
    """Return how long it is until its time is up; of equal ones, the last."""
    times = [each.by_us for each in asked.values() if each.what.is_told_by(message)]
    return inf if not times or None in times else (max(times) - now_us) / 1e6
