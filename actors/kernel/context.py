"""The collaborators that every actor of one system is handed."""

from __future__ import annotations

from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.kernel.deadlines import Deadlines

if TYPE_CHECKING:
    import asyncio

    from actors.kernel.clock import Clock
    from actors.kernel.dead_letters import DeadLetters
    from actors.kernel.lifecycle import Lifecycle
    from actors.kernel.rng import Rng


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelContext:
    """Made once, by the composition root; nothing in the kernel reaches for a global."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    rng: Rng
    lifecycle: Lifecycle
    dead_letters: DeadLetters
    # What actors run in: nothing of the request that happened to wake one may stick to its work.
    ambient: Context = field(default_factory=Context)
    deadlines: Deadlines = field(init=False)

    def __post_init__(self) -> None:
        """Make what belongs to the loop, and to nobody else."""
        deadlines = Deadlines(self.loop, self.clock, self.ambient)
        object.__setattr__(self, "deadlines", deadlines)
