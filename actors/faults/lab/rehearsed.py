"""A fault of a simulation as one of a running system: what was learnt there is played live."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from actors.errors import FaultRefused
from actors.faults.fault import Fault
from actors.faults.lab.fault_order import FaultOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors.faults.fault_kinds import FaultName


def ordered(body: bytes) -> FaultOrder:
    """Return the order that a simulation's fault, as JSON, stands for.

    Raises FaultRefused where it has no seam in a running system, ValueError where it is none.
    """
    return as_order(msgspec.json.decode(body, type=Fault))


def as_order(fault: Fault) -> FaultOrder:
    """Return the order that the fault stands for; a trap strikes once. Raises FaultRefused."""
    make = _LIVE.get(fault.name)
    if make is None:
        message = (
            f"{fault.name} is of simulations alone; what a running system can be given of theirs: "
            f"{', '.join(_LIVE)}"
        )
        raise FaultRefused(message, field="name")
    return make(fault)


def _of_service(fault: Fault) -> FaultOrder:
    return FaultOrder(
        kind="kill" if fault.name == "kill" else "suspend",
        service=fault.target,
    )


def _slow_store(fault: Fault) -> FaultOrder:
    return FaultOrder(
        kind="latency", service=fault.target, of="commits", latency_ms=fault.amount_ms
    )


def _kill_at(fault: Fault) -> FaultOrder:
    handler, _, phase = fault.target.rpartition(".")
    service, message_type = _handler(fault, handler)
    if phase not in {"before", "after"}:
        message = f"{fault.target}: a point is SERVICE.MESSAGE.before or .after"
        raise FaultRefused(message, field="target")
    return FaultOrder(
        kind="kill",
        service=service,
        of="commits",
        message_type=message_type,
        when="before" if phase == "before" else "after",
        first=1,
    )


def _fail(fault: Fault) -> FaultOrder:
    service, message_type = _handler(fault, fault.target)
    return FaultOrder(
        kind="error",
        service=service,
        message_type=message_type,
        when="before" if fault.name == "fail_before" else "after",
        first=1,
    )


def _slow_handler(fault: Fault) -> FaultOrder:
    service, message_type = _handler(fault, fault.target)
    return FaultOrder(
        kind="latency",
        service=service,
        of="handlers",
        message_type=message_type,
        latency_ms=fault.amount_ms,
        first=1,
    )


def _world(fault: Fault) -> FaultOrder:
    """The outside world: it refuses, is slow, or says nothing of what it has done."""
    service, message_type = _handler(fault, fault.target)
    match fault.name:
        case "down_world":
            return FaultOrder(
                kind="error", service=service, of="effects", message_type=message_type
            )
        case "silent_world":
            return FaultOrder(
                kind="hang",
                service=service,
                of="effects",
                message_type=message_type,
                when="after",
            )
        case _:
            return FaultOrder(
                kind="latency",
                service=service,
                of="effects",
                message_type=message_type,
                when="after",
                latency_ms=fault.amount_ms,
                first=1 if fault.name == "late_effect" else None,
            )


def _handler(fault: Fault, handler: str) -> tuple[str, str]:
    service, dot, message_type = handler.partition(".")
    if not (service and dot and message_type):
        raise FaultRefused(f"{fault.target}: a handler is SERVICE.MESSAGE", field="target")
    return service, message_type


_LIVE: Final[Mapping[FaultName, Callable[[Fault], FaultOrder]]] = MappingProxyType(
    {
        "kill": _of_service,
        "suspend": _of_service,
        "kill_at": _kill_at,
        "slow_store": _slow_store,
        "fail_before": _fail,
        "fail_after": _fail,
        "slow_handler": _slow_handler,
        "late_effect": _world,
        "down_world": _world,
        "slow_world": _world,
        "silent_world": _world,
    }
)
