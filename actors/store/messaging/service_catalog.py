"""Who else there is: which service handles what, and who subscribes to which events."""

from __future__ import annotations

from typing import Literal

import msgspec

from actors.kernel.discovery.sharding import Sharding  # noqa: TC001 - a field's type

Start = Literal["now", "beginning"]


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """`subscriber` wants events of this type; `start` says from where, when it is new.

    `formerly` are the names that the type was stored under before.
    """

    subscriber: str
    event_type: str
    start: Start = "now"
    formerly: tuple[str, ...] = ()
    # Of a shard: which events are its own.
    sharding: Sharding | None = None

    def wants(self, blob: bytes) -> bool:
        """Whether a kept event of this type is for it."""
        sharding = self.sharding
        if sharding is None:
            return True
        return sharding.place(msgspec.json.decode(blob).get(sharding.key)) == self.subscriber


class ServiceCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """The same for every service of a system; message types go by their names.

    `handled` maps a service to what it takes, and `effects` to those of them that are its effects.
    `sharded` are those that are kept in shards; each shard stands beside them by its own name.
    """

    handled: dict[str, frozenset[str]] = {}
    effects: dict[str, frozenset[str]] = {}
    subscriptions: tuple[Subscription, ...] = ()
    sharded: dict[str, Sharding] = {}

    def subscribers(self) -> dict[str, tuple[str, ...]]:
        """Return the services that subscribe to each event type, in order of declaration."""
        found: dict[str, dict[str, None]] = {}
        for each in self.subscriptions:
            name = each.subscriber if each.sharding is None else each.sharding.service
            found.setdefault(each.event_type, {})[name] = None
        return {event_type: tuple(names) for event_type, names in found.items()}

    def sharding_of(self, place: str) -> Sharding | None:
        """Return the shards of which this is one, if it is."""
        return self.sharded.get(place.rpartition("-")[0])
