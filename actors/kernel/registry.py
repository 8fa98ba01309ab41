"""Name to replicas, with health: what services discover each other by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.errors import NoSuchActor

if TYPE_CHECKING:
    from actors.kernel.actor import AsyncioActor
    from actors.kernel.stats import ActorState


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One actor of a service. It is healthy where it handles messages now."""

    name: str
    healthy: bool
    state: ActorState


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A service and the replicas that answer for it."""

    name: str
    replicas: list[Replica]


class Registry:
    """Knows every actor by its own name, and every service by the actors that answer for it."""

    def __init__(self) -> None:
        """Start empty."""
        self._actors: dict[str, AsyncioActor] = {}
        self._services: dict[str, list[AsyncioActor]] = {}

    def add(self, actor: AsyncioActor, *, service: str | None = None) -> None:
        """Register the actor, and as a replica of `service` if it is one. Names are unique."""
        if actor.name in self._actors:
            message = f"two actors are called {actor.name}; names are addresses and must differ"
            raise ValueError(message)
        self._actors[actor.name] = actor
        if service is not None:
            self._services.setdefault(service, []).append(actor)

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

    def snapshot(self) -> list[Registration]:
        """Return a frozen picture of the services and their health."""
        return [
            Registration(
                name=name,
                replicas=[
                    Replica(name=actor.name, healthy=actor.state == "running", state=actor.state)
                    for actor in actors
                ],
            )
            for name, actors in self._services.items()
        ]

    def unhealthy(self) -> list[str]:
        """Return the names of the services that have no replica running."""
        return [
            name
            for name, actors in self._services.items()
            if not any(actor.state == "running" for actor in actors)
        ]
