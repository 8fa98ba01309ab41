"""The smallest actor there is, and what it needs around it."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.kernel.behavior import Behavior
from actors.kernel.clock import SystemClock
from actors.kernel.context import KernelContext
from actors.kernel.dead_letters import DeadLetters
from actors.kernel.lifecycle import Lifecycle
from actors.kernel.rng import Rng

DEAD_LETTERS_MAX = 100


class Echo(Behavior):
    """Answers with the message itself."""

    def on_receive(self, message: Any) -> Any:
        return message


def make_context() -> KernelContext:
    """Make an actor's collaborators on the running loop; nobody listens to the lifecycle."""
    clock = SystemClock()
    events = Lifecycle()
    return KernelContext(
        loop=asyncio.get_running_loop(),
        clock=clock,
        rng=Rng(1),
        lifecycle=events,
        dead_letters=DeadLetters(capacity=DEAD_LETTERS_MAX, clock=clock, events=events),
    )
