"""What happens in one run, from the boot until all is looked at, and what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from inspect import isawaitable
from pathlib import Path  # noqa: TC003 - a field's type
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.kernel.rng import Rng
from actors.service.common_invariants import all_at_rest
from actors.simulation.check.history import History, Operation
from actors.simulation.errors import NoScenario
from actors.simulation.net.current_host import on_host
from actors.simulation.script.script import Script  # noqa: TC001 - a field's type
from actors.simulation.stage.client import Client
from actors.simulation.stage.director import Director
from actors.simulation.stage.edge_host import EDGE_HOST
from actors.simulation.stage.final_state import tables_in
from actors.simulation.stage.mishaps import ask_as_operator, have_mishap, wrong_when_restored
from actors.simulation.stage.onlooker import Scene
from actors.simulation.stage.rest import come_to_rest, get_well
from actors.simulation.stage.trace import placeless
from actors.system import Audit  # noqa: TC001 - a field's type

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from actors.simulation.net.network import Network
    from actors.simulation.oracles.engine import Engine
    from actors.simulation.stage.machine import Machine
    from actors.simulation.stage.onlooker import Onlooker
    from actors.simulation.stage.scenario import Scenario
    from actors.simulation.stage.trace import Line, Trace
    from actors.simulation.time.loop import SimulationLoop

# After one in so many requests its client asks something oddly as well.
ODD_ONE_IN: Final = 3
# In one of so many runs somebody looks at `/metrics`, once amid its requests and once at rest: each
# look takes as long as some forty requests.
SCRAPED_ONE_IN: Final = 4
# Who comes when all is at rest.
VISITOR: Final = "visitor"
# Of a crowd so many ask at once, so often: several times what the smallest bounds let in.
CROWD: Final = 12
CROWD_ROUNDS: Final = 4
# Longer than any ask may take, in virtual seconds.
LINGER_S: Final = 15.0


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


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What all runs of one rehearsal have.

    `before` is the folder that each begins with a copy of, `troubles` what was wrong already when
    it was furnished; `stores` are the services that keep a file, `services` all that can be told.
    """

    audits: Sequence[Audit]
    before: Path
    clients: int
    services: frozenset[str]
    stores: Sequence[str]
    troubles: Sequence[str]


class Staging:
    """One run of a script, on a machine of its own, with what is to be noted of it.

    `troubles` are what was wrong: also of a run that was ended in the middle. `tables` are what it
    has left in the files, once it has come to its end.
    """

    def __init__(
        self,
        script: Script,
        folder: Path,
        trace: Trace,
        given: Given,
        onlooker: Onlooker | None = None,
    ) -> None:
        """Nothing has happened yet. An `onlooker` is given the scene, once it stands."""
        self._script = script
        self._folder = folder
        self._trace = trace
        self._given = given
        self._onlooker = onlooker
        self.troubles: list[str] = []
        self.applied: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.history: History | None = None
        self.requests = 0
        self.virtual_s = 0.0
        self.early = 0
        self.tables: list[tuple[str, str, Any]] = []
        self._crowds = 0
        # Behind which request somebody looks at `/metrics`; None where nobody does.
        rng = Rng(f"{script.seed} metrics")
        looks = rng.randrange(SCRAPED_ONE_IN) == 0
        self._scraped_after = rng.randrange(max(1, len(script.workload))) if looks else None

    async def perform(self, machine: Machine, network: Network, loop: SimulationLoop) -> None:
        """Do all of it; nothing is left running and no file open, unless it raises."""
        director = Director(machine, network, loop, self._trace)
        self.applied, self.asked = director.applied, machine.disk.asked
        self.passed, self.hit = machine.passed, machine.hit
        self.history = history = History(loop.clock)
        if self._onlooker is not None:
            self._onlooker.scene = Scene(self._folder, machine, director, history, self._trace)
        try:
            self.troubles += await self._act(machine, director, loop, history)
        except BaseException:
            # What had no end often has its reason among what was found by then.
            if machine.engine is not None:
                self.troubles += machine.engine.troubles
            raise
        finally:
            machine.backups.clear()
            self.virtual_s = loop.time()
            self.early = loop.early

    # --- Inside ------------------------------------------------------------------------------

    async def _act(
        self, machine: Machine, director: Director, loop: SimulationLoop, history: History
    ) -> list[str]:
        script, folder, given, scenario = self._script, self._folder, self._given, machine.scenario
        engine = machine.engine
        assert engine is not None, "a run is judged"
        scenario.begun_us = loop.clock.now_us()
        scenario.is_calm = not script.schedule.steps
        scenario.configs = machine.configs
        scenario.was_disturbed = engine.calm.was_disturbed
        machine.operator = partial(ask_as_operator, machine, loop)
        machine.crowd = partial(self._come, machine, engine)
        machine.is_earlier = script.schedule.begins_with("previous_version")
        await machine.boot()
        await _together(
            director.play(script.schedule),
            *[self._client(number, scenario, history, machine) for number in range(given.clients)],
        )
        await director.mend(script.schedule)
        engine.unwell(await get_well(machine))
        await director.tidy_up()
        busy = await come_to_rest(machine, scenario)
        troubles = [*given.troubles]
        troubles += [f"it does not come to rest: {each}" for each in busy]
        await self._visit(machine, engine)
        engine.rested(machine.actors())
        await _linger(engine, loop)
        machine.disarm()  # the last commit leaves no message behind, unless it finds no room
        await machine.stop()
        with all_at_rest():
            engine.stopped(folder)
            scenario.let_go = tuple(engine.let_go)
            troubles += wrong_while_up(machine, loop)
            for audit in given.audits:
                found = audit(folder, machine.config, loop.clock.now_us())
                troubles += _sentences(getattr(audit, "__name__", str(audit)), found)
            found = scenario.violations(folder, machine.config, loop.clock, history)
            troubles += _sentences(f"{type(scenario).__name__}.violations", found)
            self.tables = tables_in(folder)
        if not troubles and machine.backups:
            troubles = await wrong_when_restored(machine, loop, given.audits)
        if not troubles:
            troubles = await have_mishap(
                script.seed,
                machine,
                loop,
                folder,
                self._trace,
                before=given.before,
                stores=given.stores,
            )
        for operation in history.operations:
            self._trace.add("operation", operation.process, str(operation))
        # Once each: what crashes one message crashes it again at every attempt.
        return list(dict.fromkeys([placeless(each, folder) for each in troubles]))

    async def _visit(self, machine: Machine, engine: Engine) -> None:
        """Ask for as much of each kind as may be in progress: nobody keeps a place; then more.

        And look at what was counted.
        """
        admissions, port = engine.admissions, machine.config.edge.gateway.port
        samples = tuple(admissions.samples.values()) if admissions.watches else ()
        if not samples and self._scraped_after is None:
            return
        with on_host(VISITOR):
            async with Client(
                VISITOR, machine, port, self._trace, self._given.services, engine
            ) as client:
                for count in (admissions.most, admissions.most + 1):
                    for sample in samples:
                        await client.ask_at_once(sample, count)
                if self._scraped_after is not None:
                    await client.scrape(at_rest=True)

    async def _come(self, machine: Machine, engine: Engine, seconds: float) -> None:
        """Have many clients ask at once for what was read so far, in rounds within that time."""
        self._crowds += 1
        name, port = f"crowd-{self._crowds}", machine.config.edge.gateway.port
        with on_host(name):
            async with Client(
                name, machine, port, self._trace, self._given.services, engine
            ) as client:
                for number in range(CROWD_ROUNDS):
                    reads = tuple(engine.admissions.reads.values())
                    if reads:
                        await client.ask_at_once(reads[number % len(reads)], CROWD)
                    await asyncio.sleep(seconds / CROWD_ROUNDS)

    async def _client(
        self, number: int, scenario: Scenario, history: History, machine: Machine
    ) -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        due_s = 0.0
        name, port = f"client-{number}", machine.config.edge.gateway.port
        rng = Rng(f"{self._script.seed} {name}")
        with on_host(name):
            async with Client(
                name, machine, port, self._trace, self._given.services, machine.engine
            ) as client:
                for index, request in enumerate(self._script.workload):
                    due_s += request.gap_us / 1_000_000
                    if request.client == number:
                        await asyncio.sleep(max(0.0, begun_s + due_s - loop.time()))
                        performed: object = scenario.perform(client, index, request.call, history)
                        if not isawaitable(performed):
                            what = f"{type(scenario).__name__}.perform"
                            message = f"{what} is no `async def`: it returned {performed!r}"
                            raise NoScenario(message)
                        await performed
                        if index == self._scraped_after:
                            await client.scrape()
                        if rng.randrange(ODD_ONE_IN) == 0:
                            await client.ask_oddly(rng)
                self.requests += client.requests


def wrong_while_up(machine: Machine, loop: SimulationLoop) -> Iterator[str]:
    """Yield what was wrong while the machine was up, whatever its files say."""
    if machine.engine is not None:
        yield from machine.engine.troubles
    yield from [f"crashed by itself: {each}" for each in machine.crashes]
    yield from machine.disk.handlers.troubles
    yield from machine.deployer.troubles
    yield from [f"unhandled: {each.get('message')}" for each in loop.unhandled]


def _sentences(what: str, found: object) -> Iterator[str]:
    """Yield what somebody's check has found. Raises NoScenario where that is no list."""
    if isinstance(found, str) or not isinstance(found, Iterable):
        rule = "returns a list of sentences, one for each thing that is wrong"
        raise NoScenario(f"{what} {rule}; this is {found!r}")
    yield from map(str, found)


async def _linger(engine: Engine, loop: SimulationLoop) -> None:
    """Tell of who waits, and what runs, at rest, and does so still a while later.

    At any one moment something may be under way that a service does now and then.
    """
    waiting, tasks = dict(engine.waiting), loop.tasks(EDGE_HOST)
    if waiting or tasks:
        await asyncio.sleep(LINGER_S)
        left = [what for number, what in waiting.items() if number in engine.waiting]
        engine.lingered(left, [each for each in tasks if not each.done()])


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
