"""The disk of a simulated machine: how long its stores take, and whether there is room."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from actors.errors import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.simulation.check.commit_watch import CommitWatch
    from actors.simulation.stage.trace import Trace

Phase = Literal["before", "after"]

# What a batch takes before and after its commit counts, in seconds: a hop to a thread, the
# statements; the sync and the hop back. A tenth of all take ten times as long, as real disks do.
COST_S_MAX: Final = 0.002
SLOW_CHANCE: Final = 0.1
SLOW_FACTOR: Final = 10.0


class Disk:
    """What all stores of a machine share; faults change it while they run."""

    def __init__(self, trace: Trace) -> None:
        """Start with a fast disk that has room."""
        self.trace = trace
        self.slower_s: dict[str, float] = {}
        self.full: dict[str, bool] = {}
        # Services whose next write finds no room.
        self.full_once: set[str] = set()
        # What its stores were asked, by service.Query, and how often.
        self.asked: Counter[str] = Counter()
        # Set while the machine's process is dead: nobody writes any more.
        self.lost = False
        # Called at each crash point with (service, message type, phase): whether a kill is due.
        self.passes: Callable[[str, str, Phase], bool] | None = None
        # Who hears what handlers say and stores commit.
        self.commits: CommitWatch | None = None

    def refuse(self, service: str) -> StoreUnwritable | None:
        """Return what a write gets while the disk is full."""
        once = service in self.full_once
        self.full_once.discard(service)
        if once or self.full.get(service):
            return StoreUnwritable(f"{service}.db: database or disk is full; free some disk space")
        return None
