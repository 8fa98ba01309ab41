"""One simulated machine that runs a whole system: boots, crashes, boots again on its files."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from actors.app import App
from actors.errors import ActorError, NoSuchActor
from actors.kernel import lifecycle
from actors.simulation.files.running_backups import RunningBackups
from actors.simulation.files.simulated_aside import SimulatedAside
from actors.simulation.net.current_host import on_host
from actors.simulation.script.settings import set_anew
from actors.simulation.stage.author_line import short_place
from actors.simulation.stage.deployer import REFUSED, Deployer
from actors.simulation.stage.disk import Disk
from actors.simulation.stage.edge_host import ADMIN_TOKEN, EDGE_HOST
from actors.simulation.stage.effect_points import with_effect_points
from actors.simulation.stage.final_state import NotedRng
from actors.simulation.stage.handler_faults import WishedCrash
from actors.simulation.stage.simulated_runner import runners_on
from actors.simulation.stage.simulated_store import stores_on
from actors.simulation.stage.trace import placeless
from actors.simulation.time.flaps import Flaps
from actors.simulation.time.host_pause import HostPause
from actors.store.files.directory_lock import DirectoryLock
from http_edge.admin_token import FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.messages import Message
    from actors.kernel.rng import Rng
    from actors.kernel.stats import ActorStats
    from actors.service.assembly import ServiceSystem
    from actors.service.service import Service
    from actors.simulation.deploys.version import Version
    from actors.simulation.files.running_backups import Operator
    from actors.simulation.files.unsynced import Remains
    from actors.simulation.files.write_ahead_log import Loss
    from actors.simulation.net.network import Network
    from actors.simulation.oracles.engine import Engine
    from actors.simulation.stage.scenario import Scenario
    from actors.simulation.stage.trace import Trace
    from actors.simulation.time.loop import SimulationLoop
    from actors.system import Ask

# How a hook ends that has no more time, and how who waited for what it had begun.
GIVEN_UP: Final = ("CancelledError", "TimeoutError")
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
        versions: Sequence[Version],
        scenario: Scenario,
        trace: Trace,
        rng: Rng,
    ) -> None:
        """It boots the first of the `versions`, of whose rest the `scenario` knows more than we do.

        While `is_earlier` is set the second one, which is the one before, where there is one.
        """
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
        # At which it is killed, and for how long its file cannot be opened then.
        self.locks: dict[str, float] = {}
        # At which the power is to be cut, and what that makes of what is not synced; who does it.
        self.cuts: dict[str, Loss] = {}
        self.cut_off: Callable[[Loss], None]
        self.passed: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()
        self.disk.passes = self._passes
        self.disk.kill = partial(self.signal, "kill")
        self.disk.handlers.lock = self._lock_for
        self._loop = loop
        self.flaps = Flaps(loop, self._fail)
        self.clock = loop.clock
        self.paused = HostPause(loop, EDGE_HOST, self._continue)
        self._network = network
        self.folder = folder
        self.config = config
        # All that were in force, one after the other.
        self.configs = [config]
        self._versions = versions
        self.is_earlier = False
        self.deployer = Deployer(self, trace)
        self.backups = RunningBackups(folder)
        # Who asks as an operator does: (method, path, body).
        self.operator: Operator
        # Has a crowd of clients ask for so many seconds.
        self.crowd: Callable[[float], Coroutine[None, None, None]]
        self.scenario = scenario
        self._trace = trace
        self._rng = rng
        self._boots = 0
        self._kinds: dict[tuple[str, type[Service]], type[Service]] = {}
        self._app: App
        # Kept where another may come: nobody else knows the folder of a run.
        self._lock: DirectoryLock | None = None
        self.system: ServiceSystem
        (folder / FILE).write_text(ADMIN_TOKEN)
        (folder / FILE).chmod(0o600)
        for address, name in scenario.wires.items():
            network.names.wire(EDGE_HOST, address, name)

    def another(self, folder: Path, rng: Rng) -> Machine:
        """Return one that stands in its place, with files of its own; nobody judges it.

        It locks its folder, as a process does.
        """
        another = Machine(
            self._loop,
            self._network,
            folder=folder,
            config=self.config,
            versions=self._versions,
            scenario=self.scenario,
            trace=self._trace,
            rng=rng,
        )
        another._lock = DirectoryLock(folder)
        return another

    def judged_by(self, engine: Engine) -> None:
        """Let it hear all that happens from now on."""
        self.engine = engine
        engine.actors = lambda: self.actors() if self.up else ()
        engine.unready = lambda: self.system.unhealthy() if self.up else None
        engine.ticking = partial(self._loop.timers, EDGE_HOST)
        self.disk.engine = engine
        self._trace.on_fault = engine.disturbed

    @property
    def version(self) -> Version:
        """What it runs, or will when it is started."""
        return self.deployer.version or self._versions[self.is_earlier]

    def as_read(self, service: str, message: Message) -> Message:
        """Return a message as the version that runs reads it. Raises NotRead."""
        return self.version.read(service, message)

    async def boot(self) -> None:
        """Start the process; returns when it listens."""
        self._boots += 1
        self.disk.lost = False
        if self.engine is not None:
            version = self.version
            self.engine.booted(
                self.config,
                version.subscribers,
                version.groups,
                version.specs,
                version.routes,
                version.streams,
                version.shards,
            )
        if self._lock is not None:
            self._lock.acquire(holder=EDGE_HOST)
        with on_host(EDGE_HOST):
            self._app = self._build()
            self.system = self._app.tree
            await self._app.listen()
            await self._app.start()
        self.up = True
        if self.engine is not None:
            self.engine.serves(self.actors())
        which = ", of the previous version," if self.is_earlier else ""
        which = which if self.deployer.version is None else ", of the next version,"
        self._trace.add("boot", EDGE_HOST, f"process {self._boots}{which}")

    async def crash(self, loss: Loss | None = None) -> None:
        """End the process at once: nothing is drained, nothing is said, nothing more commits.

        With a `loss` the machine ends, and that becomes of what its disk has not synced.
        """
        with self._loop.undisturbed():
            await self._die(loss)

    async def _die(self, loss: Loss | None) -> None:
        self._trace.add("crash", EDGE_HOST, "kill -9" if loss is None else "without power")
        remains = [] if loss is None else self._remains(loss)
        self.disk.unsynced.settle_all()
        self.up = False
        self.disk.lost = True
        self._network.crash(EDGE_HOST)
        if self.paused.lasts:
            self.paused.cut_short()
            self._unpaused()
        actors = self.system.registry.actors()
        for actor in actors:  # the root first: nobody restarts anybody
            actor.terminate()
        for actor in actors:
            await actor.settled()
        await self._let_nothing_go_on()
        self._leave(closes=loss is not None)
        for each in remains:
            each.put_back()
        if remains:
            self.disk.unsynced.resume(self.folder)

    async def deploy(self, mistake: str) -> None:
        """Try to start the next version, which has this mistake; none runs afterwards."""
        await self.deployer.deploy(mistake, self._rng.fork(f"deploy {self._boots}"))

    async def back_up(self) -> None:
        """Have a backup made of what runs, and hear how that ends."""
        said = await self.backups.order(self.operator)
        self._trace.add("backup", EDGE_HOST, said)

    def reconfigure(self, setting: str) -> None:
        """Let the next process have another configuration: one `key=value` of it."""
        self.config = set_anew(self.config, setting)
        self.configs.append(self.config)

    async def stop(self) -> None:
        """End the process in order, as SIGTERM does."""
        self.up = False
        last = None if self.engine is None else self.engine.last_answers
        if last is not None:
            last.begin(self._loop.time())
        await self._app.drain()
        await self._app.stop()
        self.disk.lost = True  # to what it has not done in its time, if anything
        await self._let_nothing_go_on()
        self._leave()
        if last is not None:
            last.over(self._loop.time())

    def _leave(self, *, closes: bool = True) -> None:
        """Give up what a process has when it ends; who is killed alone closes no file.

        Its log and index stay as they are. A folder that is locked is one to which something is to
        happen between two processes.
        """
        if closes or self._lock is not None:
            self.disk.connections.close()
        if self._lock is not None:
            self._lock.release()

    async def end(self) -> None:
        """Leave nothing running and nothing open, whatever has become of the run."""
        if self._boots and not self.disk.lost:
            await self.crash()
        self.disk.connections.close()

    def watch_syncs(self) -> None:
        """Follow what is synced, for whoever cuts the power."""
        self.disk.unsynced.watch(self.folder)

    def pause(self, seconds: float) -> None:
        """Let nothing of the process run for so long."""
        if self.up:
            self.paused.begin(seconds)
            if self.engine is not None:
                self.engine.paused()

    def signal(self, what: str, service: str) -> None:
        """Kill, restart, suspend or resume a service, as an operator would; when it runs again."""
        if self.paused.lasts:
            self.paused.afterwards(partial(self.signal, what, service))
            return
        if not self.up:
            return
        self._tell(what, service)
        with suppress(NoSuchActor):  # this version has none of that name
            getattr(self.system, what)(service)

    def scale(self, numbered: str) -> None:
        """Have as many replicas as the `service=number` says, as an operator; when it runs again.

        Where that cannot be, its group being parked, say, he is told so.
        """
        if self.paused.lasts:
            self.paused.afterwards(partial(self.scale, numbered))
            return
        if self.up:
            service, _, number = numbered.partition("=")
            with on_host(EDGE_HOST):
                self._loop.create_task(self._scale(service, int(number)))

    async def _scale(self, service: str, number: int) -> None:
        with suppress(ActorError):
            await self.system.scale(service, number)

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
        """Take away every trap that has not sprung, and each crash that is to come."""
        for traps in (self.traps, self.stalls, self.refusals, self.locks, self.cuts):
            traps.clear()
        self.disk.full_once.clear()
        self.disk.kills_at_start.clear()
        self.disk.handlers.clear()
        self.flaps.clear()

    def generators(self) -> list[Rng]:
        """Return all by which it decides anything, but for the network's."""
        family = self._rng.family if isinstance(self._rng, NotedRng) else [self._rng]
        return [*family, self._loop.entropy]

    def actors(self) -> list[ActorStats]:
        """Return how all actors stand."""
        return self.system.actors()

    # --- Inside ------------------------------------------------------------------------------

    async def _let_nothing_go_on(self) -> None:
        tasks = self._loop.tasks(EDGE_HOST)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _build(self) -> App:
        rng = self._rng.fork(f"process {self._boots}")
        distance = rng.fork("outside")

        def at_a_distance(ask: Ask) -> Ask:
            async def far(service: str, message: Message) -> Any:
                await asyncio.sleep(distance.uniform(0.0, OUTSIDE_S_MAX))
                return await ask(service, message)

            return far

        return App(
            self.version.systems,
            self.config,
            data_dir=self.folder,
            lock=self._lock,
            clock=self.clock,
            rng=rng,
            store=stores_on(self.disk),
            runner=runners_on(self.disk),
            aside=SimulatedAside(self.disk.is_short, distance, self.backups),
            simulated=True,
            heard=self._note,
            ambient=contextvars.copy_context(),
            instrument=lambda name, service: with_effect_points(
                name,
                service,
                self._passes,
                self._asked,
                self.disk.handlers,
                self.engine,
                self._kinds,
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
            self._tell("suspend", service, for_s=stall_s)
            self.system.suspend(service, stall_s)
        if point in self.refusals:
            self.refusals.discard(point)
            self.disk.full_once.add(service)
        lock_s = self.locks.pop(point, None)
        if lock_s is not None:
            self._lock_for(service, lock_s)
            self.traps.add(point)
        loss = self.cuts.pop(point, None)
        if loss is not None:
            self._trace.add("fault", EDGE_HOST, f"the power is cut at {point}")
            self.cut_off(loss)
            return True
        if point not in self.traps:
            return False
        self.traps.discard(point)
        self.hit[point] += 1
        self._trace.add("fault", service, f"killed at {point}")
        self.system.kill(service)
        return True

    def _lock_for(self, service: str, seconds: float) -> None:
        """Let nobody open its file for so long, whoever tries."""
        self._trace.add("fault", service, f"its file cannot be opened for {seconds:g} s")
        self.disk.locked[service] = 0
        self._loop.call_later(seconds, self.disk.unlock, service, context=contextvars.Context())

    def _fail(self, service: str) -> bool:
        """Let it crash by itself; return whether it was there to do so."""
        if not self.up or self.paused.lasts:
            return False
        try:
            actor = self.system.registry.actor(service)
        except NoSuchActor:  # this version has none of that name
            return False
        if actor.machine.incarnation is None:
            return False
        if self.engine is not None:
            self.engine.disturbed()
        error = WishedCrash(f"{service} crashes by itself")
        self._trace.add("fault", service, str(error))
        actor.fail(actor.machine.number, error)
        return True

    def _remains(self, loss: Loss) -> list[Remains]:
        remains = self.disk.unsynced.cut(self.folder, loss)
        for each in remains:
            if each.lost:
                self._trace.add("lost", each.store, f"the last {each.lost} frames of its log")
        return remains

    def _continue(self) -> None:
        self._trace.add("continue", EDGE_HOST)
        self._unpaused()

    def _unpaused(self) -> None:
        if self.engine is not None:
            self.engine.unpaused()

    def _tell(self, what: str, service: str, *, for_s: float | None = None) -> None:
        if self.engine is not None:
            self.engine.wanted(what, service, for_s=for_s)

    def _asked(self, service: str, message_type: str, message: Any) -> None:
        self._trace.add("effect", service, message_type, message)

    def _is_late(self, event: lifecycle.HookFailed) -> bool:
        """Whether a hook, or who waits for its commit, was given up at the end of its time.

        Nothing ran, or its disk was slow.
        """
        if self.engine is None or not event.error.startswith(GIVEN_UP):
            return False
        now_s, limit_s = self._loop.time(), self.config.supervisor.shutdown_s
        slow_s = self.engine.deferred.slowest_s(event.name, now_s - limit_s)
        return slow_s >= limit_s or self.engine.pauses.within(now_s - limit_s, now_s) > 0

    def _is_refused(self, event: lifecycle.Crashed) -> bool:
        """Whether it is down for a file that another version has left as it cannot have it."""
        earlier = self.is_earlier and event.error.startswith(REFUSED)
        return earlier or self.deployer.is_refused(event)

    def _note(self, event: lifecycle.LifecycleEvent) -> None:
        name = type(event).__name__.lower()
        text = ""
        if self.engine is not None and not self.disk.lost:
            self.engine.happened(event)
        if isinstance(event, lifecycle.Crashed):
            text = placeless(event.error, self.folder)
            # Also while it boots, and while it ends in order; whom its own death ends is no crash.
            wished = self.disk.handlers.has_wished(event.error) or self._is_refused(event)
            if not event.killed and not self.disk.lost and not wished:
                self.crashes.append(f"{event.name}: {text}{_where(event)}")
        elif isinstance(event, lifecycle.HookFailed):
            text = placeless(f"{event.hook} {event.error}", self.folder)
            wished = self.disk.handlers.has_wished(event.error)
            if not self.disk.lost and not wished and not self._is_late(event):
                self.crashes.append(f"{event.name}: {text}")
        elif isinstance(event, lifecycle.DeadLettered):
            text = event.message_type
        elif isinstance(event, lifecycle.Parked):
            self.disk.parked(event.name)
        elif isinstance(event, lifecycle.Started | lifecycle.Restarted):
            self.flaps.started(event.name)
        self._trace.add(name, event.name, text)


def _where(event: lifecycle.Crashed) -> str:
    """Return the author's line that raised, unless the error names one, as an Escape does."""
    return "" if event.at is None or ", at " in event.error else f", at {short_place(event.at)}"
