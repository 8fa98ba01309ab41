"""An effect of one incarnation: what to call, within which limits, and who hears of its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from actors.kernel.messages import GaveUp, outcome_type

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.config import EffectConfig
    from actors.service.handler_spec import HandlerSpec
    from actors.service.service import Service


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
