"""One simulated machine that runs a whole system: boots, crashes, boots again on its files."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from actors.app import App
from actors.errors import NoSuchActor
from actors.kernel import lifecycle
from actors.simulation.net.current_host import on_host
from actors.simulation.script.settings import set_anew
from actors.simulation.stage.author_line import short_place
from actors.simulation.stage.disk import Disk
from actors.simulation.stage.edge_host import ADMIN_TOKEN, EDGE_HOST
from actors.simulation.stage.effect_points import with_effect_points
from actors.simulation.stage.effect_watch import with_effect_watch
from actors.simulation.stage.final_state import NotedRng
from actors.simulation.stage.handler_faults import is_wished
from actors.simulation.stage.simulated_runner import runners_on
from actors.simulation.stage.simulated_store import stores_on
from http_edge.admin_token import FILE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.messages import Message
    from actors.kernel.rng import Rng
    from actors.kernel.stats import ActorStats
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.engine import Engine
    from actors.simulation.net.network import Network
    from actors.simulation.stage.scenario import Scenario
    from actors.simulation.stage.trace import Trace
    from actors.simulation.time.loop import SimulationLoop
    from actors.system import Ask, System

# How long a request to the outside world is on its way, in virtual seconds.
OUTSIDE_S_MAX: Final = 0.02


class Machine:
    """The process that `runtime.py` would be: real services, kernel, SQLite and edge.

    Its files outlive it in `folder`. `crashes` are those that nobody wished for.
    """

    def __init__(
        self,
        loop: SimulationLoop,
        network: Network,
        *,
        folder: Path,
        config: Config,
        systems: Sequence[System],
        scenario: Scenario,
        trace: Trace,
        rng: Rng,
    ) -> None:
        """It boots the `systems`, of whose rest the `scenario` knows more than we do."""
        # Who hears what becomes of it, where that is judged.
        self.engine: Engine | None = None
        self.disk = Disk(trace)
        self.up = False
        self.crashes: list[str] = []
        # Crash points at which the service is to be killed when it passes there next, or stopped
        # for some seconds, or at which its next write finds the disk full; how often each was
        # passed, and how often a kill struck there.
        self.traps: set[str] = set()
        self.stalls: dict[str, float] = {}
        self.refusals: set[str] = set()
        self.passed: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()
        self.disk.passes = self._passes
        self._loop = loop
        self._network = network
        self._folder = folder
        self.config = config
        self.configs = [config]
        scenario.configs = self.configs
        self._systems = systems
        self.scenario = scenario
        self._trace = trace
        self._rng = rng
        self._boots = 0
        self._app: App
        self.system: ServiceSystem
        (folder / FILE).write_text(ADMIN_TOKEN)
        (folder / FILE).chmod(0o600)
        for address, name in scenario.wires.items():
            network.names.wire(EDGE_HOST, address, name)

    def judged_by(self, engine: Engine) -> None:
        """Let it hear all that happens from now on."""
        self.engine = engine
        self.disk.engine = engine
        self._trace.on_fault = engine.disturbed

    async def boot(self) -> None:
        """Start the process; returns when it listens."""
        self._boots += 1
        self.disk.lost = False
        self.disk.handlers.rebooted()
        if self.engine is not None:
            self.engine.booted(self.config)
        with on_host(EDGE_HOST):
            self._app = self._build()
            self.system = self._app.tree
            await self._app.listen()
            await self._app.start()
        self.up = True
        self._trace.add("boot", EDGE_HOST, f"process {self._boots}")

    async def crash(self) -> None:
        """End the process at once: nothing is drained, nothing is said, nothing more commits."""
        with self._loop.undisturbed():
            await self._die()

    async def _die(self) -> None:
        self._trace.add("crash", EDGE_HOST, "kill -9")
        self.up = False
        self.disk.lost = True
        self._network.crash(EDGE_HOST)
        actors = self.system.registry.actors()
        for actor in actors:  # the root first: nobody restarts anybody
            actor.terminate()
        for actor in actors:
            await actor.settled()
        tasks = self._loop.tasks(EDGE_HOST)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.disk.connections.close()

    def reconfigure(self, setting: str) -> None:
        """Let the next process have another configuration: one `key=value` of it."""
        self.config = set_anew(self.config, setting)
        self.configs.append(self.config)

    async def stop(self) -> None:
        """End the process in order, as SIGTERM does."""
        self.up = False
        await self._app.drain()
        await self._app.stop()
        self.disk.connections.close()

    async def end(self) -> None:
        """Leave nothing running and nothing open, whatever has become of the run."""
        if self._boots and not self.disk.lost:
            await self.crash()

    def signal(self, what: str, service: str) -> None:
        """Kill, restart, suspend or resume a service, as an operator would."""
        if self.up:
            self._tell(what, service)
            getattr(self.system, what)(service)

    def has(self, service: str) -> bool:
        """Whether a service of that name runs."""
        try:
            return self.system.registry.actor(service).state == "running"
        except NoSuchActor:
            return False

    def suspended(self) -> list[str]:
        """Return the services that somebody has suspended: a client's resume may have got lost."""
        return [each.name for each in self.system.actors() if each.state == "suspended"]

    def disarm(self) -> None:
        """Take away every trap that has not sprung."""
        for traps in (self.traps, self.stalls, self.refusals):
            traps.clear()
        self.disk.handlers.clear()

    def generators(self) -> list[Rng]:
        """Return all by which it decides anything, but for the network's."""
        family = self._rng.family if isinstance(self._rng, NotedRng) else [self._rng]
        return [*family, self._loop.entropy]

    def now_us(self) -> int:
        """Return what its wall clock says: microseconds since the epoch."""
        return self._loop.clock.now_us()

    def actors(self) -> list[ActorStats]:
        """Return how all actors stand."""
        return self.system.actors()

    async def unwell(self) -> list[str]:
        """Return who does not run, and which messages wait, whatever the scenario says of it."""
        found = [
            f"{each.name} is {each.state}" for each in self.actors() if each.state != "running"
        ]
        return found + [
            f"{each.depth} messages from {each.sender} to {each.receiver} wait ({each.state})"
            for each in await self.system.channels()
            if each.depth
        ]

    async def busy(self) -> list[str]:
        """Return what is still under way; empty where the system is at rest."""
        found = [
            f"{each.name} is {each.state} with {each.mailbox_depth} messages"
            for each in self.system.actors()
            if each.state != "running" or each.mailbox_depth
        ]
        found += [
            f"{each.depth} messages from {each.sender} to {each.receiver} ({each.state})"
            for each in await self.system.channels()
            if each.depth
        ]
        found += [
            f"{each.service}: {each.due} timers due, {each.effects_running} effects"
            for each in await self.system.timers()
            if each.due or each.effects_running
        ]
        return found or await self.scenario.busy(self.system)

    async def next_timer_s(self) -> float | None:
        """Return how long until a timer or effect is due; None where there is none."""
        now_us = self._loop.clock.now_us()
        due_us = [
            max(each.next_due_us or now_us, now_us)
            for each in await self.system.timers()
            if each.pending
        ]
        return (min(due_us) - now_us) / 1_000_000 if due_us else None

    # --- Inside ------------------------------------------------------------------------------

    def _build(self) -> App:
        rng = self._rng.fork(f"process {self._boots}")
        distance = rng.fork("outside")

        def at_a_distance(ask: Ask) -> Ask:
            async def far(service: str, message: Message) -> Any:
                await asyncio.sleep(distance.uniform(0.0, OUTSIDE_S_MAX))
                return await ask(service, message)

            return far

        return App(
            self._systems,
            self.config,
            data_dir=self._folder,
            clock=self._loop.clock,
            rng=rng,
            store=stores_on(self.disk),
            runner=runners_on(self.disk),
            simulated=True,
            heard=self._note,
            ambient=contextvars.copy_context(),
            instrument=lambda name, service: with_effect_watch(
                name,
                with_effect_points(name, service, self._passes, self._asked, self.disk.handlers),
                self.engine,
            ),
            at_a_distance=at_a_distance,
        )

    def _passes(self, service: str, message_type: str, phase: str) -> bool:
        """Note that a crash point is passed; return whether the service is killed there."""
        point = f"{service}.{message_type}.{phase}"
        self.passed[point] += 1
        if not self.up:
            return False
        stall_s = self.stalls.pop(point, None)
        if stall_s is not None:
            self._trace.add("fault", service, f"stopped at {point}")
            self._tell("suspend", service)
            self.system.suspend(service)
            self._loop.call_later(stall_s, self.signal, "resume", service)
        if point in self.refusals:
            self.refusals.discard(point)
            self.disk.full_once.add(service)
        if point not in self.traps:
            return False
        self.traps.discard(point)
        self.hit[point] += 1
        self._trace.add("fault", service, f"killed at {point}")
        self.system.kill(service)
        return True

    def _tell(self, what: str, service: str) -> None:
        if self.engine is not None:
            self.engine.wanted(what, service)

    def _asked(self, service: str, message_type: str, message: Any) -> None:
        self._trace.add("effect", service, message_type, message)

    def _note(self, event: lifecycle.LifecycleEvent) -> None:
        name = type(event).__name__.lower()
        text = ""
        if self.engine is not None and not self.disk.lost:
            self.engine.happened(event)
        if isinstance(event, lifecycle.Crashed):
            text = event.error.replace(str(self._folder), "DATA")
            if not event.killed and self.up and not is_wished(event.error):
                self.crashes.append(f"{event.name}: {text}{_where(event)}")
        elif isinstance(event, lifecycle.DeadLettered):
            text = event.message_type
            self.disk.handlers.gave_up(event.name)
        elif isinstance(event, lifecycle.Parked):
            self.disk.parked(event.name)
        self._trace.add(name, event.name, text)


def _where(event: lifecycle.Crashed) -> str:
    """Return the author's line that raised, unless the error names one, as an Escape does."""
    return "" if event.at is None or ", at " in event.error else f", at {short_place(event.at)}"
