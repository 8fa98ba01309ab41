"""Where a service may die: just before and just after the commit of every message it handles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from actors.kernel.messages import Expired, GaveUp, Refused, type_name, type_of
from actors.service.effects import EffectPutOff
from actors.service.service import Service
from actors.service.stateless.replicas import Instances, Replicas
from actors.simulation.errors import NoSuchHandler
from actors.simulation.script.schedule import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

PHASES: Final = ("before", "after")
# What a service is told only once something has failed: it is passed in few runs.
TOLD_OF_FAILURE: Final = (Refused, GaveUp, Expired)
# How long a service is stopped by a trap.
STALL_MS: Final = 2_000
# How long it does not come up after another: within its restart budget, and beyond it.
LOCKS_MS: Final = (3_000, 300)


class CrashPoints(msgspec.Struct, frozen=True):
    """All points of a system (service.Message.phase), and those of them that are seldom passed.

    `queries` are what has no points, as service.Query: what its stores are asked.
    """

    every: tuple[str, ...]
    seldom: tuple[str, ...]
    queries: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        factories: Mapping[str, Any],
        *,
        seldom: tuple[Any, ...] = (),
        unreached: tuple[Any, ...] = (),
    ) -> Self:
        """List the points of these services, each replica's own.

        A store's queries commit nothing and have none; what a stateless service is asked has two.
        `seldom` are the messages that few runs pass, besides those that tell of a failure; those
        that are `unreached` have no points. Raises NoSuchHandler where no service handles one of
        these.
        """
        every, seldom_points, queries = [], [], []
        handled: set[Any] = set()
        for name, factory in factories.items():
            is_many = isinstance(factory, Instances)
            made = factory.factory() if is_many else factory()
            actors = factory.names(name) if is_many else [name]
            handled |= set(type(made).handlers)
            for message, called, is_put_off in _committed(made):
                if message in unreached:
                    continue
                points = [f"{actor}.{called}.{phase}" for actor in actors for phase in PHASES]
                every += points
                told_of_failure = getattr(message, "__origin__", message) in TOLD_OF_FAILURE
                if is_put_off or told_of_failure or message in seldom:
                    seldom_points += points
            for message in _asked(made):
                if message not in unreached:
                    queries += [f"{actor}.{type_name(message)}" for actor in actors]
        for message in (*seldom, *unreached):
            if message not in handled:
                raise NoSuchHandler(message)
        return cls(tuple(every), tuple(seldom_points), tuple(queries))

    def traps(
        self, seed: int, *, count: int, count_seldom: int, count_locks: int = 0
    ) -> Iterator[Step]:
        """Yield the traps that the run of a seed begins with: kills, at each point in turn.

        `count` kills at any points, and stalls at others before them. How far before grows with
        each round: some points are passed only where another service was too slow. And
        `count_seldom` kills at points that are seldom passed, each of which has its turn more often
        than the others. After `count_locks` more who is killed does not come up at once.
        """
        every, seldom = self.every, self.seldom
        for number in _turns(seed, min(count, len(every))):
            kill, before = number % len(every), number // len(every) % len(every)
            yield Step(0, "kill_at", every[kill])
            if before:
                yield Step(0, "stall_at", every[(kill - before) % len(every)], STALL_MS)
        for number in _turns(seed, min(count_seldom, len(seldom))):
            yield Step(0, "kill_at", seldom[number % len(seldom)])
        for number in _turns(seed, min(count_locks, len(every))):
            lock_ms = LOCKS_MS[number // len(every) % len(LOCKS_MS)]
            yield Step(0, "lock_at", every[number % len(every)], lock_ms)


def message_name(message: Any) -> str:
    """Return what a message is called in points and traces: one put off, by its effect."""
    if isinstance(message, EffectPutOff):
        return _put_off(type(message.command))
    return type_name(type_of(message))


def numbers_of_replicas(factories: Mapping[str, Any], groups: AbstractSet[str]) -> tuple[str, ...]:
    """Return `service=number` for each that there may be of what has replicas: up to two more.

    Who stands in one of the `groups`, which restart together, has as many as at first.
    """
    return tuple(
        f"{name}={number}"
        for name, factory in factories.items()
        if isinstance(factory, Replicas) and not groups & {*factory.names(name)}
        for number in range(1, factory.count + 3)
    )


def handlers_of(
    factories: Mapping[str, Any], *, unreached: tuple[Any, ...] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the handlers of the services, each replica's own, service.Message, and the effects."""
    handlers, effects = [], []
    for name, factory in factories.items():
        is_many = isinstance(factory, Instances)
        made = factory.factory() if is_many else factory()
        for spec in type(made).handlers.values():
            if spec.message not in unreached:
                actors = factory.names(name) if is_many else [name]
                handlers += [f"{actor}.{type_name(spec.message)}" for actor in actors]
                effects += handlers[-1:] if spec.kind == "effect" else []
    return tuple(handlers), tuple(effects)


def _put_off(effect: Any) -> str:
    return f"{type_name(effect)} put off"


def _committed(service: Any) -> Iterator[tuple[Any, str, bool]]:
    """Yield the types of what the service handles, but for a store's queries, and their names.

    And whether it is an effect that is put off.
    """
    specs = type(service).handlers.values()
    for spec in specs:
        if spec.kind != "query" or not isinstance(service, Service):
            yield spec.message, type_name(spec.message), False
    for spec in specs:
        if spec.options.again_s is not None:
            yield spec.message, _put_off(spec.message), True


def _asked(service: Any) -> Iterator[Any]:
    """Yield the types of a store's queries."""
    if isinstance(service, Service):
        for spec in type(service).handlers.values():
            if spec.kind == "query":
                yield spec.message


def _turns(seed: int, count: int) -> range:
    return range(seed * count, (seed + 1) * count)
