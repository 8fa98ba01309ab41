"""What a hosted service is made of, and what its incarnations have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.service.commits import Commits
from actors.service.deferred_callers import DeferredCallers
from actors.service.gate import Breakers
from actors.store.files.integrity import IntegrityCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from actors.config import Config
    from actors.faults.lab.seams import ServiceSeam
    from actors.kernel.clock import Clock
    from actors.kernel.deadlines import Deadlines
    from actors.kernel.rng import Rng
    from actors.measures.cache_counts import CacheCounts
    from actors.measures.histogram import Histogram
    from actors.resilience.background_gate import BackgroundGate
    from actors.service.directory import Directory
    from actors.service.dispatcher import Dispatcher
    from actors.service.effects import Effects
    from actors.service.service import Service
    from actors.store.store import Store
    from actors.tracing.tracing import Tracing


@dataclass(frozen=True, eq=False)
class Running:
    """What others may look at of an incarnation that is up."""

    store: Store
    dispatcher: Dispatcher
    effects: Effects


@dataclass(eq=False, kw_only=True)
class HostedService:
    """One service; `make_service` and `make_store` make a fresh one for every incarnation."""

    name: str
    make_service: Callable[[], Service]
    # Given who else hears of its commits, where somebody does; see StoreSpec.
    make_store: Callable[..., Store]
    # By each cached query's name.
    cache_counts: Mapping[str, CacheCounts]
    directory: Directory
    gate: BackgroundGate
    config: Config
    path: Path
    clock: Clock
    rng: Rng
    deadlines: Deadlines
    # How long each commit of its store took.
    commit_s: Histogram
    tracing: Tracing
    # Where faults get at its work, if any are on.
    seam: ServiceSeam

    breakers: Breakers = field(init=False)
    deferred: DeferredCallers = field(init=False)
    commits: Commits = field(init=False)
    check: IntegrityCheck = field(init=False)
    # The incarnation that is up, if one is.
    current: Running | None = None
    opened: bool = False
    # How often in a row it was opened again, as there was room, and could not be written still.
    reopened: int = 0
    # Whether the next open looks for damage before it serves: some was seen.
    suspicious: bool = False

    def __post_init__(self) -> None:
        """Make what outlives the incarnations."""
        self.breakers = Breakers(self.name, self.config, self.clock)
        self.deferred = DeferredCallers(self.clock, self.config.edge.admission.saga_s_max)
        self.commits = Commits(self.name)
        self.check = IntegrityCheck(self.path, self.clock)
