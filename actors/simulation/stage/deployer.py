"""Tries to start next versions with a mistake, in the place of a process that has ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from actors.errors import SchemaError
from actors.simulation.deploys.broken_deploy import BrokenDeploy, contents
from actors.simulation.deploys.version import Version
from actors.simulation.stage.edge_host import EDGE_HOST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.kernel import lifecycle
    from actors.kernel.rng import Rng
    from actors.kernel.stats import ActorStats
    from actors.simulation.deploys.mistake import Slip
    from actors.simulation.stage.disk import Disk
    from actors.simulation.stage.trace import Trace

# How long a version with a mistake serves as far as it can, in virtual seconds: whom nobody has
# answered asks again meanwhile.
SERVES_S: Final = 3.0
# How a file is refused that another version has left.
REFUSED: Final = f"{SchemaError.__name__}: "


class Startable(Protocol):
    """What starts whatever version is at hand."""

    config: Config
    folder: Path
    disk: Disk

    @property
    def version(self) -> Version:
        """What it runs, or will when it is started."""
        ...

    async def boot(self) -> None:
        """Start it."""

    async def crash(self) -> None:
        """End it at once."""

    def actors(self) -> Sequence[ActorStats]:
        """Return how all stand."""
        ...


class Deployer:
    """Starts them on a machine; `troubles` is what was wrong with how they were told."""

    def __init__(self, machine: Startable, trace: Trace) -> None:
        """None runs."""
        self._machine = machine
        self._trace = trace
        # What runs now, and which service is down there, if any is.
        self.version: Version | None = None
        self.parks: str | None = None
        self.troubles: list[str] = []

    async def deploy(self, mistake: str, rng: Rng) -> None:
        """Try the next version, which has this mistake: that is told, and nothing is lost.

        What only a service's own file can tell parks that service, and what only its handlers can
        tell crashes them; the rest serves for a while.
        """
        machine = self._machine
        deploy = BrokenDeploy(mistake, machine.version.parts, machine.config, machine.folder, rng)
        try:
            deploy.look()
            told = "refused" if deploy.slip is None else f"runs in {deploy.slip.service}"
            self._trace.add("deploy", EDGE_HOST, f"{mistake}: {deploy.parks or told}")
            if deploy.parks is not None:
                await self._serve_without(deploy, deploy.parks)
            elif deploy.slip is not None:
                await self._serve_slipping(deploy.slip)
        finally:
            deploy.clear()
        self.troubles += deploy.troubles

    def is_refused(self, event: lifecycle.Crashed) -> bool:
        """Whether it is down for its file, or for who stands with it and is."""
        if self.version is None or self.parks is None or REFUSED not in event.error:
            return False
        return event.name in {self.parks, self.version.groups.get(self.parks)}

    async def _serve_without(self, deploy: BrokenDeploy, parks: str) -> None:
        machine = self._machine
        before = contents(machine.folder, parks)
        self.version, self.parks = Version.of(deploy.systems, deploy.wiring), parks
        try:
            await machine.boot()
            await asyncio.sleep(SERVES_S)
            (actor,) = [each for each in machine.actors() if each.name == parks]
            if actor.state == "running":
                deploy.serves()
            elif actor.state == "parked" and not machine.disk.is_in_the_way(parks):
                deploy.told(str(actor.last_error))
            if contents(machine.folder, parks) != before:
                deploy.changed()
            await machine.crash()
        finally:
            self.version = self.parks = None

    async def _serve_slipping(self, slip: Slip) -> None:
        """What it crashes is tried again by the next one, or was given up and is replayed."""
        machine = self._machine
        machine.disk.handlers.slips[slip.service] = slip
        try:
            await machine.boot()
            await asyncio.sleep(SERVES_S)
            await machine.crash()
        finally:
            machine.disk.handlers.slips.clear()
