"""Several replicas of a stateless service behind one name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors.service.service import StatelessService


class Replicas(msgspec.Struct, frozen=True):
    """Instead of a factory: `count` replicas `name-1`, `name-2`, ... of one service.

    What is asked of `name` goes to the least loaded that runs. A service with a store has one
    replica: its file has one writer.
    """

    factory: Callable[[], StatelessService]
    count: int

    def __post_init__(self) -> None:
        """Raise ValueError where there would be none."""
        if self.count < 1:
            message = f"{self.count} replicas would answer nothing; one at least"
            raise ValueError(message)

    def names(self, service: str) -> list[str]:
        """Return the replicas' own names, those of a service called `service`."""
        return [f"{service}-{number}" for number in range(1, self.count + 1)]


def actor_names(services: Mapping[str, Any]) -> list[str]:
    """Return the names of the actors that these services make, in their order."""
    names: list[str] = []
    for name, service in services.items():
        names += service.names(name) if isinstance(service, Replicas) else [name]
    return names
