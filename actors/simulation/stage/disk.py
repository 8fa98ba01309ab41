"""The disk of a simulated machine: how long its stores take, and whether there is room."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from actors.errors import StoreUnwritable
from actors.simulation.files.unsynced import Unsynced
from actors.simulation.stage.handler_faults import HandlerFaults, WishedLock
from actors.simulation.stage.kept_connections import KeptConnections

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.simulation.oracles.engine import Engine
    from actors.simulation.stage.trace import Trace

Phase = Literal["before", "after"]

# What a batch takes before and after its commit counts, in seconds: a hop to a thread, the
# statements; the sync and the hop back. A tenth of all take ten times as long, as real disks do.
COST_S_MAX: Final = 0.002
SLOW_CHANCE: Final = 0.1
SLOW_FACTOR: Final = 10.0

# A restart budget is five, and one of a group of services may be spent within that of all.
STARTS_MAX: Final = 50


class Disk:
    """What all stores of a machine share; faults change it while they run."""

    def __init__(self, trace: Trace) -> None:
        """Start with a fast disk that has room."""
        self.trace = trace
        self.connections = KeptConnections()
        self.unsynced = Unsynced()
        self.slower_s: dict[str, float] = {}
        # Whether the disk is full just now, of those where it may be.
        self.full: dict[str, Callable[[], bool]] = {}
        # Services whose next write finds no room.
        self.full_once: set[str] = set()
        # What its stores were asked, by service.Query, and how often.
        self.asked: Counter[str] = Counter()
        # Services whose file cannot be opened, and how often each was tried since one was parked.
        self.locked: dict[str, int] = {}
        # How often each service is killed while it starts, and who does it.
        self.kills_at_start: Counter[str] = Counter()
        self.kill: Callable[[str], None] | None = None
        # Set while the machine's process is dead: nobody writes any more.
        self.lost = False
        # Called at each crash point with (service, message type, phase): whether a kill is due.
        self.passes: Callable[[str, str, Phase], bool] | None = None
        # Who hears what handlers say and stores commit.
        self.engine: Engine | None = None
        # What is wrong with the handlers that work on it.
        self.handlers = HandlerFaults(trace)

    def is_full(self, service: str) -> bool:
        """Whether a write would find no room."""
        full = self.full.get(service)
        return full is not None and full()

    def is_short(self) -> bool:
        """Whether there is no room on the disk of any."""
        return any(self.is_full(service) for service in self.full)

    def refuse(self, service: str) -> StoreUnwritable | None:
        """Return what a write gets while the disk is full."""
        once = service in self.full_once
        self.full_once.discard(service)
        if once or self.is_full(service):
            if self.engine is not None:
                self.engine.disturbed()
            return StoreUnwritable(f"{service}.db: database or disk is full; free some disk space")
        return None

    def check_lock(self, service: str) -> None:
        """Raise what who opens a file gets while it cannot be opened."""
        if service not in self.locked:
            return
        self.locked[service] += 1
        if self.locked[service] == STARTS_MAX:
            text = f"{service} was started {STARTS_MAX} times in vain, and nothing was parked"
            self.handlers.troubles.append(text)
        self.trace.add("refuse", service, "its file cannot be opened")
        text = f"{service}.db: database is locked"
        raise WishedLock(text)

    def is_in_the_way(self, service: str) -> bool:
        """Whether the service may be down for want of room, or of a file that can be opened."""
        return service in self.full or service in self.full_once or service in self.locked

    def strikes_start(self, service: str) -> bool:
        """Return whether a service is killed that starts just now."""
        if self.kill is None or not self.kills_at_start[service]:
            return False
        self.kills_at_start[service] -= 1
        self.trace.add("fault", service, "killed while it starts")
        self.kill(service)
        return True

    def unlock(self, service: str) -> None:
        """Let its file be opened."""
        self.locked.pop(service, None)

    def parked(self, _service: str) -> None:
        """Hear that a restart budget is spent."""
        self.locked = dict.fromkeys(self.locked, 0)
