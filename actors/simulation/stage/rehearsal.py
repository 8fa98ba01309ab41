"""A system, ready to be played: what every run of it begins with, and what one came to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping  # noqa: TC003 - a field's type is looked at when it is made
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from actors.app import look_through
from actors.errors import declared, line_at
from actors.kernel.rng import Rng
from actors.service.stateless.replicas import actor_names
from actors.simulation.check.assertions import Assertions, asserting
from actors.simulation.deploys.mistakes import mistakes_in
from actors.simulation.deploys.version import Interpreted, Version
from actors.simulation.errors import Endless, NoScenario, NothingThere, SimulationError
from actors.simulation.net.network import Network
from actors.simulation.oracles.engine import Engine
from actors.simulation.oracles.past import Past
from actors.simulation.script.crash_points import CrashPoints, handlers_of, numbers_of_replicas
from actors.simulation.script.knobs import turned
from actors.simulation.script.profile import PROFILES
from actors.simulation.script.settings import setting_names
from actors.simulation.script.targets import PROCESS, Targets
from actors.simulation.script.workload import CLIENTS
from actors.simulation.sealed.escapes import forbid
from actors.simulation.stage.author_line import at_place, short_place
from actors.simulation.stage.director import links_of
from actors.simulation.stage.final_state import NotedRng, note_generators, note_tables, tables_in
from actors.simulation.stage.machine import Machine
from actors.simulation.stage.playwright import Playwright
from actors.simulation.stage.scenario import asserts, audit_of, scenario_of
from actors.simulation.stage.simulated_config import simulated
from actors.simulation.stage.staging import Given, Played, Staging, wrong_while_up
from actors.simulation.stage.trace import Trace, placeless
from actors.simulation.stage.watchdog import RUN_CPU_S_MAX, STILL_S_MAX, watchdog
from actors.simulation.time.collector import uncollected
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run
from actors.simulation.time.virtual_clock import START_US
from actors.system import played, services_of, unbooted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from actors.config import Config
    from actors.simulation.script.script import Script
    from actors.simulation.stage.onlooker import Onlooker
    from actors.simulation.time.order import Order
    from actors.simulation.time.virtual_clock import VirtualClock
    from actors.system import System

# Bytes that arrive are most of what happens, and tell the least.
QUIET_EVENTS: Final = frozenset({"arrive", "data", "eof", "open"})


class Rehearsal:
    """One system, ready to be played any number of times, each time on fresh files."""

    def __init__(
        self,
        system: System,
        config: Config,
        place: Path,
        *,
        profile: str = "kills",
        explicit: Mapping[str, Any] = MappingProxyType({}),
        clients: int = CLIENTS,
        cpu_s_max: float = RUN_CPU_S_MAX,
        still_s_max: float = STILL_S_MAX,
    ) -> None:
        """Furnish the files that every run of its scenario begins with, in a folder below `place`.

        `explicit` are the keys of the configuration, as a tree, that somebody has set: neither the
        scenario nor we change them.
        A run that takes more than `cpu_s_max` seconds of processor time is ended: a trouble, too;
        and so is one that takes none for twice `still_s_max` seconds.
        Raises SimulationError where the furnishing fails.
        """
        self._scenario = scenario = scenario_of(system)
        self._systems = tuple(played(each) for each in scenario().systems(system))
        audits = [audit_of(each) for each in self._systems if each.audit is not None]
        self.asserts = asserts(scenario(), audits)
        with declared(system.name, "scenario's configure"):
            self._config = simulated(config, scenario().configure, explicit)
        self._place = place
        self._cpu_s_max = cpu_s_max
        self._still_s_max = still_s_max
        self._template = place / "template"
        self._template.mkdir()
        self._runs = 0
        classes = look_through(self._systems, self._config, place)
        wiring = unbooted(self._systems, self._config, place)
        factories = services_of(self._systems, wiring)
        # The present one, and the one before where there is one.
        self._versions = (
            Version.of(self._systems, wiring),
            *self._versions_before(system, place),
        )
        points = CrashPoints.of(factories, seldom=scenario().seldom, unreached=scenario().unreached)
        self.points, self.queries = points.every, points.queries
        actors = tuple(actor_names(factories))
        handlers, effects = handlers_of(factories, unreached=scenario().unreached)
        self.targets = Targets(
            services=actors,
            replicas=numbers_of_replicas(factories, self._versions[0].groups.keys()),
            stores=tuple(classes.with_store()),
            links=links_of(clients, tuple(scenario().wires.values())),
            sayings=tuple(scenario().garblings),
            points=self.points,
            handlers=handlers,
            effects=effects,
            settings=setting_names(self._config, scenario().settings, explicit),
            mistakes=mistakes_in(self._versions[0].parts),
            versions=(PROCESS,) * (len(self._versions) - 1),
        )
        self.playwright = Playwright(
            scenario=scenario,
            profile=PROFILES[profile],
            points=points,
            targets=self.targets,
            clients=clients,
            explicit=explicit,
        )
        # What is wrong already when the files are furnished: so it is in every run.
        self._furnished_troubles: list[str] = []
        # When the files were left: no run begins before that.
        self._furnished_us = START_US
        scenario().prepare(self._template)
        # Files may be there that another version has left, with messages on their way.
        self._past = Past.of(self._template)
        try:
            self._on_machine(0, self._template, Trace(lambda: 0.0, keep=False), self._furnish)
        except NothingThere:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}{at_place(error)}"
            message = f"{system.name} cannot be furnished as it is configured: {what}"
            raise SimulationError(message) from error
        scenario().age(self._template)
        self._past = Past.of(self._template)
        self._given = Given(
            audits=audits,
            before=self._template,
            clients=clients,
            services=frozenset((*factories, *actors)),
            stores=self.targets.stores,
            troubles=self._furnished_troubles,
        )

    def script(self, seed: int) -> Script:
        """Draw what this seed plays. Raises SimulationError where no call can be chosen."""
        return self.playwright.script(seed)

    def play(
        self, script: Script, *, keep: bool = False, onlooker: Onlooker | None = None
    ) -> Played:
        """Run it on fresh files; with `keep` its trace is in the result.

        An `onlooker` hears of each line of the trace while it goes on.
        """
        self._runs += 1
        folder = self._place / f"run-{self._runs}"
        shutil.copytree(self._template, folder, copy_function=shutil.copy)
        try:
            with uncollected():
                return self._play(script, folder, keep=keep, onlooker=onlooker)
        finally:
            shutil.rmtree(folder)

    def move(self, name: str) -> None:
        """Play below a folder of that name from now on: another process plays where this one did.

        What the runs begin with stays where it is.
        """
        self._place = self._place / name
        self._place.mkdir()

    # --- Inside ------------------------------------------------------------------------------

    def _play(
        self, script: Script, folder: Path, *, keep: bool, onlooker: Onlooker | None
    ) -> Played:
        now: list[Callable[[], float]] = [lambda: 0.0]
        now_s = lambda: now[0]()  # noqa: E731, PLW0108 - it is replaced
        trace = Trace(now_s, keep=keep, listener=onlooker)
        limits = (script.knobs, script.order)
        trace.add("script", "", str(script.seed), (script.workload, script.schedule, *limits))
        staging = Staging(script, folder, trace, self._given, onlooker)
        assertions = Assertions(self._scenario().expected)
        endless = False
        try:
            config = turned(self._config, script.knobs)
            with asserting(assertions):
                self._on_machine(
                    script.seed,
                    folder,
                    trace,
                    staging.perform,
                    now,
                    config=config,
                    order=script.order,
                    start_us=self._start_us(script.seed),
                )
        except NoScenario:
            raise
        except SimulationError as error:
            endless = isinstance(error, Endless)
            said = placeless(str(error), folder)
            if not any(said in each for each in staging.troubles):  # by whom it crashed, too
                staging.troubles.append(said)
        except Exception as error:  # noqa: BLE001 - who chokes on what the system says has found it
            at = line_at(error)
            place = "" if at is None else f"{short_place(at)}: "
            staging.troubles.append(f"{place}{type(error).__name__}: {error}")
        staging.troubles += dict.fromkeys(assertions.broken)
        note_tables(trace, staging.tables or tables_in(folder))
        for trouble in staging.troubles:
            trace.add("trouble", "", trouble)
        return Played(
            script=script,
            troubles=tuple(staging.troubles),
            digest=trace.digest,
            lines=tuple(trace.lines),
            virtual_s=staging.virtual_s,
            applied=dict(staging.applied),
            passed=dict(staging.passed),
            hit=dict(staging.hit),
            operations=() if staging.history is None else staging.history.operations,
            asked=dict(staging.asked),
            calls=len(script.workload),
            requests=staging.requests,
            always=assertions.said,
            endless=endless,
            sometimes=assertions.sometimes,
            early=staging.early,
        )

    def _start_us(self, seed: int) -> int:
        # Not in turn: crash points take turns by seed, and each is to have every begin.
        begin_us = Rng(seed).fork("begin").choice(self._scenario().begins_us)
        return max(begin_us, self._furnished_us)

    def _on_machine(
        self,
        seed: int,
        folder: Path,
        trace: Trace,
        stage: Callable[[Machine, Network, SimulationLoop], Coroutine[Any, Any, None]],
        now: list[Callable[[], float]] | None = None,
        *,
        config: Config | None = None,
        order: Order | None = None,
        start_us: int = START_US,
    ) -> None:
        loop = SimulationLoop(seed=seed, order=order, start_us=start_us)
        if now is not None:
            now[0] = loop.time

        def record(event: str, /, **fields: str | int) -> None:
            if event not in QUIET_EVENTS:
                trace.add(event, "network", " ".join(f"{k}={v}" for k, v in fields.items()))

        network = Network(loop, seed=seed, record=record)
        scenario = self._scenario()
        rng = NotedRng.root(seed)
        with watchdog(self._cpu_s_max, self._still_s_max), forbid(loop, allowed=scenario.allowed):
            machine = Machine(
                loop,
                network,
                folder=folder,
                config=config or self._config,
                versions=self._versions,
                scenario=scenario,
                trace=trace,
                rng=rng.fork("machine"),
            )
            machine.judged_by(self._engine(loop.clock, machine.config))

            async def staged() -> None:
                try:
                    await stage(machine, network, loop)
                except BaseException:
                    # Nobody is left to start anything again, and no file stays open.
                    await machine.end()
                    raise

            run(staged(), loop=loop)
        note_generators(trace, (*rng.family, loop.entropy))

    def _versions_before(self, system: System, place: Path) -> Iterator[Version]:
        scenario = self._scenario()
        with declared(system.name, "scenario's earlier version"):
            earlier = scenario.earlier(system)
        if earlier is not None:
            systems = [played(each) for each in scenario.systems(earlier)]
            wiring = unbooted(systems, self._config, place)
            yield Version.of(systems, wiring)

    def _engine(self, clock: VirtualClock, config: Config) -> Engine:
        return Engine(
            config,
            clock,
            self._past,
            roomy=self._scenario().roomy and config == self._config,
        )

    async def _furnish(self, machine: Machine, network: Network, loop: SimulationLoop) -> None:
        # By who wrote the files that are there in earnest.
        machine.is_earlier = bool(self.targets.versions)
        await machine.boot()
        for address, name in self._scenario().wires.items():
            if not network.listens(name):
                message = f"the scenario's wires: nothing listens at {address}, called {name!r}"
                raise NothingThere(message)
        system: Any = machine.system
        if machine.is_earlier:
            system = Interpreted(system, machine.version)
        await self._scenario().furnish(system)
        await machine.stop()
        self._furnished_us = loop.clock.now_us()
        self._furnished_troubles = [f"furnishing: {each}" for each in wrong_while_up(machine, loop)]
