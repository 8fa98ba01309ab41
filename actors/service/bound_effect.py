"""An effect of one incarnation: what to call, within which limits, and who hears of its end."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

import msgspec

from actors.kernel.messages import GaveUp, outcome_type

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from actors.config import EffectConfig
    from actors.kernel.clock import Clock
    from actors.kernel.deadlines import Deadlines, Slot
    from actors.service.handler_spec import HandlerSpec
    from actors.service.service import Service


_attempt: ContextVar[AttemptLimit | None] = ContextVar("attempt", default=None)


class BoundEffect(msgspec.Struct, frozen=True, kw_only=True):
    """`limit_name` is where `limit_s` was set; without `again_s` it gives up in the end.

    One that takes a list is given `together_max` messages at most.

    `has_outcome` and `is_told` are whether the service has handlers for what it returns, and for
    its GaveUp.
    """

    function: Callable[[Any], Awaitable[Any]]
    limit_s: float
    limit_name: str
    attempts_max: int
    again_s: float | None
    together_max: int | None
    has_outcome: bool
    is_told: bool

    def one_each(self, returned: Any, count: int) -> Sequence[Any]:
        """Return the outcomes of a list of so many. Raises TypeError where they are not as many."""
        if returned is None:
            return (None,) * count
        if not isinstance(returned, list) or len(returned) != count:
            had = f"{len(returned)} outcomes" if isinstance(returned, list) else repr(returned)
            name = getattr(self.function, "__name__", "an effect")
            error = f"{name} returned {had} for {count} messages"
            raise TypeError(error)
        return returned


def bound_effects(service: Service, config: EffectConfig) -> dict[Any, BoundEffect]:
    """Return the service's effects by message type. Raises ConfigError for a wrong option."""
    specs = type(service).handlers.values()
    return {spec.message: _bound(service, spec, config) for spec in specs if spec.kind == "effect"}


def _bound(service: Service, spec: HandlerSpec, config: EffectConfig) -> BoundEffect:
    handlers = type(service).handlers
    gave_up: Any = GaveUp
    handler = f"{type(service).__name__}.{spec.function.__name__}"
    limit_s = spec.options.value("limit_s", handler, service)
    attempts_max = spec.options.value("attempts_max", handler, service)
    together_max = spec.options.value("together_max", handler, service)
    return BoundEffect(
        function=spec.function.__get__(service),
        limit_s=config.effect_s_max if limit_s is None else limit_s,
        limit_name="effect.effect_s_max" if limit_s is None else f"limit_s of {handler}",
        attempts_max=config.attempts_max if attempts_max is None else attempts_max,
        again_s=spec.options.value("again_s", handler, service),
        together_max=(together_max or config.together_max) if spec.lists else None,
        has_outcome=outcome_type(spec.message) in handlers,
        is_told=gave_up[spec.message] in handlers,
    )


class AttemptLimit:
    """`with AttemptLimit(...)`: TimeoutError where it takes longer than `limit_s`.

    As `asyncio.timeout`, with one timer of the loop for all of them (see Deadlines).
    """

    __slots__ = ("_at_s", "_cancelling", "_cancels", "_clock", "_task", "is_over", "slot")

    def __init__(
        self,
        task: asyncio.Task[None],
        limit_s: float,
        limit_name: str,
        *,
        deadlines: Deadlines,
        clock: Clock,
    ) -> None:
        """It begins now, in `task`, which runs."""
        self._task = task
        self._cancelling = task.cancelling()
        # How often it has cancelled the task.
        self._cancels = 0
        self._clock = clock
        self._at_s = clock.monotonic() + limit_s
        self.slot: Slot | None = None
        # Whether its time was up before it had ended.
        self.is_over = False
        deadlines.add(self, self._at_s, limit_s, limit_name)

    def __enter__(self) -> Self:
        # The task is the effect's own and makes one attempt after the other: nothing to reset.
        _attempt.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.slot is not None:
            del self.slot[self]
            self.slot = None
            return
        for _ in range(self._cancels):
            self._task.uncancel()
        if self._task.cancelling() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self, after_s: float, whom: str) -> None:
        """Its time is up."""
        del after_s, whom
        self.end()

    def end(self) -> None:
        """Cancel it, as its time is up, also where it was and what runs has not ended for that."""
        if self.slot is not None:
            del self.slot[self]
            self.slot = None
        self.is_over = True
        self._cancels += 1
        self._task.cancel()

    def rest_s(self) -> float:
        """Return how many seconds are left of it."""
        return max(0.0, self._at_s - self._clock.monotonic())


def rest_s() -> float | None:
    """Return what is left of the attempt that this runs in, in seconds; None outside of any."""
    attempt = _attempt.get()
    return None if attempt is None else attempt.rest_s()
