"""A refusal that its sender does not listen to: its row says so, and it is a dead letter there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.kernel.messages import Refused

if TYPE_CHECKING:
    import sqlite3

# `Unheard[Brew]` is one that nobody wanted; what stands as `Refused[Brew]` was wanted, and waits.
_UNHEARD: Final = "Unheard["
_REFUSED: Final = f"{Refused.__name__}["

LISTENED: Final = "SELECT subscriber, event_type FROM subscription"


def unheard_name(refusal: str) -> str:
    """Return the name under which a refusal is stored that its receiver does not listen to."""
    return _UNHEARD + refusal.removeprefix(_REFUSED)


def unheard_refusal(name: str) -> str | None:
    """Return what a row of this name would be called had it been wanted; None if it was."""
    return _REFUSED + name.removeprefix(_UNHEARD) if name.startswith(_UNHEARD) else None


def heard(connection: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    """Return which services have ever listened to which events and refusals from this file."""
    return frozenset(map(tuple, connection.execute(LISTENED).fetchall()))


def was_wanted(receiver: str, message_type: str, listeners: frozenset[tuple[str, str]]) -> bool:
    """Whether the message is one that its receiver has ever had a handler for.

    Files of before have refusals that nobody listened to under the same name as others.
    """
    return not message_type.startswith(_REFUSED) or (receiver, message_type) in listeners
