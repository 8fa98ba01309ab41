"""A mistake of an author's, as a value: where a system may have it, and the version that does."""

from __future__ import annotations

from collections.abc import Callable, Sequence  # noqa: TC003 - fields' types
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from actors.kernel.messages import Command
from actors.system import System  # noqa: TC001 - a field's type

if TYPE_CHECKING:
    from actors.simulation.deploys.parts import Parts


class Unheard(Command):
    """What no system has a handler for."""


class Slip(NamedTuple):
    """What each writing handler of the service makes of its reply, or raises instead.

    `make` is given its transaction, message and reply. `says` is how that is told.
    """

    service: str
    make: Callable[[Any, Any, Any], Any]
    says: str


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """The next version, with a mistake in it. `says` are words of what has to be said of it.

    `systems` returns its systems, or raises; it is given a folder, for files of its own. What
    its configuration sets is `settings`, None where none is read. What no look can see is told when
    a service is started: that of `parks`. And what only a handler shows is its `slip`.
    """

    systems: Callable[[Any], Sequence[System]]
    says: tuple[str, ...]
    settings: tuple[str, ...] | None = None
    parks: str | None = None
    slip: Slip | None = None


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """`places` returns where in a version it can be made; `make` makes it at one of them."""

    places: Callable[[Parts], Sequence[Any]]
    make: Callable[[Parts, Any], Broken]
