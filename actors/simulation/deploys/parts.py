"""What a version of systems is made of, and how one part of it is replaced by another."""

from __future__ import annotations

import linecache
import textwrap
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

import actors
from actors.service.service import Service, outcome
from actors.service.sharded.sharded import Sharded
from actors.service.stateless.replicas import Instances
from actors.system import each_service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.service.service import StatelessService
    from actors.system import System, Wiring
    from http_edge.address import Address

    AnyClass = type[Service | StatelessService]

# What the source of a changed service is called where its lines are named.
FILE: Final = "<next version>"
# What is new there, whatever the service: no system has such.
HEAD: Final = """\
class Told(Command):
    text: str = ""
class Unheard(Command):
    text: str = ""
class Asked(Query):
    text: str = ""
class Happened(Event):
    text: str = ""
"""


class Row(NamedTuple):
    """Where an address stands: of which system, at which listener, the how manieth."""

    system: int
    listener: str
    number: int
    address: Address


class Parts:
    """The parts of one version, by their names.

    `stored` are the services that keep one file, `stateless` those that keep none, in their order.
    """

    def __init__(self, systems: Sequence[System], wiring: Wiring) -> None:
        """Look at what the systems declare; it is right."""
        self.systems = tuple(systems)
        self.classes: dict[str, AnyClass] = {}
        self._owner: dict[str, int] = {}
        sharded = set()
        for system, name, factory in each_service(systems, wiring):
            if isinstance(factory, Sharded):
                sharded.add(name)
            make: Any = factory.factory if isinstance(factory, Instances) else factory
            self.classes[name] = type(make())
            self._owner[name] = self.systems.index(system)
        stored = [name for name, each in self.classes.items() if issubclass(each, Service)]
        # A mistake in what is in shards is told for them, too, and in other words.
        self.stored = tuple(name for name in stored if name not in sharded)
        self.stateless = tuple(name for name in self.classes if name not in stored)
        self.rows = tuple(
            Row(number, listener, place, address)
            for number, system in enumerate(self.systems)
            for listener, rows in system.addresses_in(wiring).items()
            for place, address in enumerate(rows)
        )

    def owner(self, service: str) -> System:
        """Return the system whose service it is."""
        return self.systems[self._owner[service]]

    def with_system(self, number: int, **changes: Any) -> Sequence[System]:
        """Return all systems, one of them with other fields. Raises ConfigError."""
        found = list(self.systems)
        found[number] = replace(found[number], **changes)
        return found

    def with_services(
        self, service: str, change: Callable[[dict[str, Any]], None]
    ) -> Sequence[System]:
        """Return all systems; `change` changes the services of the one that has this service."""
        number = self._owner[service]
        system = self.systems[number]

        def services(wiring: Wiring) -> Mapping[str, Any]:
            found = dict(system.services_in(wiring))
            change(found)
            return found

        return self.with_system(number, services=services)

    def with_class(self, service: str, make: Callable[[AnyClass], type[Any]]) -> Sequence[System]:
        """Return all systems; the service's class is what `make` makes of it, or raises."""

        def change(services: dict[str, Any]) -> None:
            services[service] = _made_by(services[service], make)

        return self.with_services(service, change)

    def with_source(self, service: str, source: str, **names: Any) -> Sequence[System]:
        """Return all systems; the service's class is a subclass with this body.

        What it names beside what all authors have is in `names`.
        """
        return self.with_class(service, partial(subclass, source=source, **names))

    def with_rows(self, row: Row, change: Callable[[list[Any]], object]) -> Sequence[System]:
        """Return all systems; `change` changes the addresses of the row's listener."""
        system = self.systems[row.system]

        def addresses(wiring: Wiring) -> Mapping[str, Sequence[Address]]:
            found = {name: list(rows) for name, rows in system.addresses_in(wiring).items()}
            change(found[row.listener])
            return found

        return self.with_system(row.system, addresses=addresses)


def subclass(before: AnyClass, source: str, **more: Any) -> type[Any]:
    """Return the class that has this body, and all else of `before`; what it raises is raised.

    `Before` is that class. A line `---` ends what stands before the class, as its messages do.
    """
    head, _, body = textwrap.dedent(source).rpartition("---\n")
    text = f"{HEAD}{head}class {before.__name__}(Before):\n{textwrap.indent(body, '    ')}"
    names: dict[str, Any] = {each: getattr(actors, each) for each in actors.__all__}
    names |= {"__name__": before.__module__, "Before": before, "outcome": outcome}
    names |= {"__file__": FILE, **more}
    # Where who reads a handler's source finds it.
    linecache.cache[FILE] = (len(text), None, text.splitlines(keepends=True), FILE)
    exec(compile(text, FILE, "exec"), names)  # noqa: S102 - ours
    made: type[Any] = names[before.__name__]
    return made


def _made_by(factory: Any, make: Callable[[AnyClass], type[Any]]) -> Any:
    """Return a factory of what `make` makes of the class; made at once, as when it is imported."""
    before = factory.factory if isinstance(factory, Instances) else factory
    changed = make(type(before()))

    def made() -> Any:
        service = before()
        service.__class__ = changed
        return service

    return replace_factory(factory, made)


def replace_factory(factory: Any, made: Callable[[], Any]) -> Any:
    """Return it, or as many replicas of it as there were."""
    if not isinstance(factory, Instances):
        return made
    return msgspec.structs.replace(factory, factory=made)
