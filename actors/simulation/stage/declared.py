"""What services declare that oracles go by: who hears what, and who stands together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.kernel.messages import type_name
from actors.service.service import Service
from actors.service.stateless.replicas import Replicas, actor_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.system import System


def subscribers_of(factories: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the services that have a handler for an event, by the event's type."""
    found: dict[str, list[str]] = {}
    for name, factory in factories.items():
        made = None if isinstance(factory, Replicas) else factory()
        if isinstance(made, Service):
            for spec in type(made).handlers.values():
                if spec.kind == "event":
                    found.setdefault(type_name(spec.message), []).append(name)
    return found


def groups_of(systems: Sequence[System], factories: Mapping[str, Any]) -> dict[str, str]:
    """Return the group of every actor that stands in one."""
    return {
        actor: group.name
        for system in systems
        for group in system.supervision
        for service in group.services
        for actor in actor_names({service: factories[service]})
    }
