"""An effect of one incarnation: what to call, within which limits, and who hears of its end."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

import msgspec

from actors.kernel.messages import GaveUp, outcome_type, type_name
from actors.service.effect_options import BOUNDS, EffectTable, effect_tables

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from actors.config import Config
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
    running_max: int
    slow_s: float
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


def bound_effects(name: str, service: Service, config: Config) -> dict[Any, BoundEffect]:
    """Return the service's effects by message type; it goes by `name`.

    Raises ConfigError for a wrong option, be it the author's or the configuration's.
    """
    specs = [spec for spec in type(service).handlers.values() if spec.kind == "effect"]
    tables = effect_tables(config, name, {type_name(each.message): each.lists for each in specs})
    return {
        spec.message: _bound(
            service, spec, config, tables.get(type_name(spec.message), EffectTable())
        )
        for spec in specs
    }


def _bound(service: Service, spec: HandlerSpec, config: Config, table: EffectTable) -> BoundEffect:
    handlers = type(service).handlers
    gave_up: Any = GaveUp
    handler = f"{type(service).__name__}.{spec.function.__name__}"
    said = {option: spec.options.value(option, handler, service) for option in BOUNDS}
    limit_name = "effect.effect_s_max" if said["limit_s"] is None else f"limit_s of {handler}"
    for option in BOUNDS:
        if (value := table.value(option)) is not None:
            said[option] = value
            if option == "limit_s":
                limit_name = f"{table.where}.limit_s"
    effect = config.effect

    def chosen(option: str, default: Any) -> Any:
        return default if said[option] is None else said[option]

    return BoundEffect(
        function=spec.function.__get__(service),
        limit_s=chosen("limit_s", effect.effect_s_max),
        limit_name=limit_name,
        attempts_max=chosen("attempts_max", effect.attempts_max),
        again_s=said["again_s"],
        together_max=chosen("together_max", effect.together_max) if spec.lists else None,
        running_max=chosen("running_max", effect.running_max),
        slow_s=chosen("slow_s", config.breaker.slow_s),
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
