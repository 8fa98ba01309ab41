"""What a simulation plays: a system, what its clients ask for, and what must hold in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.choice import Choose
    from actors.simulation.client import Client
    from actors.simulation.history import History
    from actors.simulation.machine import Ask


class Scenario(Protocol):
    """One system under simulation; made afresh for each run.

    A call is a plain value or a frozen struct that says what one client does next; it decides
    nothing itself, so that a shrunk workload still means what it meant.
    """

    # Of what type all calls are: what a recorded workload is read back with.
    call_type: Any = Any
    # Virtual seconds after the last request in which everything must have come to rest.
    rest_s: float = 60.0

    def services(self, config: Config, ask: Ask) -> Mapping[str, Any]:
        """Return a factory for each service."""
        ...

    async def furnish(self, system: ServiceSystem) -> None:
        """Put in what all runs begin with, if anything; once, and the same every time."""

    def choose_call(self, choose: Choose) -> Any:
        """Choose what a client does; 0 is always the simplest."""
        ...

    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Do it. `number` is the request's own, for its key and its ids."""
        ...

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Return a sentence for everything that is wrong with the files and the history."""
        ...
