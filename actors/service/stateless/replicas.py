"""Several replicas of a stateless service behind one name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import ConfigError
from actors.kernel.discovery.balance import LEAST_LOADED, check_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors.config import ServiceConfig


class Instances(msgspec.Struct, frozen=True):
    """Several actors of one service, each of which the factory makes."""

    factory: Callable[[], Any]

    def names(self, service: str) -> list[str]:
        """Return the actors' own names, those of a service called `service`."""
        raise NotImplementedError


class Replicas(Instances, frozen=True):
    """Instead of a factory: `count` replicas `name-1`, `name-2`, ... of one service.

    What is asked of `name` goes to one of those that run, as `balance` has it: "least_loaded",
    "round_robin", "two_choices", or "key:FIELD", where messages that are equal in that field go to
    the same one. A service with a store has one replica: its file has one writer.
    """

    count: int
    balance: str = LEAST_LOADED

    def __post_init__(self) -> None:
        """Raise ValueError where there would be none, or there is no such balance."""
        if self.count < 1:
            message = f"{self.count} replicas would answer nothing; one at least"
            raise ValueError(message)
        check_policy(self.balance)

    def names(self, service: str) -> list[str]:
        """Return the replicas' own names, those of a service called `service`."""
        return [f"{service}-{number}" for number in range(1, self.count + 1)]


def actor_names(services: Mapping[str, Any]) -> list[str]:
    """Return the names of the actors that these services make, in their order."""
    names: list[str] = []
    for name, service in services.items():
        names += service.names(name) if isinstance(service, Instances) else [name]
    return names


def as_configured(name: str, service: Any, config: ServiceConfig) -> Any:
    """Return the service with as many replicas, and the balance, that the configuration wants.

    Raises ConfigError where there is no such balance.
    """
    replicas, balance = config.replicas.get(name), config.balance.get(name)
    if replicas is None and balance is None:
        return service
    if isinstance(service, Instances) and not isinstance(service, Replicas):
        message = (
            f"configuration: service.{'balance' if replicas is None else 'replicas'}.{name}: it is "
            f"kept in shards, whose number its files depend on: leave it out"
        )
        raise ConfigError(message)
    there = service if isinstance(service, Replicas) else Replicas(service, 1)
    try:
        return Replicas(there.factory, replicas or there.count, balance or there.balance)
    except ValueError as error:
        message = f"configuration: service.balance.{name}: {error}"
        raise ConfigError(message) from error
