"""Mistakes that nobody sees before a handler runs: each crashes it, and loses nothing."""

from __future__ import annotations

from functools import partial
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from actors.kernel.messages import Later
from actors.simulation.deploys.mistake import Broken, Mistake, Slip, Unheard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.simulation.deploys.parts import Parts

# Longer than any calendar.
AGES_S: Final = 1e15


class Mute(Exception):
    """What is raised says nothing, not even when it is asked."""

    def __str__(self) -> str:
        """Raise something else."""
        raise LookupError(type(self).__name__)


def _raise(_tx: Any, _message: Any, _service: str) -> None:
    raise Mute


# What is wrong -> what each of a service's handlers does after its work, with its transaction, its
# message and its name, and what is said then.
DONE: Final[Mapping[str, tuple[Callable[[Any, Any, str], Any], str]]] = MappingProxyType(
    {
        "a handler that sends to nobody": (
            lambda tx, _message, _service: tx.send("nobody", Unheard()),
            "no service is called 'nobody'",
        ),
        "a handler that sends to itself": (
            lambda tx, message, service: tx.send(service, message),
            "is this service's own name",
        ),
        "a handler that runs what is no effect": (
            lambda tx, _message, _service: tx.run(Unheard()),
            "has no @effect for Unheard",
        ),
        "a handler that puts off what nobody handles": (
            lambda tx, _message, _service: tx.after(0.0, Unheard()),
            "has no handler for Unheard",
        ),
        "a handler that puts off for ever": (
            lambda tx, message, _service: tx.after(inf, message),
            "a delay is a finite number of seconds",
        ),
        "a handler that puts off beyond every calendar": (
            lambda tx, message, _service: tx.after(AGES_S, message),
            "is beyond every calendar",
        ),
        "a handler that wants a page of nothing": (
            lambda tx, _message, _service: tx.page("SELECT 1 AS seq LIMIT ?", limit=0),
            "limit is 0: a page holds at least one row",
        ),
        "a handler that raises what cannot be told": (_raise, "Mute, whose text raised"),
    }
)
WRITE: Final = ("command", "event")


def _writing(parts: Parts) -> Sequence[str]:
    """Return the services that handle what changes something: those whom clients ask, if any."""
    writing = [
        name
        for name in parts.stored
        if any(spec.kind in WRITE for spec in parts.classes[name].handlers.values())
    ]
    asked = {row.address.endpoint.asked for row in parts.rows if row.address.endpoint.writes}
    return [name for name in writing if name in asked] or writing


def _never_deferring(parts: Parts) -> Sequence[str]:
    return [
        name
        for name in _writing(parts)
        if not any(spec.defers for spec in parts.classes[name].handlers.values())
    ]


def _slipping(
    parts: Parts, service: str, *, done: Callable[[Any, Any, str], Any], says: str
) -> Broken:
    def slip(tx: Any, message: Any, reply: Any) -> Any:
        done(tx, message, service)
        return reply

    return Broken(systems=lambda _: parts.systems, says=(says,), slip=Slip(service, slip, says))


def _putting_off(parts: Parts, service: str) -> Broken:
    def slip(_tx: Any, _message: Any, _reply: Any) -> Any:
        return Later(request="nobody", so_far=None)

    says = "is not typed to return Later"
    return Broken(systems=lambda _: parts.systems, says=(says,), slip=Slip(service, slip, says))


SLIPS: Final[Mapping[str, Mistake]] = MappingProxyType(
    {
        **{
            name: Mistake(places=_writing, make=partial(_slipping, done=done, says=says))
            for name, (done, says) in DONE.items()
        },
        "a handler that answers later without a word of it": Mistake(
            places=_never_deferring, make=_putting_off
        ),
    }
)
