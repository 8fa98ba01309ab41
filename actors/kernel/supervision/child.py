"""A child as its supervisor sees it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from actors.kernel.actor import AsyncioActor
    from actors.kernel.exit import Exit
    from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec


class Child:
    """A spec, its actor, and what the supervisor remembers of it over restarts."""

    __slots__ = (
        "actor", "below", "exit_", "failures", "restart_requested", "running", "spec",
        "starts_failed", "ticket", "timer", "up_s", "was_up",
    )  # fmt: skip

    def __init__(
        self, spec: ChildSpec | SupervisorSpec, actor: AsyncioActor, below: list[Child]
    ) -> None:
        """Not started yet; `below` are the children of a child that is a supervisor itself."""
        self.spec = spec
        self.actor = actor
        self.below = below
        # The exit that the supervisor has to decide on, until it has or the child runs again.
        self.exit_: Exit | None = None
        self.failures = 0
        # Starts that failed in a row, however long each took.
        self.starts_failed = 0
        # Whether it has been up since its supervisor began.
        self.was_up = False
        self.running = False
        self.restart_requested = False
        self.up_s = math.inf
        # A pending restart, and its number: a restart that was overtaken must not happen twice.
        self.timer: asyncio.TimerHandle | None = None
        self.ticket = 0

    def forget_restart(self) -> None:
        """Whatever restart was planned is not wanted any more."""
        self.ticket += 1
        self.exit_ = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def family(self) -> Iterator[Child]:
        """Return the child and all below it, children first: whom else its end leaves alone."""
        for child in self.below:
            yield from child.family()
        yield self


class Join(msgspec.Struct, frozen=True):
    """Have the child among the supervisor's own from now on, and start it."""

    child: Child


class Leave(msgspec.Struct, frozen=True):
    """Do not look after the child any more; whoever says so ends it."""

    child: Child
