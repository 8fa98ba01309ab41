"""Write a system of services, and boot, kill and rehearse it: `from actors import Service, ...`.

The names in `__all__` are what an author uses. They are imported when they are asked for, so that
a service loads no HTTP, and a server no simulation. Public besides are `actors.errors`, whose tree
says what else an ask raises, what `actors.system` declares, the fixtures' types in `actors.testing`
and what `actors.simulation` has for a `Scenario` in the same way. All else is internal, and may
change with any version.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.app import App
    from actors.config import Section
    from actors.errors import Busy, StoreError
    from actors.kernel.messages import (
        Command,
        Event,
        Expired,
        GaveUp,
        Later,
        Query,
        Refusal,
        Refused,
    )
    from actors.service.group import Group
    from actors.service.remote.remote import Remote
    from actors.service.service import (
        Service,
        StatelessService,
        command,
        effect,
        on,
        outcome,
        query,
    )
    from actors.service.sharded.sharded import Cursor, Sharded, found
    from actors.service.stateless.replicas import Replicas
    from actors.simulation.stage.scenario import Scenario
    from actors.store.transaction import ReadTransaction, Transaction
    from actors.system import Dependency, System, Wiring
    from http_edge.address import Address
    from http_edge.endpoints.service_endpoint import service
    from http_edge.endpoints.stream_endpoint import stream
    from http_edge.endpoints.text_endpoint import text

__all__ = [
    "Address",
    "App",
    "Busy",
    "Command",
    "Cursor",
    "Dependency",
    "Event",
    "Expired",
    "GaveUp",
    "Group",
    "Later",
    "Query",
    "ReadTransaction",
    "Refusal",
    "Refused",
    "Remote",
    "Replicas",
    "Scenario",
    "Section",
    "Service",
    "Sharded",
    "StatelessService",
    "StoreError",
    "System",
    "Transaction",
    "Wiring",
    "command",
    "effect",
    "found",
    "on",
    "outcome",
    "query",
    "service",
    "stream",
    "text",
]

# Where they are at home: what is above, to be read at run time.
_HOMES = {
    "actors.app": "App",
    "actors.config": "Section",
    "actors.errors": "Busy StoreError",
    "actors.kernel.messages": "Command Event Expired GaveUp Later Query Refusal Refused",
    "actors.service.group": "Group",
    "actors.service.remote.remote": "Remote",
    "actors.service.service": "Service StatelessService command effect on outcome query",
    "actors.service.sharded.sharded": "Cursor Sharded found",
    "actors.service.stateless.replicas": "Replicas",
    "actors.simulation.stage.scenario": "Scenario",
    "actors.store.transaction": "ReadTransaction Transaction",
    "actors.system": "Dependency System Wiring",
    "http_edge.address": "Address",
    "http_edge.endpoints.service_endpoint": "service",
    "http_edge.endpoints.stream_endpoint": "stream",
    "http_edge.endpoints.text_endpoint": "text",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


class _Door(ModuleType):
    """`service` is an author's word here, and a package's name to those inside.

    The import system would put the package in the word's place.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """Let no package hide a word."""
        if not (name in _HOME_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Door


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # else a checker would take any name for one of ours

    def __getattr__(name: str) -> Any:
        home = _HOME_OF.get(name)
        if home is None:
            message = f"actors has no {name!r}: an author's names are {', '.join(__all__)}"
            raise AttributeError(message, name=name, obj=sys.modules[__name__])
        value = globals()[name] = getattr(importlib.import_module(home), name)
        return value
