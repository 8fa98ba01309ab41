"""What there is to be broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from actors.faults.fault_kinds import Scope

PROCESS: Final = "process"
CLOCK: Final = "clock"
AFTER: Final = ".after"


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """The names of a system's parts, the simplest to think about first.

    A point is named service.Message.before or .after, of the commit that holds the message. A
    handler is named service.Message, and so is an effect. A link is named `client-1>edge`, one
    direction, or `client-1<>edge`, both; a saying is one of the scenario's garblings. A setting is
    a `key=value` of the configuration, and so many replicas are a `service=number`; a mistake is
    what the next version has. The process and the wall clock are always there; `versions` is the
    process again, where there is another version of it. A commit is known by the point after it.
    """

    services: tuple[str, ...] = ()
    replicas: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    sayings: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    handlers: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()

    def of(self, scope: Scope) -> tuple[str, ...]:
        """Return what a fault of that scope can be done to."""
        if scope == "commit":  # not put together each time that another is asked for
            return tuple(each for each in self.points if each.endswith(AFTER))
        named: dict[Scope, tuple[str, ...]] = {
            "service": self.services,
            "replicas": self.replicas,
            "store": self.stores,
            "point": self.points,
            "handler": self.handlers,
            "effect": self.effects,
            "setting": self.settings,
            "mistake": self.mistakes,
            "link": self.links,
            "saying": self.sayings,
            "process": (PROCESS,),
            "clock": (CLOCK,),
            "version": self.versions,
        }
        return named[scope]


def directions(link: str) -> tuple[tuple[str, str], ...]:
    """Return a link's (from, to): one of `a>b`, two of `a<>b`; else `ValueError`."""
    both = "<>" in link
    one, arrow, other = link.partition("<>" if both else ">")
    if not (one and arrow and other):
        raise ValueError(f"a link is named a>b or a<>b, not {link!r}")
    return ((one, other), (other, one)) if both else ((one, other),)
