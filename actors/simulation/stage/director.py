"""Does to a running simulation what a schedule says, and undoes it in the end."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from actors.faults.fault_kinds import FAULTS, FLAPS
from actors.simulation.net.current_host import CURRENT_HOST
from actors.simulation.net.fault_rules import (
    Chunk,
    ConnectAttempt,
    Drop,
    Garble,
    Partition,
    Slow,
    Truncate,
)
from actors.simulation.script.targets import directions
from actors.simulation.stage.edge_host import EDGE_HOST
from actors.simulation.stage.wished_letters import replay_in_vain, replay_wished

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from actors.faults.fault_kinds import FaultName
    from actors.simulation.files.write_ahead_log import Loss
    from actors.simulation.net.fault_rules import Rule, Verdict
    from actors.simulation.net.network import Network
    from actors.simulation.oracles.engine import Engine
    from actors.simulation.script.schedule import Schedule, Step
    from actors.simulation.stage.machine import Machine
    from actors.simulation.stage.trace import Trace
    from actors.simulation.time.loop import SimulationLoop
    from actors.simulation.time.virtual_clock import VirtualClock

# How long the outside world stays as it is at most, in virtual seconds: what asks it for ever would
# do so, every other second, for as long as a client who comes back after days is away.
WORLD_S_MAX: Final = 100.0
# How long a crashed process stays away, in virtual seconds: whoever restarts it takes as long.
REBOOT_S: Final = 0.2
# What makes dead letters.
HANDLED: Final = ("handler", "effect")
# How long traps for handlers stay after the last request, in virtual seconds.
LINGER_S: Final = 10.0
# And for what is tried again when who is parked is: some more than it is parked for.
LINGER_PARKED_S: Final = 45.0
# What each makes of what is not synced.
CUTS: Final[Mapping[FaultName, Loss]] = MappingProxyType(
    {
        "cut_power": "lose",
        "lose_at": "lose",
        "keep_at": "keep",
        "tear_at": "tear",
        "garble_at": "garble",
        "stale_at": "stale",
    }
)
ENDS: Final = frozenset(each.ended_by for each in FAULTS.values() if each.ended_by is not None)


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Of the connections between two hosts, all up to this number are dead, and nobody was told."""

    hosts: frozenset[str]
    last: int

    def __call__(self, arrival: ConnectAttempt | Chunk) -> Verdict:
        """Lose what comes by them."""
        dead = isinstance(arrival, Chunk) and arrival.connection <= self.last
        return Drop() if dead and {arrival.source, arrival.target} == self.hosts else None


class Director:
    """Applies steps; `applied` counts them by fault."""

    def __init__(
        self, machine: Machine, network: Network, loop: SimulationLoop, trace: Trace
    ) -> None:
        """Nothing is broken yet."""
        self._machine = machine
        self._network = network
        self._loop = loop
        self._clock = loop.clock
        # One at a time ends the process, and starts it again.
        self._ending = asyncio.Lock()
        self._cuts: list[asyncio.Task[None]] = []
        # Backups and crowds.
        self._begun: list[asyncio.Task[None]] = []
        # Where it is itself: not on a host that ends.
        self._outside = contextvars.copy_context()
        self._outside.run(CURRENT_HOST.set, CURRENT_HOST.get())
        machine.cut_off = self._cut_off
        self._trace = trace
        self._removers: dict[str, list[Callable[[], None]]] = {}
        # Of those, what has not struck yet, or may once more.
        self._traps: list[Callable[[], None]] = []
        self._stepped_s = self._stepped_s_max = 0.0
        self._strikes_handlers = False
        self._lifted = False
        self.applied: Counter[str] = Counter()

    async def play(self, schedule: Schedule) -> None:
        """Apply each step at its time."""
        if any(step.fault in CUTS for step in schedule.steps):
            self._machine.watch_syncs()
        for step in schedule.steps:
            await asyncio.sleep(step.gap_us / 1_000_000)
            if not self._lifted or step.fault in ENDS:
                await self.apply(step)
        unended = [step for step in schedule.unended() if step.fault == "mend_world"]
        if unended:
            await asyncio.sleep(WORLD_S_MAX)
            for step in unended:
                await self.apply(step)

    def lift(self) -> None:
        """Let no fault come from now on, and disarm every trap; what lasts ends as planned."""
        self._lifted = True
        self._machine.disarm()
        for remove in self._traps:
            remove()

    async def mend(self, schedule: Schedule) -> None:
        """End what still lasts, so that the system can get well by itself.

        Traps stay: a kill is over at once, and some points are passed late only. Those for handlers
        do not for long: three of them make a dead letter. And the power stays on from now on.
        """
        self._machine.cuts.clear()
        self._machine.locks.clear()  # who is parked of one is so for long
        for each in (*self._cuts, *self._begun):
            await each
        await self._machine.paused.over()
        for step in schedule.unended():
            await self.apply(step)
        for link in list(self._removers):
            self._heal(link)
        # Whatever has kept one down is over.
        await self._machine.flaps.over()
        for service in self._machine.suspended():
            self._machine.signal("resume", service)
        if self._strikes_handlers:
            await asyncio.sleep(LINGER_PARKED_S if self.applied["lock_poison"] else LINGER_S)
            self._machine.disk.handlers.clear()

    async def tidy_up(self) -> None:
        """Do what only an operator does, so it comes when all is well without it.

        What faults have made a dead letter of is replayed. And the clock is set forward to where it
        has been: what was scheduled there must not be an hour away.
        """
        handlers = self._machine.disk.handlers
        if self._strikes_handlers or handlers.excused:
            await replay_wished(self._machine)
        await self._machine.scenario.tend(self._machine.system)
        if self._stepped_s < self._stepped_s_max:
            self._set_clock(self._stepped_s_max - self._stepped_s)

    async def apply(self, step: Step) -> None:
        """Do it now."""
        self.applied[step.fault] += 1
        engine = self._machine.engine
        if engine is not None:
            self._tell(engine, step)
        self._trace.add("fault", step.target, str(step))
        self._strikes_handlers |= FAULTS[step.fault].scope in HANDLED
        amount_s = step.amount_ms / 1000
        match FAULTS[step.fault].scope:
            case "commit":
                self._machine.cuts[step.target] = CUTS[step.fault]
            case "service" | "replicas" | "point" | "process" | "setting" | "mistake" | "version":
                await self._to_machine(step.fault, step.target, amount_s)
            case "store":
                self._to_disk(step.fault, step.target, amount_s)
            case "link":
                self._to_network(step.fault, step.target, amount_s)
            case "saying":
                self._garble(step.target)
            case "handler" | "effect":
                if step.fault == "cure":
                    await replay_in_vain(self._machine, step.target)
                self._to_handler(step.fault, step.target, amount_s)
            case "clock":
                self._set_clock(amount_s)

    # --- Inside ------------------------------------------------------------------------------

    def _tell(self, engine: Engine, step: Step) -> None:
        """Say what is done to it, and whether that lasts."""
        fault = FAULTS[step.fault]
        now_s = self._clock.monotonic()
        if fault.scope == "link":
            lasts = fault.ended_by is not None
            hear = engine.deadlines.breaks if lasts else engine.deadlines.touched
            (engine.deadlines.heals if step.fault == "heal" else hear)(step.target, now_s)
        if fault.ended_by is not None:
            engine.calm.lasts((fault.ended_by, step.target), now_s)
        elif fault.scope != "clock":
            engine.calm.ends((step.fault, step.target), now_s)
        if step.fault in {"slow_store", "mend_store"}:  # a commit waits for the one before it
            engine.deferred.slow(step.target, 2 * step.amount_ms / 1000)

    def _set_clock(self, by_s: float) -> None:
        self._stepped_s += by_s
        self._stepped_s_max = max(self._stepped_s_max, self._stepped_s)
        self._clock.step(by_s)
        if self._machine.engine is not None:
            self._machine.engine.stepped(by_s)

    async def _to_machine(self, fault: FaultName, target: str, amount_s: float) -> None:
        match fault:
            case "restart" | "kill" | "suspend" | "resume":
                self._machine.signal(fault, target)
            case "kill_starts":
                self._machine.disk.kills_at_start[target] = FLAPS
                self._machine.signal("kill", target)
            case "flap":
                self._machine.flaps.begin(target, FLAPS, amount_s)
            case "kill_at":
                self._machine.traps.add(target)
            case "stall_at":
                self._machine.stalls[target] = amount_s
            case "lock_at":
                self._machine.locks[target] = amount_s
            case "full_at":
                self._machine.refusals.add(target)
            case "pause":
                self._machine.pause(amount_s)
            case "crowd":
                self._begin(self._machine.crowd(amount_s))
            case _:
                await self._to_process(fault, target)

    async def _to_process(self, fault: FaultName, target: str) -> None:
        setting = target if FAULTS[fault].scope == "setting" else None
        match fault:
            case "crash" | "crash_with" | "cut_power":
                await self._reboot(self._machine.crash, CUTS.get(fault), setting=setting)
            case "scale":
                self._machine.scale(target)
            case "back_up":
                self._begin(self._machine.back_up())
            case "terminate" | "terminate_with":
                await self._machine.paused.over()
                await self._reboot(self._machine.stop, setting=setting)
            case "broken_deploy":
                await self._machine.paused.over()
                await self._reboot(self._machine.stop, mistake=target)
            case "previous_version" | "present_version":
                is_earlier = fault == "previous_version"
                if self._machine.is_earlier is not is_earlier:
                    await self._reboot(self._machine.crash, is_earlier=is_earlier)

    async def _reboot(
        self,
        end: Callable[..., Awaitable[None]],
        *how: Loss | None,
        is_earlier: bool | None = None,
        setting: str | None = None,
        mistake: str | None = None,
    ) -> None:
        """End the process, and start it again; as which version, with what, if that is said.

        Before that one with a `mistake` is tried, if there is one.
        """
        async with self._ending:
            await end(*how)
            if is_earlier is not None:
                self._machine.is_earlier = is_earlier
            if setting is not None:
                self._machine.reconfigure(setting)
            await asyncio.sleep(REBOOT_S)
            if mistake is not None:
                await self._machine.deploy(mistake)
                await asyncio.sleep(REBOOT_S)
            await self._machine.boot()

    def _cut_off(self, loss: Loss) -> None:
        """Cut the power, amid what the process does."""
        reboot = self._reboot(self._machine.crash, loss)
        self._cuts.append(self._loop.create_task(reboot, context=self._outside.copy()))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        """Have it begun, and go on: something may happen beside it."""
        self._begun.append(self._loop.create_task(work, context=self._outside.copy()))

    def _to_disk(self, fault: FaultName, target: str, amount_s: float) -> None:
        disk = self._machine.disk
        match fault:
            case "slow_store":
                disk.slower_s[target] = amount_s
            case "mend_store":
                disk.slower_s.pop(target, None)
            case "fill_disk":
                disk.full[target] = _always
            case "low_disk":
                disk.full[target] = partial(
                    _by_turns, self._clock, self._clock.monotonic(), amount_s
                )
            case "free_disk":
                disk.full.pop(target, None)
            case "lock_file":
                disk.locked[target] = 0
                self._machine.signal("kill", target)
            case "unlock_file":
                disk.unlock(target)

    def _to_handler(self, fault: FaultName, target: str, amount_s: float) -> None:
        handlers = self._machine.disk.handlers
        match fault:
            case "fail_before" | "fail_after":
                handlers.fails.add((target, fault.removeprefix("fail_")))
            case "fail_commit":
                handlers.breaks.add(target)
            case "poison":
                handlers.poison[target] = None
            case "lock_poison":
                handlers.poison[target] = None
                handlers.locks_s[target] = amount_s
            case "cure":
                handlers.poison.pop(target, None)
                handlers.locks_s.pop(target, None)
            case "slow_handler":
                handlers.slow_s[target] = amount_s
            case "late_effect":
                handlers.late_s[target] = amount_s
            case "twice_effect":
                handlers.twice.add(target)
            case _:
                self._to_world(fault, target, amount_s)

    def _to_world(self, fault: FaultName, target: str, amount_s: float) -> None:
        handlers = self._machine.disk.handlers
        match fault:
            case "down_world":
                handlers.refused.add(target)
            case "slow_world":
                handlers.world_s[target] = amount_s
            case "silent_world":
                handlers.unanswered.add(target)
            case "mend_world":
                handlers.mend_world(target)

    def _to_network(self, fault: FaultName, target: str, amount_s: float) -> None:
        match fault:
            case "slow_link" | "partition" | "drop" | "truncate":
                self._break(fault, target, amount_s)
            case "heal":
                self._heal(target)
            case "reset":
                for source, end in directions(target):
                    self._network.reset(source, end)

    def _break(self, fault: str, link: str, amount_s: float) -> None:
        removers = self._removers.setdefault(link, [])
        for source, target in directions(link):
            if fault == "slow_link":
                rule = Slow(source=source, target=target, seconds=amount_s)
                removers.append(self._network.install(rule))
            elif fault == "partition":
                cut = Partition(
                    source=frozenset({source}), target=frozenset({target}), one_way=True
                )
                removers.append(self._network.install(cut))
            elif fault == "truncate":
                amid = Truncate(source=source, target=target)
                strike = partial(self._strike, amid, link, "is reset amid what comes")
                self._traps.append(self._network.install(strike))
                removers.append(self._traps[-1])
            else:
                lost = Lost(hosts=frozenset({source, target}), last=self._network.connected)
                removers.append(self._network.install(lost))

    def _garble(self, saying: str) -> None:
        """Have it said once; the scenario hears when it was, for that may be late, or never."""
        scenario = self._machine.scenario
        garbling = scenario.garblings[saying]
        garble = Garble(garbling)

        def strike(arrival: ConnectAttempt | Chunk) -> Verdict:
            verdict = self._strike(garble, garbling.link, f"garbled: {saying}", arrival)
            if verdict is not None:
                scenario.garbled = (*scenario.garbled, (saying, self._clock.now_us()))
            return verdict

        self._traps.append(self._network.install(strike))
        self._removers.setdefault(garbling.link, []).append(self._traps[-1])

    def _strike(self, trap: Rule, link: str, text: str, arrival: ConnectAttempt | Chunk) -> Verdict:
        """Say when it strikes: that may be long after it was set, or never."""
        verdict, engine = trap(arrival), self._machine.engine
        if verdict is not None:
            self._trace.add("fault", link, text)
            if engine is not None:
                engine.deadlines.touched(link, self._clock.monotonic())
        return verdict

    def _heal(self, link: str) -> None:
        for remove in self._removers.pop(link, ()):
            remove()


def _always() -> bool:
    return True


def _by_turns(clock: VirtualClock, begun_s: float, turn_s: float) -> bool:
    """Whether it is the first of two turns again."""
    return int((clock.monotonic() - begun_s) / turn_s) % 2 == 0


def links_of(clients: int, wired: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the links of so many clients, and of what is wired to the edge, with the edge.

    Each in both directions and in one. A wire is named as often as all clients together: there is
    one, and it is always in use.
    """
    names = [f"client-{number}" for number in range(clients)]
    names += [name for name in wired for _ in range(max(1, clients))]
    both = [f"{name}<>{EDGE_HOST}" for name in names]
    one = [f"{name}>{EDGE_HOST}" for name in names]
    other = [f"{EDGE_HOST}>{name}" for name in names]
    return (*both, *one, *other)
