"""Name to replicas, with health: what services discover each other by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import NoSuchActor

if TYPE_CHECKING:
    from collections.abc import ItemsView

    from actors.kernel.actor import AsyncioActor


class Registry:
    """Knows every actor by its own name, and every service by the actors that answer for it."""

    def __init__(self) -> None:
        """Start empty."""
        self._actors: dict[str, AsyncioActor] = {}
        self._services: dict[str, list[AsyncioActor]] = {}
        self._service_of: dict[str, str] = {}
        # Services each of whose actors has a part of what is known, and none can stand in.
        self._sharded: set[str] = set()

    def add(self, actor: AsyncioActor, *, service: str | None = None) -> None:
        """Register the actor, and as a replica of `service` if it is one. Names are unique."""
        if actor.name in self._actors:
            message = f"two actors are called {actor.name}; names are addresses and must differ"
            raise ValueError(message)
        self._actors[actor.name] = actor
        if service is not None:
            self._services.setdefault(service, []).append(actor)
            self._service_of[actor.name] = service

    def actor(self, name: str) -> AsyncioActor:
        """Return the actor of that name. Raises NoSuchActor, naming those there are."""
        try:
            return self._actors[name]
        except KeyError:
            message = f"no actor is called {name!r}; there are {', '.join(self._actors)}"
            raise NoSuchActor(message) from None

    def replicas(self, service: str) -> list[AsyncioActor]:
        """Return the service's replicas. Raises NoSuchActor where there is no such service."""
        try:
            return self._services[service]
        except KeyError:
            message = f"no service is called {service!r}; there are {', '.join(self._services)}"
            raise NoSuchActor(message) from None

    def actors(self) -> list[AsyncioActor]:
        """Return every actor in the order of registration: parents first."""
        return list(self._actors.values())

    def services(self) -> ItemsView[str, list[AsyncioActor]]:
        """Return each service with its replicas."""
        return self._services.items()

    def service_of(self, name: str) -> str | None:
        """Return the service that the actor of this name answers for, if it does for one."""
        return self._service_of.get(name)

    def remove(self, actor: AsyncioActor) -> None:
        """Forget the actor, whose service has other replicas: its name is free."""
        del self._actors[actor.name]
        service = self._service_of.pop(actor.name, None)
        if service is not None:
            self._services[service].remove(actor)

    def mark_sharded(self, service: str) -> None:
        """Note that each actor of the service answers for a part of its own."""
        self._sharded.add(service)

    def is_sharded(self, service: str) -> bool:
        """Whether none of the service's actors can answer for another."""
        return service in self._sharded

    def unhealthy(self) -> list[str]:
        """Return the names of the services that have no replica running, and of such shards."""
        found = []
        for name, actors in self._services.items():
            down = [actor.name for actor in actors if actor.state != "running"]
            if name in self._sharded:
                found += down
            elif len(down) == len(actors):
                found.append(name)
        return found
