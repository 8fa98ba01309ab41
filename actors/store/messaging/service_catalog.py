"""Who else there is: which service handles what, and who subscribes to which events."""

from __future__ import annotations

from typing import Literal

import msgspec

Start = Literal["now", "beginning"]


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """`subscriber` wants events of this type; `start` says from where, when it is new.

    `formerly` are the names that the type was stored under before.
    """

    subscriber: str
    event_type: str
    start: Start = "now"
    formerly: tuple[str, ...] = ()


class ServiceCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """The same for every service of a system; message types go by their names.

    `handled` maps a service to what it takes, and `effects` to those of them that are its effects.
    """

    handled: dict[str, frozenset[str]] = {}
    effects: dict[str, frozenset[str]] = {}
    subscriptions: tuple[Subscription, ...] = ()

    def subscribers(self) -> dict[str, tuple[str, ...]]:
        """Return the subscribers of each event type, in order of declaration."""
        found: dict[str, tuple[str, ...]] = {}
        for each in self.subscriptions:
            found[each.event_type] = (*found.get(each.event_type, ()), each.subscriber)
        return found
