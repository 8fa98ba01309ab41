"""An effect of one incarnation: what to call, within which limits, and who hears of its end."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import msgspec

from actors.kernel.messages import GaveUp, outcome_type

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from actors.config import EffectConfig
    from actors.service.handler_spec import HandlerSpec
    from actors.service.service import Service

_attempt: ContextVar[asyncio.Timeout | None] = ContextVar("attempt", default=None)


class BoundEffect(msgspec.Struct, frozen=True, kw_only=True):
    """`limit_name` is where `limit_s` was set; without `again_s` it gives up in the end.

    `has_outcome` and `is_told` are whether the service has handlers for what it returns, and for
    its GaveUp.
    """

    function: Callable[[Any], Awaitable[Any]]
    limit_s: float
    limit_name: str
    attempts_max: int
    again_s: float | None
    has_outcome: bool
    is_told: bool


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
    return BoundEffect(
        function=spec.function.__get__(service),
        limit_s=config.effect_s_max if limit_s is None else limit_s,
        limit_name="effect.effect_s_max" if limit_s is None else f"limit_s of {handler}",
        attempts_max=config.attempts_max if attempts_max is None else attempts_max,
        again_s=spec.options.value("again_s", handler, service),
        has_outcome=outcome_type(spec.message) in handlers,
        is_told=gave_up[spec.message] in handlers,
    )


@contextmanager
def within(limit: asyncio.Timeout) -> Iterator[None]:
    """Let `rest_s` know of an attempt's limit, which has begun."""
    token = _attempt.set(limit)
    try:
        yield
    finally:
        _attempt.reset(token)


def rest_s() -> float | None:
    """Return what is left of the attempt that this runs in, in seconds; None outside of any."""
    limit = _attempt.get()
    ends_s = None if limit is None else limit.when()
    return None if ends_s is None else max(0.0, ends_s - asyncio.get_running_loop().time())
