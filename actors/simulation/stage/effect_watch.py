"""Tells the engine's oracles of every attempt of an effect: when it begins, and how it ends."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import msgspec

from actors.kernel.messages import type_name
from actors.service.service import Service, StatelessService
from actors.service.stateless.replicas import Replicas
from actors.simulation.check.effect_oracle import EffectLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.service.assembly import AnyService
    from actors.service.handler_spec import HandlerSpec
    from actors.simulation.check.engine import Engine


def with_effect_watch(name: str, service: AnyService, engine: Engine | None) -> AnyService:
    """Return a factory of the same service `name`, whose attempts `engine` hears of."""
    if isinstance(service, Replicas) or engine is None:
        return service
    factory = service
    kinds: dict[type[Service], type[Service]] = {}

    def make() -> Any:
        service = factory()
        if isinstance(service, StatelessService):
            return service
        kind = type(service)
        if kind not in kinds:
            kinds[kind] = _watched(name, kind, engine)
        for spec in kind.handlers.values():
            if spec.kind == "effect":
                engine.effects.limits[name, type_name(spec.message)] = _limits(
                    spec, service, engine
                )
        service.__class__ = kinds[kind]
        return service

    return make


def _watched(name: str, kind: type[Service], engine: Engine) -> type[Service]:
    watched: type[Service] = type(kind.__name__, (kind,), {})
    for message, spec in kind.handlers.items():
        if spec.kind == "effect":
            function = _around(name, spec, engine)
            watched.handlers[message] = msgspec.structs.replace(spec, function=function)
    return watched


def _limits(spec: HandlerSpec, service: Service, engine: Engine) -> EffectLimits:
    limit_s = spec.options.value("limit_s", spec.function.__name__, service)
    attempts_max = spec.options.value("attempts_max", spec.function.__name__, service)
    config = engine.config.effect
    return EffectLimits(
        config.effect_s_max if limit_s is None else limit_s,
        config.attempts_max if attempts_max is None else attempts_max,
    )


def _around(name: str, spec: HandlerSpec, engine: Engine) -> Callable[..., Any]:
    @wraps(spec.function)
    async def run(service: Service, message: Any) -> Any:
        engine.attempted(name, message)
        try:
            value = await spec.function(service, message)
        except BaseException as error:
            engine.finished(name, message, None, error)
            raise
        engine.finished(name, message, value, None)
        return value

    return run
