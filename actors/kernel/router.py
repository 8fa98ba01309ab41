"""Picks the replica for a message. Every send to a service passes through here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.kernel.ref import ActorRef
    from actors.kernel.registry import Registry


class Router:
    """Round robin over a service's replicas; one that accepts nothing is passed over."""

    def __init__(self, registry: Registry) -> None:
        """Route to what `registry` knows."""
        self._registry = registry
        self._turns: dict[str, int] = {}

    def pick(self, service: str) -> ActorRef:
        """Return the replica whose turn it is. Raises NoSuchActor.

        Where none accepts messages, the one whose turn it is says why itself.
        """
        replicas = self._registry.replicas(service)
        if len(replicas) == 1:
            return replicas[0].ref
        start = self._turns.get(service, 0)
        self._turns[service] = start + 1
        for step in range(len(replicas)):
            actor = replicas[(start + step) % len(replicas)]
            if actor.actor_inbox.closed is None:
                return actor.ref
        return replicas[start % len(replicas)].ref
