"""What a simulated process runs: the present version of a system, or the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import msgspec

from actors.kernel.messages import stored_names, type_name, type_of
from actors.service.group import Group  # noqa: TC001 - a field's type
from actors.service.service import Service
from actors.service.stateless.replicas import Replicas, actor_names
from actors.simulation.deploys.parts import Parts
from actors.simulation.errors import NotRead
from actors.simulation.oracles.subscriptions import Subscriber
from actors.system import System, services_of
from http_edge.listener import GATEWAY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping, Sequence

    from actors.kernel.messages import Message
    from actors.service.assembly import ServiceSystem
    from actors.system import Wiring


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """Systems, and what they declare, as oracles are to know it.

    `messages` are the types that each service handles, by (service, stored name), and `groups` are
    those in which actors stand; `specs` are these, by their names. `parts` are what its next
    version may have a mistake in, `routes` the path and method of all that its gateway answers.
    """

    systems: tuple[System, ...]
    subscribers: tuple[Subscriber, ...]
    groups: dict[str, str]
    specs: dict[str, Group]
    messages: dict[tuple[str, str], Any]
    parts: Parts
    routes: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, systems: Sequence[System], wiring: Wiring) -> Self:
        """Read it from what the systems make by that wiring."""
        factories = services_of(systems, wiring)
        messages: dict[tuple[str, str], Any] = {}
        subscribers = []
        for name, made in _services(factories):
            for spec in type(made).handlers.values():
                names = stored_names(spec.message)
                messages |= {(name, each): spec.message for each in names}
                if spec.kind == "event" and isinstance(made, Service):
                    whole = spec.start == "beginning"
                    subscribers.append(Subscriber(name, names, hears_all_kept=whole))
        return cls(
            systems=tuple(systems),
            subscribers=tuple(subscribers),
            groups=_groups_of(systems, factories),
            specs={group.name: group for system in systems for group in system.supervision},
            messages=messages,
            parts=Parts(systems, wiring),
            routes=frozenset(_routes_of(systems, wiring)),
        )

    def read(self, service: str, message: Message) -> Message:
        """Return a message as this version reads it, where that is another than it was made of.

        As if it had come from a file. Raises NotRead where it cannot.
        """
        name = type_name(type_of(message))
        kind = self.messages.get((service, name))
        if kind is message.__class__:
            return message
        if kind is None:
            raise NotRead(f"{service} has no handler for {name} in this version")
        try:
            read: Message = msgspec.json.decode(msgspec.json.encode(message), type=kind)
        except msgspec.ValidationError as error:
            raise NotRead(f"{service} cannot read this {name} in this version: {error}") from error
        return read


class Interpreted:
    """A system that is asked what its version reads, whatever version the message was made of."""

    def __init__(self, system: ServiceSystem, version: Version) -> None:
        """`version` is what `system` runs."""
        self._system = system
        self._version = version

    def ask(self, service: str, message: Message, **how: Any) -> Awaitable[Any]:
        """As the system does. Raises NotRead, too."""
        return self._system.ask(service, self._version.read(service, message), **how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)


def _services(factories: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, factory in factories.items():
        yield name, factory.factory() if isinstance(factory, Replicas) else factory()


def _routes_of(systems: Sequence[System], wiring: Wiring) -> Iterator[tuple[str, str]]:
    """Yield path and method of all that the gateway answers; what answers GET answers HEAD."""
    for system in systems:
        for row in system.addresses_in(wiring).get(GATEWAY, ()):
            yield row.path, row.method
            if row.method == "GET":
                yield row.path, "HEAD"


def _groups_of(systems: Sequence[System], factories: Mapping[str, Any]) -> dict[str, str]:
    """Return the group of every actor that stands in one."""
    return {
        actor: group.name
        for system in systems
        for group in system.supervision
        for service in group.services
        for actor in actor_names({service: factories[service]})
    }
