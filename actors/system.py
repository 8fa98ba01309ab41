"""`System`: everything about a system as one value, and the first file of its folder to read.

Nothing in it runs or reads anything: it says what is to be made, and `App` makes it. What is not
needed to serve (the scenario, the audit, the load) is behind a function that imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from actors.config import NAME
from actors.errors import ConfigError, declared
from actors.service.assembly import made_of
from actors.service.group import ROOT
from actors.service.remote.remote import Remote
from actors.service.stateless.replicas import as_configured
from http_edge.address import Address, Endpoint
from http_edge.gateway import Gateway
from http_edge.listener import GATEWAY, Listener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Iterator
    from pathlib import Path

    from actors.config import Config, Rule, Section
    from actors.kernel.discovery.standings import Registration
    from actors.kernel.messages import Message
    from actors.service.assembly import AnyService
    from actors.service.group import Group

    Services = Mapping[str, AnyService]
    Addresses = Sequence[Address] | Mapping[str, Sequence[Address]]

# How an effect reaches a service of the same process, as over a network: (service, message).
Ask = Callable[[str, "Message"], "Awaitable[Any]"]


class Process(Protocol):
    """The process in which a system runs, as far as its makers may ask it."""

    @property
    def leaving(self) -> bool:
        """Whether it drains: what ends from then on is ended in order."""
        ...

    async def url_of(self, listener: str, *, service: str) -> str:
        """Return where this process itself reaches its listener, once `service` is up."""
        ...

    async def registry(
        self, *, after: int | None = None, wait_s: float = 0.0
    ) -> tuple[int, Sequence[Registration]]:
        """Return how all services stand, and of which version that is.

        Once it is another version than `after`, or `wait_s` seconds are over. Raises ActorStopped
        where the system ends first.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a system's makers are given.

    `outside` is what was made of the dependencies of all systems of the process, by name.
    """

    config: Config
    data_dir: Path
    ask: Ask
    process: Process
    outside: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something outside the system, as its services are handed it.

    Neither touches anything before what it made is used: who only looks at a system makes
    `simulated`, too, before there is a data folder. What is made lives as long as the process.
    """

    live: Callable[[Wiring], Any]
    simulated: Callable[[Wiring], Any]


@dataclass(frozen=True, slots=True)
class ListenerSpec:
    """A listener of a system's own, and where it listens if the configuration does not say.

    `gateway` is the dialect that it speaks.
    """

    name: str
    port: int
    gateway: type[Gateway] = Gateway
    host: str = "127.0.0.1"


# What is wrong with the files of a system at rest: (folder, configuration, now in epoch us).
Audit = Callable[["Path", "Config", int], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system: what an `App` boots, the edge serves, a simulation plays and an audit reads.

    Only the name and the services must be there; a service that remembers brings its schema.
    A service's name is its address, and its file's. Services and addresses that depend on
    something are a function of the wiring; what does not is there as it is.
    """

    name: str
    services: Services | Callable[[Wiring], Services]
    # Those of the gateway, which every system shares; or by listener, its own among them.
    addresses: Addresses | Callable[[Wiring], Addresses] = ()
    listeners: tuple[ListenerSpec, ...] = ()
    # Its sections of the configuration by name, with a default for each key.
    config: Mapping[str, type[Section]] = field(default_factory=dict)
    # What keys of different sections must be to each other, where a section cannot know.
    rules: Callable[[Config], Iterable[Rule]] = lambda _: ()
    # Who restarts with whom, and how often; a service in no group stands by itself.
    supervision: tuple[Group, ...] = ()
    outside: Mapping[str, Dependency] = field(default_factory=dict)
    # Puts files into the data folder before anything is made: what others look for there.
    lay_out: Callable[[Path], None] = lambda _: None
    # Modules that it needs and Dress Rehearsal does not bring, each with what pip installs it by.
    requires: Mapping[str, str] = field(default_factory=dict)
    # What a simulation plays with it; the type is the simulation's, which no server imports.
    scenario: Callable[[], Callable[[], Any]] | None = None
    audit: Callable[[], Audit] | None = None
    # What `load` sends it: a LoadPlan, whose type is the load generator's, which no server imports.
    load: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError where it is called what is nobody's name."""
        if not NAME.fullmatch(str(self.name)):
            message = f"{self.name!r} can be no system: call it with a-z, 0-9 and _, a letter first"
            raise ConfigError(message)

    def services_in(self, wiring: Wiring) -> Services:
        """Return its services by name. Raises what its own function raises."""
        return self.services(wiring) if callable(self.services) else self.services

    def addresses_in(self, wiring: Wiring) -> Mapping[str, Sequence[Address]]:
        """Return its addresses by listener. Raises what its own function raises."""
        found = self.addresses(wiring) if callable(self.addresses) else self.addresses
        return found if isinstance(found, Mapping) else {GATEWAY: found}


class _NoProcess:
    """Whoever only looks at a system boots nothing."""

    leaving = False

    async def url_of(self, listener: str, *, service: str) -> str:
        raise LookupError(f"nothing runs: {service} is not at {listener}")

    async def registry(
        self, *, after: int | None = None, wait_s: float = 0.0
    ) -> tuple[int, Sequence[Registration]]:
        del after, wait_s
        return 0, ()


def _ask_nobody(service: str, message: Message) -> Any:
    raise LookupError(f"{service} does not run: nobody takes {message}")


def unbooted(
    systems: Sequence[System], config: Config, data_dir: Path, ask: Ask = _ask_nobody
) -> Wiring:
    """Return a wiring by which to look at systems that are not booted; it touches no file."""
    wiring = Wiring(config=config, data_dir=data_dir, ask=ask, process=_NoProcess())
    return with_outside(systems, wiring, simulated=True)


def with_outside(systems: Sequence[System], wiring: Wiring, *, simulated: bool) -> Wiring:
    """Return the wiring with the world outside, as all systems' dependencies make it.

    Raises ConfigError where two have one name, or a maker raises.
    """
    outside: dict[str, Any] = {}
    for system in systems:
        for name, dependency in system.outside.items():
            if name in outside:
                message = f"{system.name}: another system has {name!r} outside already"
                raise ConfigError(message)
            kind, made = "live", dependency.live
            if simulated:
                kind = "simulated, which is made to look at the system too and must touch nothing"
                made = dependency.simulated
            with declared(system.name, f"outside {name!r}, {kind},"):
                outside[name] = made(wiring)
    return replace(wiring, outside=outside)


def services_of(systems: Sequence[System], wiring: Wiring) -> dict[str, AnyService]:
    """Return the services of all systems by name. Raises ConfigError as `each_service`."""
    return {name: service for _, name, service in each_service(systems, wiring)}


def played(system: System) -> System:
    """Return the system as a simulation plays it: with the stand-ins of its remote services.

    Where one has none, ConfigError is raised when its services are made.
    """

    def services(wiring: Wiring) -> Services:
        found = dict(system.services_in(wiring))
        for name, service in found.items():
            if isinstance(service, Remote):
                if service.stand_in is None:
                    message = (
                        f"{system.name}: service {name!r} is a process of its own, which no "
                        f"simulation runs: say what plays it, Remote(..., stand_in=SomeService)"
                    )
                    raise ConfigError(message)
                made_of(name, service)
                found[name] = service.stand_in
        return found

    return replace(system, services=services)


def each_service(
    systems: Sequence[System], wiring: Wiring
) -> Iterator[tuple[System, str, AnyService]]:
    """Yield each service with whose it is and its name.

    Raises ConfigError where two have one name, or one has a name that is no file's and address's.
    """
    found: set[str] = set()
    for system in systems:
        with declared(system.name, "services"):
            services = dict(system.services_in(wiring))
        for name, service in services.items():
            if not NAME.fullmatch(name) or name == ROOT:
                message = (
                    f"{system.name}: {name!r} can be no service: call it with a-z, 0-9 and _, a "
                    f"letter first, and not {ROOT}"
                )
                raise ConfigError(message)
            if name in found:
                message = f"{system.name}: another system has a service {name!r} already"
                raise ConfigError(message)
            found.add(name)
            yield system, name, as_configured(name, service, wiring.config.service)


def places_of(systems: Sequence[System], config: Config) -> list[Listener]:
    """Return every listener, where the configuration has it, without an address yet.

    Raises ConfigError where two systems declare one listener differently.
    """
    gateway = ListenerSpec(GATEWAY, config.edge.gateway.port, host=config.edge.gateway.host)
    specs = {GATEWAY: gateway}
    for system in systems:
        for spec in system.listeners:
            if specs.setdefault(spec.name, spec) != spec:
                message = f"{system.name}: listener {spec.name} is declared otherwise already"
                raise ConfigError(message)
    found = []
    for spec in specs.values():
        there = config.edge.listener(spec.name)
        found.append(Listener(spec.name, there.host, there.port, gateway=spec.gateway))
    return found


def listeners_of(systems: Sequence[System], wiring: Wiring) -> list[Listener]:
    """Return every listener with what all systems answer there.

    Raises ConfigError where a system has addresses at a listener that none declares, or no row.
    """
    places = {each.name: each for each in places_of(systems, wiring.config)}
    for system in systems:
        with declared(system.name, "addresses"):
            tables = {name: tuple(rows) for name, rows in system.addresses_in(wiring).items()}
        for name, addresses in tables.items():
            row: Any
            for row in addresses:
                if not isinstance(row, Address) or not isinstance(row.endpoint, Endpoint):
                    message = f"{system.name}: at {name}, {row!r} is no Address with an endpoint"
                    raise ConfigError(message)
            if name not in places:
                message = (
                    f"{system.name}: it has addresses at {name}, which no system declares: add a "
                    f"ListenerSpec({name!r}, PORT) to its listeners, or give them to "
                    f"{' or '.join(places)}"
                )
                raise ConfigError(message)
            places[name] = places[name].also(addresses)
    return list(places.values())
