"""Mistakes in what a system is made of: services, groups, listeners, what is outside."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from actors.service.group import Group
from actors.service.send_check import sent_by
from actors.service.stateless.replicas import Replicas
from actors.simulation.deploys.mistake import Broken, Mistake
from actors.system import Dependency, ListenerSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.simulation.deploys.parts import Parts

    Change = Callable[[dict[str, Any], str], Any]


def _stored(parts: Parts) -> Sequence[str]:
    return parts.stored


def _sent_to(parts: Parts) -> Sequence[str]:
    """Return whom another one sends something, as its source says."""
    sent = [(name, each) for name, kind in parts.classes.items() for each in sent_by(kind)]
    return [
        service
        for service in parts.classes
        if any(each.receiver == service != name and each.message is not None for name, each in sent)
    ]


def _asked(parts: Parts) -> Sequence[str]:
    """Return who has an address."""
    asked = {row.address.endpoint.asked for row in parts.rows}
    return [service for service in parts.classes if service in asked]


def _changed(parts: Parts, service: str, *, change: Change, says: str) -> Broken:
    """Its system's services are others."""
    systems = lambda _: parts.with_services(service, lambda found: change(found, service))  # noqa: E731
    return Broken(systems=systems, says=(says.replace("{service}", repr(service)),))


def _put(found: dict[str, Any], service: str, *, made: Callable[[Any], Any]) -> None:
    found[service] = made(found[service])


def _rename(found: dict[str, Any], service: str, *, name: str) -> None:
    found[name] = found.pop(service)


def _unhandled(parts: Parts, service: str) -> Broken:
    """Somebody sends it what it handles no more."""
    types = {
        each.message
        for name, kind in parts.classes.items()
        for each in sent_by(kind)
        if each.receiver == service != name and each.message is not None
    }

    def make(before: type) -> type:
        class Deaf(before):  # type: ignore[misc]
            handlers = {  # noqa: RUF012 - as a class has it
                message: spec
                for message, spec in before.handlers.items()  # type: ignore[attr-defined]
                if message not in types
            }

        # Its base's are inherited: what is gone has to be taken away afterwards.
        Deaf.handlers = {
            message: spec for message, spec in Deaf.handlers.items() if message not in types
        }
        return Deaf

    said = "which has no handler for it: write a @command for it there"
    return Broken(systems=lambda _: parts.with_class(service, make), says=(service, said))


def _grouped(parts: Parts, service: str, *, group: Callable[[str], Group], says: str) -> Broken:
    number = parts.systems.index(parts.owner(service))
    system = parts.systems[number]
    groups = (*system.supervision, group(service))
    return Broken(
        systems=lambda _: parts.with_system(number, supervision=groups), says=(system.name, says)
    )


def _with(parts: Parts, number: int, *, says: str, settings: Any = None, **changes: Any) -> Broken:
    return Broken(
        systems=lambda _: parts.with_system(number, **changes),
        says=(parts.systems[number].name if says[0] != "'" else "", says),
        settings=settings,
    )


def _twice(parts: Parts, number: int) -> Broken:
    again = parts.systems[number]
    return Broken(
        systems=lambda _: (*parts.systems, again),
        says=(again.name, "there is another system of this name"),
        settings=(),
    )


def _two_outside(parts: Parts, number: int) -> Broken:
    """Two systems have something of one name out there."""
    more = parts.systems[number]
    other = Dependency(live=_nothing, simulated=_nothing)
    taken = {name: other for system in parts.systems for name in system.outside}

    def systems(_: object) -> Sequence[Any]:
        second = type(more)(name="next_system", services={}, outside=taken)
        return (*parts.systems, second)

    return Broken(systems=systems, says=("next_system", "another system has"))


def _nothing(_wiring: object) -> object:
    return object()


def _raise(_wiring: object) -> object:
    message = "nobody knows how"
    raise LookupError(message)


def _each(parts: Parts) -> Sequence[int]:
    return range(len(parts.systems))


def _with_outside(parts: Parts) -> Sequence[int]:
    return [number for number in _each(parts) if parts.systems[number].outside]


class _Neither:
    """No service."""


# What is wrong -> who is concerned, what becomes of the system's services, what is said.
SERVICES: Final[Mapping[str, tuple[Any, Change, str]]] = MappingProxyType(
    {
        "a service that is called otherwise": (
            _asked, partial(_rename, name="renamed"), "no service",
        ),
        "a service's name that is no file's": (
            _stored, partial(_rename, name="Next one"), "'Next one' can be no service",
        ),
        "a service that is none": (
            _stored,
            partial(_put, made=lambda _: _Neither),
            "service {service}: _Neither is neither a Service nor a StatelessService",
        ),
        "a service that is made already": (
            _stored, partial(_put, made=lambda make: make()),
            "service {service} is a ",
        ),
        "replicas of a service that remembers": (
            _stored, partial(_put, made=lambda make: Replicas(make, 2)),
            "service {service}: ",
        ),
        "a service that cannot be made": (
            _stored, partial(_put, made=lambda _: lambda: _raise(None)),
            "its service {service} raised LookupError",
        ),
        "no replica at all": (
            _stored, partial(_put, made=lambda make: Replicas(make, 0)), "would answer nothing",
        ),
    }
)  # fmt: skip
# What is wrong -> a group more, and what is said.
GROUPS: Final[Mapping[str, tuple[Callable[[str], Group], str]]] = MappingProxyType(
    {
        "a group of nobody": (
            lambda _: Group(name="next", services=("nobody",)), "there is no service 'nobody'",
        ),
        "a group with a service's name": (
            lambda service: Group(name=service, services=()), "another group or the root is called",
        ),
        "a group whose name is none": (
            lambda _: Group(name="Next", services=()), "call it with a-z, 0-9 and _",
        ),
        "a strategy that there is not": (
            lambda _: Group(name="next", services=(), strategy="all"),  # type: ignore[arg-type]
            "there is no strategy 'all'",
        ),
        "fewer restarts than none": (
            lambda _: Group(name="next", services=(), intensity=-1), "from 0 on",
        ),
        "a budget for no time": (
            lambda _: Group(name="next", services=(), period_s=0.0), "period_s is above 0",
        ),
        "a service that stands in a group twice": (
            lambda service: Group(name="next", services=(service, service)), "already",
        ),
    }
)  # fmt: skip
SYSTEM_MISTAKES: Final[Mapping[str, Mistake]] = MappingProxyType(
    {
        **{
            name: Mistake(places=places, make=partial(_changed, change=change, says=says))
            for name, (places, change, says) in SERVICES.items()
        },
        "a command that its receiver handles no more": Mistake(places=_sent_to, make=_unhandled),
        **{
            name: Mistake(places=_stored, make=partial(_grouped, group=group, says=says))
            for name, (group, says) in GROUPS.items()
        },
        "something outside that cannot be made": Mistake(
            places=_with_outside,
            make=partial(
                _with,
                outside={"next": Dependency(live=_raise, simulated=_raise)},
                says="raised LookupError: nobody knows how",
            ),
        ),
        "two things outside of one name": Mistake(places=_with_outside, make=_two_outside),
        "a system's name that is none": Mistake(
            places=_each, make=partial(_with, name="Next one", says="'Next one' can be no system")
        ),
        "one system twice": Mistake(places=_each, make=_twice),
        "a listener's name that is none": Mistake(
            places=_each,
            make=partial(
                _with,
                listeners=(ListenerSpec("Next desk", 9),),
                says="edge.Next desk can be no listener",
                settings=(),
            ),
        ),
    }
)
