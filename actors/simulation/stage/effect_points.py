"""An effect's crash points: just before the outside world is asked, and just after it has answered.

No commit of its own begins or ends an effect, so the store cannot tell when one is passed.
"""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING, Any

import msgspec

from actors.kernel.messages import type_name
from actors.service.service import StatelessService
from actors.service.stateless.replicas import Replicas
from actors.simulation.stage.simulated_store import KILL_S_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.service.assembly import AnyService
    from actors.service.handler_spec import HandlerSpec
    from actors.service.service import Service
    from actors.simulation.stage.disk import Phase

    Passes = Callable[[str, str, Phase], bool]
    Asked = Callable[[str, str, Any], None]


def with_effect_points(name: str, service: AnyService, passes: Passes, asked: Asked) -> AnyService:
    """Return a factory of the same service `name`, whose effects report each point they pass.

    `passes(service, message type, phase)` says whether a kill is due there; `asked(service, message
    type, message)` hears of what the outside world is about to be asked. A stateless service has no
    effects, and stays as it is.
    """
    if isinstance(service, Replicas):
        return service
    factory = service
    kinds: dict[type[Service], type[Service]] = {}

    def make() -> Any:
        service = factory()
        if isinstance(service, StatelessService):
            return service
        kind = type(service)
        if kind not in kinds:
            kinds[kind] = _reporting(name, kind, passes, asked)
        service.__class__ = kinds[kind]
        return service

    return make


def _reporting(name: str, kind: type[Service], passes: Passes, asked: Asked) -> type[Service]:
    if not any(spec.kind == "effect" for spec in kind.handlers.values()):
        return kind
    reporting: type[Service] = type(kind.__name__, (kind,), {})
    for message, spec in kind.handlers.items():
        if spec.kind == "effect":
            function = _around(spec, name, passes, asked)
            reporting.handlers[message] = msgspec.structs.replace(spec, function=function)
    return reporting


def _around(spec: HandlerSpec, name: str, passes: Passes, asked: Asked) -> Callable[..., Any]:
    message_type = type_name(spec.message)

    async def point(phase: Phase) -> None:
        if passes(name, message_type, phase):
            await asyncio.sleep(KILL_S_MAX)  # cancelled by the kill

    @wraps(spec.function)
    async def run(service: Service, message: Any) -> Any:
        await point("before")
        asked(name, message_type, message)
        outcome = await spec.function(service, message)
        await point("after")
        return outcome

    return run
