"""Where a simulation gets at handlers: what is to go wrong with one, goes wrong around it.

And an effect's crash points: just before the outside world is asked, just after it has answered.
No commit of its own begins or ends an effect, so the store cannot tell when one is passed; nor when
an attempt begins and how it ends, which oracles hear of.
"""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING, Any

import msgspec

from actors.kernel.messages import type_name
from actors.service.remote.remote import Remote
from actors.service.service import StatelessService
from actors.service.sharded.sharded import Sharded
from actors.service.stateless.replicas import Replicas
from actors.simulation.oracles.effect_oracle import EffectLimits
from actors.simulation.stage.simulated_store import KILL_S_MAX

# Handlers that may have a mistake that shows when they run.
SLIPPING = ("command", "event")

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.service.assembly import AnyService
    from actors.service.handler_spec import HandlerSpec
    from actors.service.service import Service
    from actors.simulation.oracles.engine import Engine
    from actors.simulation.stage.disk import Phase
    from actors.simulation.stage.handler_faults import HandlerFaults

    Passes = Callable[[str, str, Phase], bool]
    Asked = Callable[[str, str, Any], None]


def with_effect_points(
    name: str,
    service: AnyService,
    passes: Passes,
    asked: Asked,
    faults: HandlerFaults,
    engine: Engine | None,
    kinds: dict[tuple[str, type[Service]], type[Service]],
) -> AnyService:
    """Return a factory of the same service `name`, whose effects report each point they pass.

    `passes(service, message type, phase)` says whether a kill is due there; `asked(service, message
    type, message)` hears of what the outside world is about to be asked. `faults` strike its
    handlers, and `engine` hears of its effects' attempts. A stateless service has no effects, and
    stays as it is. `kinds` are the classes that do so, made once a run: what is not there is added.
    """
    if isinstance(service, Replicas | Remote):
        return service
    if isinstance(service, Sharded):  # faults strike a shard by its own name
        made_by = {
            place: with_effect_points(
                place, service.maker_of(place), passes, asked, faults, engine, kinds
            )
            for place in service.names(name)
        }
        return msgspec.structs.replace(service, made_by=made_by)
    factory = service

    def make() -> Any:
        service = factory()
        if isinstance(service, StatelessService):
            return service
        kind = type(service)
        if (name, kind) not in kinds:
            kinds[name, kind] = _reporting(name, kind, passes, asked, faults, engine)
        if engine is not None:
            for spec in kind.handlers.values():
                if spec.kind == "effect":
                    limits = _limits(name, spec, service, engine)
                    engine.effects.limits[name, type_name(spec.message)] = limits
        service.__class__ = kinds[name, kind]
        return service

    return make


def _reporting(
    name: str,
    kind: type[Service],
    passes: Passes,
    asked: Asked,
    faults: HandlerFaults,
    engine: Engine | None,
) -> type[Service]:
    reporting: type[Service] = type(kind.__name__, (kind,), {})
    for message, spec in kind.handlers.items():
        if spec.kind != "effect":
            function = _around(spec, name, faults)
        else:
            function = _around_effect(spec, name, passes, asked, faults)
            if engine is not None:
                function = _heard(function, name, engine, lists=spec.lists)
        reporting.handlers[message] = msgspec.structs.replace(spec, function=function)
    return reporting


def _around(spec: HandlerSpec, name: str, faults: HandlerFaults) -> Callable[..., Any]:
    message_type, function = type_name(spec.message), spec.function

    @wraps(function)
    def run(service: Service, tx: Any, *message: Any) -> Any:
        faults.strike(name, message_type, "before", message)
        reply = function(service, tx, *message)
        faults.strike(name, message_type, "after", message)
        if faults.slips and spec.kind in SLIPPING:
            reply = faults.slip(name, message_type, tx, message[0], reply)
        return reply

    return run


def _around_effect(
    spec: HandlerSpec, name: str, passes: Passes, asked: Asked, faults: HandlerFaults
) -> Callable[..., Any]:
    message_type, function = type_name(spec.message), spec.function

    async def point(phase: Phase, messages: Sequence[Any]) -> None:
        if passes(name, message_type, phase):
            await asyncio.sleep(KILL_S_MAX)  # cancelled by the kill
        for each in messages:
            faults.strike(name, message_type, phase, each)

    async def ask(service: Service, given: Any) -> Any:
        for each in given if spec.lists else (given,):
            asked(name, message_type, each)
        return await function(service, given)

    @wraps(function)
    async def run(service: Service, given: Any) -> Any:
        messages = given if spec.lists else (given,)
        await point("before", messages)
        faults.knock(name, message_type)
        outcome = await ask(service, given)
        if faults.is_doubled(name, message_type):
            outcome = await ask(service, given)
        await faults.hear_back(name, message_type)
        await point("after", messages)
        return outcome

    return run


def _heard(
    function: Callable[..., Any], name: str, engine: Engine, *, lists: bool
) -> Callable[..., Any]:
    @wraps(function)
    async def run(service: Service, given: Any) -> Any:
        messages = given if lists else (given,)
        engine.attempted(name, messages)
        try:
            value = await function(service, given)
        except BaseException as error:
            engine.finished(name, messages, (), error)
            raise
        values = (value,) if not lists else value or [None] * len(messages)
        engine.finished(name, messages, values, None)
        return value

    return run


def _limits(name: str, spec: HandlerSpec, service: Service, engine: Engine) -> EffectLimits:
    config = engine.config
    of_system: dict[str, Any] = {}
    for _, tables in config.effect_tables():
        of_system = of_system or tables.get(name, {}).get(type_name(spec.message), {})

    def limit(option: str, default: Any) -> Any:
        said = spec.options.value(option, spec.function.__name__, service)
        return of_system.get(option, default if said is None else said)

    return EffectLimits(
        limit("limit_s", config.effect.effect_s_max),
        limit("attempts_max", config.effect.attempts_max),
        limit("running_max", config.effect.running_max),
        limit("slow_s", config.breaker.slow_s),
    )
