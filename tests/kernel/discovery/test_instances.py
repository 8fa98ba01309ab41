"""Replicas that end, hang, come and go: what was asked of them is answered, and all is seen."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from actors.errors import ActorStopped, NoSuchActor, NotRestarted, NotScalable
from actors.kernel.behavior import Behavior
from actors.kernel.lifecycle import Crashed, Restarted
from actors.kernel.supervision.child_spec import ChildSpec, Strategy, SupervisorSpec
from tests.kernel.kernel_harness import CONFIG, NO_BACKOFF, Obedient, running_kernel, turns

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from actors.kernel.actor_system import ActorSystem
    from actors.kernel.discovery.standings import Replica
    from tests.kernel.kernel_harness import Kernel

STALLED_S = CONFIG.mailbox.stalled_s
REPLICAS_MAX = 6


class Pure(Obedient):
    """Whose messages may run twice, as a stateless service's."""

    redelivers: ClassVar[bool] = True

    def on_receive(self, message: Any) -> Any:
        return self.actor_ref.name if message == "who?" else super().on_receive(message)


class Lame(Behavior):
    """Never comes up a second time."""

    async def on_start(self) -> None:
        if self.incarnation > 1:
            raise OSError("no thread")


class Late(Pure):
    """Comes up when it may."""

    may: ClassVar[asyncio.Event]

    async def on_start(self) -> None:
        await self.may.wait()


def spec(name: str, factory: type[Behavior] = Pure) -> ChildSpec:
    return ChildSpec(name=name, factory=factory, service="s", kind="service")


async def replicated(
    kernel: Kernel, count: int = 3, strategy: Strategy = "one_for_one", **options: Any
) -> ActorSystem:
    """Return a system with so many replicas of `s`, and another service, under a supervisor."""
    children = (*(spec(f"s-{number + 1}") for number in range(count)),)
    other = ChildSpec(name="other", factory=Pure, service="other")
    below = SupervisorSpec(name="group", children=(*children, other), strategy=strategy)
    system = kernel.system(SupervisorSpec(name="root", children=(below,)), **NO_BACKOFF, **options)
    system.allow_scaling("s", spec, replicas_max=REPLICAS_MAX)
    starting = asyncio.ensure_future(system.start())
    await turns()
    await starting
    return system


def ask(system: ActorSystem, message: Any, timeout_s: float = 60.0) -> Awaitable[Any]:
    return system.ask("s", message, timeout_s=timeout_s)


def seen(system: ActorSystem) -> dict[str, Replica]:
    return {each.name: each for row in system.registry_snapshot() for each in row.replicas}


def health(system: ActorSystem) -> list[str]:
    return [each.health for name, each in seen(system).items() if name != "other"]


def hold(until: asyncio.Event) -> Any:
    async def wait(behavior: Behavior) -> str:
        await until.wait()
        return behavior.actor_ref.name

    return wait


# --- What is queued at one that is out --------------------------------------------------------


async def test_what_a_killed_replica_had_goes_to_its_siblings_at_once() -> None:
    """What it had in hand, too; nothing is answered by an error, and all accounts hold."""
    async with running_kernel() as kernel:
        system = await replicated(kernel)
        done = asyncio.Event()
        asked = [ask(system, hold(done)) for _ in range(30)]
        await turns()
        system.kill("s-1")
        await turns()
        handed = system.registry.actor("s-1").stats().handed_over
        assert handed == 10
        kernel.check_accounts()
        done.set()
        await turns()
        assert "s-1" not in Counter([await each for each in asked])
        assert len(kernel.events_of(Restarted, "s-1")) == 1


async def test_what_waits_behind_a_hung_or_suspended_one_is_answered_by_others() -> None:
    """What it has in hand it keeps, however long."""
    async with running_kernel() as kernel:
        system = await replicated(kernel, 2)
        stuck = asyncio.Event()
        hung = system.registry.actor("s-1").ref.ask(hold(stuck), block=False)
        behind = [system.registry.actor("s-1").ref.ask("who?", block=False) for _ in range(3)]
        await turns()
        assert await ask(system, "who?") == "s-2"
        await kernel.advance(STALLED_S)
        await kernel.advance(STALLED_S)
        assert [each.ended for each in behind] == [True] * 3
        assert {await each for each in behind} == {"s-2"}
        system.suspend("s-2")
        await turns()
        last = system.registry.actor("s-2").ref.ask("who?", block=False)
        await kernel.advance(STALLED_S)
        assert not last.ended  # where all are out, it is as good at one as at the other
        stuck.set()
        await kernel.advance(STALLED_S)
        assert (await hung, await last) == ("s-1", "s-1")


async def test_what_has_crashed_one_replica_is_not_handed_to_the_next() -> None:
    """It would take them all along."""
    async with running_kernel() as kernel:
        system = await replicated(kernel)
        crashes: list[str] = []

        def poison(behavior: Behavior) -> str:
            crashes.append(behavior.actor_ref.name)
            if len(crashes) < 3:
                raise ValueError("bad question")
            return "in the end"

        assert await ask(system, poison) == "in the end"
        assert len(set(crashes)) == 1


async def test_nothing_runs_for_who_is_asked_nothing() -> None:
    """No timer is left that would look at idle replicas; what waits is given away by an event."""
    async with running_kernel() as kernel:
        system = await replicated(kernel)
        assert await ask(system, "who?") == "s-1"
        await kernel.advance(STALLED_S)
        assert system._handover._timers == {}
        for name in ("s-1", "s-2", "s-3"):
            system.suspend(name)
        await turns()
        waits = [ask(system, "who?") for _ in range(3)]
        await kernel.advance(STALLED_S)
        assert system._handover._timers == {}
        system.resume("s-2")
        await kernel.advance(0.0)
        assert [await each for each in waits] == ["s-2"] * 3


# --- How all stands ---------------------------------------------------------------------------


async def test_each_health_is_told_with_its_reason_and_since_when() -> None:
    """A change is counted once, and what stays as it is keeps its time."""
    async with running_kernel() as kernel:
        system = await replicated(kernel, 4)
        begun_us = kernel.clock.now_us()
        assert health(system) == ["up"] * 4
        version = system.registry_version()
        await kernel.advance(1.0)
        assert system.registry_version() == version
        system.suspend("s-1")
        stuck = asyncio.Event()
        hung = system.registry.actor("s-2").ref.ask(hold(stuck), block=False)
        lame = system.registry.actor("s-3")
        await turns()
        await lame.end()
        lame.park("OSError: no thread", 30.0)
        await kernel.advance(STALLED_S / 2)
        assert health(system) == ["suspended", "slow", "parked", "up"]
        rows = seen(system)
        assert [rows[f"s-{n}"].in_rotation for n in (1, 2, 3, 4)] == [False, True, False, True]
        assert rows["s-1"].since_us == rows["s-2"].since_us == begun_us + 1_000_000
        assert rows["s-4"].since_us == begun_us
        assert (rows["s-3"].why, rows["s-4"].why) == ("OSError: no thread", None)
        assert str(rows["s-2"].why).startswith("it has had the same work in hand for 0.1")
        await kernel.advance(STALLED_S)
        assert seen(system)["s-2"].in_rotation is False
        assert system.registry_version() == version + 4
        stuck.set()
        assert await hung == "s-2"


async def test_a_change_is_seen_in_time_by_who_waits_for_it() -> None:
    """An event at once, a hang within `stalled_s`; nothing at all when the time is over."""
    async with running_kernel() as kernel:
        system = await replicated(kernel)
        version = system.registry_version()
        waits = asyncio.ensure_future(system.registry_changed(version, 10.0))
        await turns()
        for _ in range(20):
            await kernel.advance(0.5)
        assert waits.done()
        assert await waits == version
        waits = asyncio.ensure_future(system.registry_changed(version, 10.0))
        await turns()
        system.suspend("s-1")
        await turns()
        assert waits.done()
        assert await waits > version
        waits = asyncio.ensure_future(system.registry_changed(await waits, 10.0))
        stuck = asyncio.Event()
        hung = system.registry.actor("s-2").ref.ask(hold(stuck), block=False)
        await turns()
        for _ in range(25):
            await kernel.advance(STALLED_S / 25)
        assert waits.done()
        assert health(system) == ["suspended", "slow", "up"]
        assert await system.registry_changed(12345, 10.0) == system.registry_version()
        stuck.set()
        await hung
        waits = asyncio.ensure_future(system.registry_changed(system.registry_version(), 10.0))
        await turns()
        system.standings.close()
        with pytest.raises(ActorStopped):
            await waits


# --- More and fewer ---------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_replicas_come_and_go_while_all_is_answered(strategy: Strategy) -> None:
    """Who comes is supervised as its siblings; who goes ends what it has, and is gone."""
    async with running_kernel() as kernel:
        system = await replicated(kernel, 2, strategy)
        assert await system.scale("s", 4) == 2
        assert list(seen(system)) == ["s-1", "s-2", "s-3", "s-4", "other"]
        assert {await ask(system, "who?") for _ in range(8)} == {"s-1", "s-2", "s-3", "s-4"}
        system.kill("s-4")
        await turns()
        assert len(kernel.events_of(Restarted, "s-4")) == 1
        done = asyncio.Event()
        asked = [ask(system, hold(done)) for _ in range(12)]
        await turns()
        assert await system.scale("s", 1) == 4
        await kernel.advance(STALLED_S)
        assert health(system) == ["slow", "draining", "draining", "draining"]
        assert seen(system)["s-3"].why == "it is being stopped, and ends what it has"
        assert system.registry_version() == system.registry_version()
        done.set()
        await turns()
        assert len([await each for each in asked]) == 12
        await turns()
        assert list(seen(system)) == ["s-1", "other"]
        with pytest.raises(NoSuchActor):
            system.kill("s-2")
        assert await ask(system, "who?") == "s-1"


async def test_a_name_is_free_when_its_owner_is_gone_and_no_sooner() -> None:
    """Whoever held the old one's ref does not reach the new one; no counter goes back."""
    async with running_kernel() as kernel:
        system = await replicated(kernel, 2)
        old = system.registry.actor("s-2").ref
        done = asyncio.Event()
        hung = old.ask(hold(done), block=False)
        await turns()
        system.kill("s-2")
        await turns()
        hung = old.ask(hold(done), block=False)
        await turns()
        (before,) = (each for each in system.measured_actors() if each.name == "s-2")
        assert before.restarts["kill"] == 1
        await system.scale("s", 1)
        await system.scale("s", 2)
        assert list(seen(system)) == ["s-1", "s-2", "s-3", "other"]
        done.set()
        await turns()
        assert await hung
        await system.scale("s", 3)
        assert sorted(seen(system)) == ["other", "s-1", "s-2", "s-3"]
        with pytest.raises(ActorStopped):
            await old.ask("who?", block=False)
        (again,) = (each for each in system.measured_actors() if each.name == "s-2")
        assert again.restarts["kill"] == 1
        assert again.handled + again.handed_over >= before.handled + before.handed_over > 0
        kernel.check_accounts()


async def test_what_a_suspended_or_killed_one_has_left_is_its_siblings() -> None:
    """Also where it goes before it has ended its work, which was killed under it."""
    async with running_kernel() as kernel:
        system = await replicated(kernel, 3)
        never = asyncio.Event()
        asked = [ask(system, hold(never)) for _ in range(3)]
        system.suspend("s-3")
        await turns()
        last, middle = (system.registry.actor(name).ref for name in ("s-3", "s-2"))
        behind = last.ask("who?", block=False)
        await system.scale("s", 1)
        for ref in (last, middle):
            ref.kill()
        await turns()
        await kernel.advance(1.0)
        never.set()
        await turns()
        assert [await each for each in asked] == ["s-1"] * 3
        assert await behind == "s-1"
        assert list(seen(system)) == ["s-1", "other"]


async def test_who_leaves_before_it_is_done_has_it_done_all_the_same() -> None:
    """And nothing is left half made."""
    async with running_kernel() as kernel:
        system = await replicated(kernel, 2)
        for replicas in (5, 1):
            asking = asyncio.ensure_future(system.scale("s", replicas))
            await asyncio.sleep(0)
            asking.cancel()
            await turns()
            assert len(system.registry.replicas("s")) == replicas
        await kernel.advance(1.0)
        assert await ask(system, "who?") == "s-1"


async def test_who_does_not_come_up_holds_up_no_other_service() -> None:
    """And is told apart from who was up before."""
    async with running_kernel() as kernel:
        Late.may = asyncio.Event()
        Late.may.set()

        def late(name: str) -> ChildSpec:
            return ChildSpec(name=name, factory=Late, service="late", kind="service")

        children = (spec("s-1"), late("late-1"))
        system = kernel.system(SupervisorSpec(name="root", children=children), **NO_BACKOFF)
        for service, make in (("s", spec), ("late", late)):
            system.allow_scaling(service, make, replicas_max=REPLICAS_MAX)
        await system.start()
        Late.may.clear()
        scaling = asyncio.ensure_future(system.scale("late", 2))
        system.restart("late-1")
        await turns()
        assert await system.scale("s", 2) == 1
        rows = [seen(system)[name] for name in ("late-1", "late-2")]
        assert [each.health for each in rows] == ["starting"] * 2
        assert [each.why for each in rows] == ["it has ended in order", "it was never up"]
        Late.may.set()
        assert await scaling == 1


async def test_a_wrong_number_is_refused_and_a_service_with_one_writer() -> None:
    """With how many there may be."""
    async with running_kernel() as kernel:
        system = await replicated(kernel, 2)
        for number in (0, -1, REPLICAS_MAX + 1):
            with pytest.raises(NotScalable, match=f"from 1 to {REPLICAS_MAX} "):
                await system.scale("s", number)
        with pytest.raises(NotScalable, match="one writer"):
            await system.scale("other", 2)
        with pytest.raises(NoSuchActor):
            await system.scale("nobody", 2)
        assert await system.scale("s", 2) == 2
        assert kernel.events_of(Crashed) == []


async def test_the_tree_stops_while_replicas_come_and_go() -> None:
    """Whoever is on its way out is waited for."""
    async with running_kernel() as kernel:
        system = await replicated(kernel, 3)
        done = asyncio.Event()
        asked = [ask(system, hold(done)) for _ in range(3)]
        await turns()
        await system.scale("s", 1)
        stopping = asyncio.ensure_future(system.stop())
        await turns()
        assert not stopping.done()
        done.set()
        await turns()
        assert len({await each for each in asked}) == 3
        await stopping


# --- One after another ------------------------------------------------------------------------


async def test_all_restart_one_after_another_and_all_is_answered() -> None:
    """At no time is more than one of them down; who was restarted meanwhile is not once more."""
    async with running_kernel() as kernel:
        system = await replicated(kernel, 4)
        done = asyncio.Event()
        asked = [ask(system, hold(done)) for _ in range(40)]
        await turns()
        rolling = asyncio.ensure_future(system.restart_in_turn())
        await turns()
        assert [each.state for each in system.registry.replicas("s")].count("running") == 3
        system.kill("s-4")
        done.set()
        await turns()
        assert await rolling == ["s-1", "s-2", "s-3", "s-4", "other"]
        restarts = Counter(each.name for each in kernel.events_of(Restarted))
        assert restarts == dict.fromkeys(("s-1", "s-2", "s-3", "s-4", "other"), 1)
        assert len([await each for each in asked]) == 40
        assert await system.restart_in_turn("other") == ["other"]


async def test_who_leaves_meanwhile_is_not_waited_for() -> None:
    """Nor is it restarted."""
    async with running_kernel() as kernel:
        system = await replicated(kernel, 3)
        done = asyncio.Event()
        held = system.registry.actor("s-1").ref.ask(hold(done), block=False)
        hung = system.registry.actor("s-3").ref.ask(hold(done), block=False)
        await turns()
        rolling = asyncio.ensure_future(system.restart_in_turn("s"))
        await turns()
        await system.scale("s", 1)
        await kernel.advance(1.0)
        assert "s-2" not in seen(system)
        done.set()
        await turns()
        assert await rolling == ["s-1"]
        assert {await held, await hung} == {"s-1", "s-3"}
        assert [each.name for each in kernel.events_of(Restarted)] == ["s-1"]


@pytest.mark.parametrize(
    ("factory", "waits_s", "said"),
    [(Lame, 0, r"s-1 is parked .*no thread.*not restarted: s-2"), (Late, 40, r"s-1 is .*s-2")],
)
async def test_where_one_does_not_come_up_the_others_are_left_alone(
    factory: type[Behavior], waits_s: int, said: str
) -> None:
    """And who asked is told which: as soon as it is given up, or not up in time."""
    async with running_kernel() as kernel:
        Late.may = asyncio.Event()
        Late.may.set()
        children = (spec("s-1", factory), spec("s-2"))
        system = kernel.system(SupervisorSpec(name="root", children=children), **NO_BACKOFF)
        await system.start()
        Late.may.clear()
        rolling = asyncio.ensure_future(system.restart_in_turn("s"))
        await turns(200)
        assert rolling.done() == (waits_s == 0)
        for _ in range(waits_s):
            await kernel.advance(1.0)
        with pytest.raises(NotRestarted, match=said):
            await rolling
        assert kernel.events_of(Restarted, "s-2") == []
        Late.may.set()
