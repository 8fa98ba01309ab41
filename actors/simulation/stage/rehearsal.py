"""Plays a system through one workload and one schedule of faults, and says whether all held."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping  # noqa: TC003 - a field's type is looked at when it is made
from contextlib import contextmanager
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.app import look_through
from actors.errors import declared, line_at
from actors.kernel.rng import Rng
from actors.service.common_invariants import all_at_rest
from actors.service.stateless.replicas import actor_names
from actors.simulation.check.assertions import Assertions, asserting
from actors.simulation.check.history import History
from actors.simulation.errors import Endless, NoSuchService, NothingThere, SimulationError
from actors.simulation.net.current_host import on_host
from actors.simulation.net.network import Network
from actors.simulation.oracles.engine import Engine
from actors.simulation.oracles.past import Past
from actors.simulation.script.chooser import SeededChooser
from actors.simulation.script.knobs import Knob, choose_knobs, is_set, turned
from actors.simulation.script.profile import (
    PROFILES,
    assemble,
    begun_earlier,
    choose_order,
    choose_slot,
    draw_schedule,
)
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.settings import setting_names
from actors.simulation.script.targets import PROCESS, Targets
from actors.simulation.script.workload import (
    CLIENTS,
    choose_request,
    draw_workload,
    present,
)
from actors.simulation.sealed.escapes import forbid
from actors.simulation.stage.author_line import short_place
from actors.simulation.stage.client import Client
from actors.simulation.stage.crash_points import CrashPoints, handlers_of
from actors.simulation.stage.director import Director, links_of
from actors.simulation.stage.edge_host import EDGE_HOST
from actors.simulation.stage.final_state import NotedRng, note_generators, note_tables
from actors.simulation.stage.machine import Machine
from actors.simulation.stage.mishaps import have_mishap
from actors.simulation.stage.onlooker import Scene
from actors.simulation.stage.rest import come_to_rest, get_well
from actors.simulation.stage.scenario import asserts, audit_of, scenario_of
from actors.simulation.stage.simulated_config import simulated
from actors.simulation.stage.trace import Line, Trace
from actors.simulation.stage.version import Interpreted, Version
from actors.simulation.stage.watchdog import RUN_CPU_S_MAX, STILL_S_MAX, watchdog
from actors.simulation.time.collector import uncollected
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.order import Order
from actors.simulation.time.run import run
from actors.system import services_of, unbooted

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from actors.config import Config
    from actors.simulation.check.history import Operation
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.onlooker import Onlooker
    from actors.simulation.stage.scenario import Scenario
    from actors.simulation.time.virtual_clock import VirtualClock
    from actors.system import System

# Requests of a run: enough to get in each other's way, few enough for sixteen runs a second.
REQUESTS_MAX: Final = 10
# After one in so many requests its client asks something oddly as well.
ODD_ONE_IN: Final = 3
# Longer than any ask may take, in virtual seconds.
LINGER_S: Final = 15.0
# One in sixteen seeds has no fault whatever the profile, so that the good case is judged, too. They
# lie evenly, but at no fixed distance, as crash points take turns by seed: Fibonacci hashing, D. E.
# Knuth, "The Art of Computer Programming", volume 3, 6.4. By the offset 10 is the first.
CALM_FACTOR: Final = 40_503
CALM_OFFSET: Final = 57_344
HASHES: Final = 1 << 16
CALM_HASHES: Final = HASHES // 16
# Of order and delays, for who chooses: any number that is no larger is as good.
SEEDS: Final = 1 << 16
# Bytes that arrive are most of what happens, and tell the least.
QUIET_EVENTS: Final = frozenset({"arrive", "data", "eof", "open"})


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a run: a seed of chance, the requests, the faults, the limits, the order."""

    seed: int
    workload: Any
    schedule: Schedule
    knobs: tuple[Knob, ...] = ()
    order: Order = Order()


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a script. `troubles` is empty where all held.

    `applied` counts faults, `passed` crash points (service.Message.phase) that were passed and
    `hit` those at which a kill struck; `virtual_s` is how long it lasted, in virtual seconds.
    `asked` counts what stores were asked, by service.Query; `calls` is how many calls there were to
    perform, `requests` how many requests came of them, `always` how often that was said.
    `lines` are the trace, where it was to be kept; `operations` are what the clients did; `endless`
    is whether it took too long to wait for its end. `sometimes` says of each such case whether it
    has come. `early` counts how often something came in before asyncio would have had it.
    """

    script: Script
    troubles: tuple[str, ...]
    digest: str
    lines: tuple[Line, ...]
    virtual_s: float
    applied: dict[str, int]
    passed: dict[str, int]
    hit: dict[str, int]
    operations: tuple[Operation, ...] = ()
    asked: dict[str, int] = {}
    calls: int = 0
    requests: int = 0
    always: int = 0
    endless: bool = False
    sometimes: dict[str, bool] = {}
    early: int = 0


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
        self._systems = tuple(scenario().systems(system))
        self._audits = [audit_of(each) for each in self._systems if each.audit is not None]
        self._explicit = explicit
        self.asserts = asserts(scenario(), self._audits)
        self._config = simulated(config, scenario().configure, explicit)
        self._place = place
        self._clients = clients
        self._cpu_s_max = cpu_s_max
        self._still_s_max = still_s_max
        self._profile = PROFILES[profile]
        self._template = place / "template"
        self._template.mkdir()
        self._runs = 0
        self._requests = 0
        factories = services_of(self._systems, unbooted(self._systems, self._config, place))
        # The present one, and the one before where there is one.
        self._versions = (
            Version.of(self._systems, factories),
            *self._versions_before(system, place),
        )
        # What was wrong already when the files were furnished: so it is in every run.
        self._furnished_troubles: list[str] = []
        self._points = CrashPoints.of(
            factories, seldom=scenario().seldom, unreached=scenario().unreached
        )
        self.queries = self._points.queries
        actors = tuple(actor_names(factories))
        self._services = frozenset((*factories, *actors))
        self.points = self._points.every
        handlers, effects = handlers_of(factories, unreached=scenario().unreached)
        self.targets = Targets(
            services=actors,
            stores=tuple(look_through(self._systems, self._config, place).with_store()),
            links=links_of(clients, tuple(scenario().wires.values())),
            points=self.points,
            handlers=handlers,
            effects=effects,
            settings=setting_names(self._config, scenario().settings, explicit),
            versions=(PROCESS,) * (len(self._versions) - 1),
        )
        scenario().prepare(self._template)
        # Files may be there that another version has left, with messages on their way.
        self._past = Past.of(self._template)
        try:
            self._on_machine(0, self._template, Trace(lambda: 0.0, keep=False), self._furnish)
        except NothingThere:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            message = f"{system.name} cannot be furnished as it is configured: {what}"
            raise SimulationError(message) from error
        scenario().age(self._template)
        self._past = Past.of(self._template)

    def script(self, seed: int) -> Script:
        """Draw what this seed plays. Raises SimulationError where no call can be chosen."""
        rng = Rng(seed)
        scenario = self._scenario()
        with _choosing(f"seed {seed}: "), forbid(allowed=scenario.allowed):
            workload = draw_workload(
                rng.fork("workload"),
                scenario.choose_call,
                clients=self._clients,
                requests_max=REQUESTS_MAX,
            )
        profile = self._profile
        if _is_calm(seed):
            return Script(seed=seed, workload=workload, schedule=Schedule())
        traps = self._points.traps(seed, count=profile.traps, count_seldom=profile.traps_seldom)
        drawn = draw_schedule(rng.fork("schedule"), profile, self.targets)
        schedule = Schedule((*traps, *drawn.steps))
        if self.targets.versions and profile.weights.get("previous_version"):
            due_us = list(accumulate(each.gap_us for each in workload))
            schedule = begun_earlier(SeededChooser(rng.fork("version")), schedule, due_us)
        chosen = choose_knobs(SeededChooser(rng.fork("knobs"))) if profile.knobs else ()
        knobs = tuple(each for each in chosen if not is_set(self._explicit, each.key))
        order = choose_order(SeededChooser(rng.fork("order")))
        return Script(seed=seed, workload=workload, schedule=schedule, knobs=knobs, order=order)

    def choose_call(self, choose: Chooser) -> Any:
        """Choose what one client does, as the scenario has it. Raises SimulationError."""
        scenario = self._scenario()
        with _choosing(), forbid(allowed=scenario.allowed):
            return scenario.choose_call(choose)

    def choose_script(self, choose: Chooser) -> Script:
        """Choose what `script` draws from a seed; 0 throughout is nobody who asks, and no fault."""
        scenario, profile = self._scenario(), self._profile
        seed = choose(SEEDS)
        with forbid(allowed=scenario.allowed):
            requests = [
                choose_request(choose, scenario.choose_call, self._clients)
                for _ in range(REQUESTS_MAX)
            ]
        turn = choose(1 + len(self.points))
        traps = self._points.traps(turn - 1, count=profile.traps, count_seldom=profile.traps_seldom)
        slots = [choose_slot(choose, profile, self.targets) for _ in range(profile.slots)]
        steps = (*(traps if turn else ()), *assemble(slots).steps)
        order = choose_order(choose)
        return Script(seed=seed, workload=present(requests), schedule=Schedule(steps), order=order)

    def play(
        self, script: Script, *, keep: bool = False, onlooker: Onlooker | None = None
    ) -> Played:
        """Run it on fresh files; with `keep` its trace is in the result.

        An `onlooker` hears of each line of the trace while it goes on.
        """
        self._runs += 1
        self._requests = 0
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
        trace: Trace
        troubles: list[str] = []
        counts: list[Counter[str]] = []
        asked: list[Counter[str]] = []
        elapsed: list[float] = []
        early: list[int] = []
        history: list[History] = []

        async def stage(machine: Machine, network: Network, loop: SimulationLoop) -> None:
            director = Director(machine, network, loop, trace)
            counts.extend((director.applied, machine.passed, machine.hit))
            asked.append(machine.disk.asked)
            history.append(History(loop.clock))
            if onlooker is not None:
                onlooker.scene = Scene(folder, machine, director, history[0], trace)
            try:
                troubles.extend(
                    await self._act(script, machine, director, loop, folder, trace, history[0])
                )
            except BaseException:
                # What had no end often has its reason among what was found by then.
                if machine.engine is not None:
                    troubles.extend(machine.engine.troubles)
                # Nobody is left to start anything again, and no file stays open.
                await machine.end()
                raise
            finally:
                elapsed.append(loop.time())
                early.append(loop.early)

        now: list[Callable[[], float]] = [lambda: 0.0]
        endless = False
        assertions = Assertions(self._scenario().expected)
        now_s = lambda: now[0]()  # noqa: E731, PLW0108 - it is replaced
        trace = Trace(now_s, keep=keep, listener=onlooker)
        limits = (script.knobs, script.order)
        trace.add("script", "", str(script.seed), (script.workload, script.schedule, *limits))
        try:
            config = turned(self._config, script.knobs)
            with asserting(assertions):
                self._on_machine(
                    script.seed, folder, trace, stage, now, config=config, order=script.order
                )
        except NoSuchService:
            raise
        except SimulationError as error:
            endless = isinstance(error, Endless)
            troubles.append(str(error).replace(str(folder), "DATA"))
        except Exception as error:  # noqa: BLE001 - who chokes on what the system says has found it
            at = line_at(error)
            place = "" if at is None else f"{short_place(at)}: "
            troubles.append(f"{place}{type(error).__name__}: {error}")
        troubles += dict.fromkeys(assertions.broken)
        note_tables(trace, folder)
        for trouble in troubles:
            trace.add("trouble", "", trouble)
        applied, passed, hit = [dict(each) for each in counts] or [{}, {}, {}]
        return Played(
            script=script,
            troubles=tuple(troubles),
            digest=trace.digest,
            lines=tuple(trace.lines),
            virtual_s=sum(elapsed),
            applied=applied,
            passed=passed,
            hit=hit,
            operations=history[0].operations if history else (),
            asked=dict(asked[0]) if asked else {},
            calls=len(script.workload),
            requests=self._requests,
            always=assertions.said,
            endless=endless,
            sometimes=assertions.sometimes,
            early=sum(early),
        )

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
    ) -> None:
        loop = SimulationLoop(seed=seed, order=order)
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
            run(stage(machine, network, loop), loop=loop)
        note_generators(trace, (*rng.family, loop.entropy))

    def _versions_before(self, system: System, place: Path) -> Iterator[Version]:
        scenario = self._scenario()
        with declared(system.name, "scenario's earlier version"):
            earlier = scenario.earlier(system)
        if earlier is not None:
            systems = scenario.systems(earlier)
            wiring = unbooted(systems, self._config, place)
            yield Version.of(systems, services_of(systems, wiring))

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
        self._furnished_troubles = [f"furnishing: {each}" for each in _heard(machine, loop)]

    async def _act(
        self,
        script: Script,
        machine: Machine,
        director: Director,
        loop: SimulationLoop,
        folder: Path,
        trace: Trace,
        history: History,
    ) -> list[str]:
        scenario = machine.scenario
        engine = machine.engine
        assert engine is not None, "a run is judged"
        scenario.is_calm = not script.schedule.steps
        scenario.configs = machine.configs
        scenario.was_disturbed = engine.calm.was_disturbed
        machine.is_earlier = script.schedule.begins_with("previous_version")
        await machine.boot()
        await _together(
            director.play(script.schedule),
            *[
                self._client(number, script, scenario, history, machine, trace)
                for number in range(self._clients)
            ],
        )
        await director.mend(script.schedule)
        engine.unwell(await get_well(machine))
        await director.tidy_up()
        busy = await come_to_rest(machine, scenario)
        troubles = [*self._furnished_troubles]
        troubles += [f"it does not come to rest: {each}" for each in busy]
        engine.rested(machine.actors())
        await _linger(engine, loop)
        machine.disarm()  # the last commit leaves no message behind, unless it finds no room
        await machine.stop()
        with all_at_rest():
            engine.stopped(folder)
            scenario.let_go = tuple(engine.let_go)
            troubles += _heard(machine, loop)
            for audit in self._audits:
                troubles += audit(folder, machine.config, loop.clock.now_us())
            troubles += scenario.violations(folder, machine.config, loop.clock, history)
        if not troubles:
            troubles = await have_mishap(
                script.seed,
                machine,
                loop,
                folder,
                before=self._template,
                stores=self.targets.stores,
            )
        for operation in history.operations:
            trace.add("operation", operation.process, str(operation))
        # Once each: what crashes one message crashes it again at every attempt.
        return list(dict.fromkeys([each.replace(str(folder), "DATA") for each in troubles]))

    async def _client(
        self, number: int, script: Script, scenario: Scenario, history: History,
        machine: Machine, trace: Trace,
    ) -> None:  # fmt: skip
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        due_s = 0.0
        name, port = f"client-{number}", machine.config.edge.gateway.port
        rng = Rng(f"{script.seed} {name}")
        with on_host(name):
            async with Client(name, machine, port, trace, self._services, machine.engine) as client:
                for index, request in enumerate(script.workload):
                    due_s += request.gap_us / 1_000_000
                    if request.client == number:
                        await asyncio.sleep(max(0.0, begun_s + due_s - loop.time()))
                        await scenario.perform(client, index, request.call, history)
                        if rng.randrange(ODD_ONE_IN) == 0:
                            await client.ask_oddly(rng)
                self._requests += client.requests


def _heard(machine: Machine, loop: SimulationLoop) -> Iterator[str]:
    """Yield what was wrong while the machine was up, whatever its files say."""
    if machine.engine is not None:
        yield from machine.engine.troubles
    yield from [f"crashed by itself: {each}" for each in machine.crashes]
    yield from machine.disk.handlers.troubles
    yield from [f"unhandled: {each.get('message')}" for each in loop.unhandled]


def _is_calm(seed: int) -> bool:
    return (seed * CALM_FACTOR + CALM_OFFSET) % HASHES < CALM_HASHES


async def _linger(engine: Engine, loop: SimulationLoop) -> None:
    """Tell of who waits, and what runs, at rest, and does so still a while later.

    At any one moment something may be under way that a service does now and then.
    """
    waiting, tasks = dict(engine.waiting), loop.tasks(EDGE_HOST)
    if waiting or tasks:
        await asyncio.sleep(LINGER_S)
        left = [what for number, what in waiting.items() if number in engine.waiting]
        engine.lingered(left, [each for each in tasks if not each.done()])


@contextmanager
def _choosing(when: str = "") -> Iterator[None]:
    """Say who could not choose a call: a scenario's author, at which line."""
    try:
        yield
    except SimulationError:
        raise
    except Exception as error:
        at = line_at(error)
        place = "" if at is None else f", at {short_place(at)}"
        message = f"{when}choose_call{place}: {type(error).__name__}: {error}"
        raise SimulationError(message) from error


async def _together(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run them to their ends; where one fails, the others end with it."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
