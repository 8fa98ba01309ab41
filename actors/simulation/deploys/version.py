"""What a simulated process runs: the present version of a system, or the one before it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import msgspec

from actors.kernel.messages import stored_names, type_name, type_of
from actors.service.group import Group  # noqa: TC001 - a field's type
from actors.service.service import Service
from actors.service.sharded.sharded import Sharded
from actors.service.stateless.replicas import Instances, actor_names
from actors.simulation.deploys.parts import Parts
from actors.simulation.errors import NotRead
from actors.simulation.oracles.shards.shard_oracle import Declared, shard_of
from actors.simulation.oracles.subscriptions import Subscriber
from actors.store.files.schema_check import columns_of
from actors.system import System, services_of
from http_edge.endpoints.stream_endpoint import StreamEndpoint
from http_edge.listener import GATEWAY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping, Sequence

    from actors.kernel.messages import Message
    from actors.service.assembly import ServiceSystem
    from actors.simulation.oracles.handled import Content
    from actors.system import Wiring


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """Systems, and what they declare, as oracles are to know it.

    `messages` are the types that each service handles, by (service, stored name), and `groups` are
    those in which actors stand; `specs` are these, by their names. `parts` are what its next
    version may have a mistake in, `routes` the path and method of all that its gateway answers,
    `streams` those that give a list's pages one after the other; `shards` the
    services that are kept so.
    """

    systems: tuple[System, ...]
    subscribers: tuple[Subscriber, ...]
    groups: dict[str, str]
    specs: dict[str, Group]
    messages: dict[tuple[str, str], Any]
    parts: Parts
    routes: frozenset[tuple[str, str]]
    streams: frozenset[tuple[str, str]]
    shards: tuple[Declared, ...] = ()

    @classmethod
    def of(cls, systems: Sequence[System], wiring: Wiring) -> Self:
        """Read it from what the systems make by that wiring."""
        factories = services_of(systems, wiring)
        messages: dict[tuple[str, str], Any] = {}
        subscribers: list[Subscriber] = []
        for name, made in _services(factories):
            for spec in type(made).handlers.values():
                names = stored_names(spec.message)
                messages |= {(name, each): spec.message for each in names}
                if spec.kind == "event" and isinstance(made, Service):
                    whole = spec.start == "beginning"
                    subscribers += _subscribers(name, factories[name], names, whole=whole)
        return cls(
            systems=tuple(systems),
            subscribers=tuple(subscribers),
            groups=_groups_of(systems, factories),
            specs={group.name: group for system in systems for group in system.supervision},
            messages=messages,
            parts=Parts(systems, wiring),
            routes=frozenset(_routes_of(systems, wiring)),
            streams=frozenset(_routes_of(systems, wiring, StreamEndpoint)),
            shards=tuple(_shards_of(factories)),
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
        yield name, factory.factory() if isinstance(factory, Instances) else factory()


def _subscribers(
    name: str, factory: Any, names: tuple[str, ...], *, whole: bool
) -> Iterator[Subscriber]:
    if not isinstance(factory, Sharded):
        yield Subscriber(name, names, hears_all_kept=whole)
        return
    for place in factory.names(name):
        hears = partial(_is_for, place, factory.key, factory.shards)
        # What comes back, such as Refused[...], comes to who has sent.
        yield Subscriber(place, names, whole, hears if "[" not in names[0] else lambda _: True)


def _is_for(place: str, key: str, count: int, what: Content) -> bool:
    text = str(msgspec.json.decode(what.json).get(key))
    return shard_of(place.rpartition("-")[0], count, text) == place


def _shards_of(factories: Mapping[str, Any]) -> Iterator[Declared]:
    for name, factory in factories.items():
        if isinstance(factory, Sharded):
            tables = columns_of(factory.factory().schema)
            columns = {each: factory.columns.get(each, factory.key) for each in tables}
            yield Declared(name, factory.key, factory.shards, columns)


def _routes_of(
    systems: Sequence[System], wiring: Wiring, kind: type = object
) -> Iterator[tuple[str, str]]:
    """Yield path and method of what the gateway answers by such endpoints, a HEAD as a GET."""
    for system in systems:
        for row in system.addresses_in(wiring).get(GATEWAY, ()):
            if not isinstance(row.endpoint, kind):
                continue
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
