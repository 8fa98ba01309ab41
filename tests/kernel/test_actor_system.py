from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    DeadlineExceeded,
    NoSuchActor,
    ServiceUnavailable,
)
from actors.kernel import lifecycle
from actors.kernel.dead_letters import DeadLetter
from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec
from tests.kernel.kernel_harness import (
    NO_BACKOFF,
    Boom,
    Obedient,
    crash,
    running_kernel,
    turns,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.actor_system import ActorSystem
    from actors.kernel.behavior import Behavior
    from actors.kernel.supervision.child_spec import Strategy
    from tests.kernel.kernel_harness import Kernel

FOREVER = 1_000_000.0


def child(name: str, factory: Callable[[], Behavior] = Obedient, **options: Any) -> ChildSpec:
    return ChildSpec(name=name, factory=factory, service=name, **options)


def traced(trace: list[str], name: str) -> ChildSpec:
    """Return a child that notes when it starts, stops and fails."""

    class Traced(Obedient):
        def on_start(self) -> None:
            trace.append(f"start {name}")

        async def on_stop(self) -> None:
            await asyncio.sleep(0)
            trace.append(f"stop {name}")

        def on_failure(self, error: BaseException) -> None:
            trace.append(f"lost {name}")

    return child(name, Traced)


async def started(kernel: Kernel, *children: Any, **options: Any) -> ActorSystem:
    strategy = options.pop("strategy", "one_for_one")
    root = SupervisorSpec(name="root", children=children, strategy=strategy)
    system = kernel.system(root, **{**NO_BACKOFF, **options})
    await system.start()
    return system


def ask(system: ActorSystem, name: str, message: Any) -> Any:
    return system.ask(name, message, timeout_s=60.0)


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_stop_is_the_reverse_of_start(strategy: Strategy) -> None:
    """Down to the leaves of nested supervisors; afterwards nothing is left."""
    trace: list[str] = []
    async with running_kernel() as kernel:
        inner = SupervisorSpec(
            name="inner", children=(traced(trace, "b"), traced(trace, "c")), strategy=strategy
        )
        system = await started(
            kernel, traced(trace, "a"), inner, traced(trace, "d"), strategy=strategy, stops_max=1
        )
        await turns()
        assert sorted(trace) == ["start a", "start b", "start c", "start d"]
        if strategy != "one_for_one":  # there, children start at the same time
            assert trace == ["start a", "start b", "start c", "start d"]
        trace.clear()
        await system.stop()
        assert trace == ["stop d", "stop c", "stop b", "stop a"]
        assert {stats.state for stats in system.actors()} == {"stopped"}


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_who_does_not_wait_for_others_to_start_stops_beside_them(strategy: Strategy) -> None:
    """Up to `stops_max` at once, the last first; those coupled one after another."""
    stopping: list[str] = []
    gates = {name: asyncio.Event() for name in "abcd"}

    def slow(name: str) -> Any:
        class Slow(Obedient):
            async def on_stop(self) -> None:
                stopping.append(name)
                await gates[name].wait()

        return child(name, Slow)

    async with running_kernel() as kernel:
        children = [slow(name) for name in gates]
        system = await started(kernel, *children, strategy=strategy, stops_max=2)
        end = asyncio.create_task(system.stop())
        await turns()
        coupled = strategy != "one_for_one"
        assert stopping == (["d"] if coupled else ["d", "c"])
        gates["d"].set()
        await turns()
        assert stopping == (["d", "c"] if coupled else ["d", "c", "b"])
        for gate in gates.values():
            gate.set()
        await end
        assert stopping == ["d", "c", "b", "a"]


async def test_stop_drains_every_mailbox() -> None:
    """What was accepted before the stop is handled, what comes after is refused."""
    seen: list[int] = []
    async with running_kernel() as kernel:
        system = await started(kernel, child("one"))
        ref = system.registry.actor("one").ref
        futures: list[Any] = []
        for number in range(300):

            async def slow(_: Behavior, n: int = number) -> int:
                await asyncio.sleep(0)
                seen.append(n)
                return n

            futures.append(ref.ask(slow, block=False))
        stopping = asyncio.create_task(system.stop())
        await turns(5)
        with pytest.raises(ActorStopped):
            await ref.ask("late", block=False)
        await stopping
        assert [await future for future in futures] == list(range(300))
        assert seen == list(range(300))


async def test_stop_is_bounded_by_each_actors_limit() -> None:
    """An actor that hangs is killed after shutdown_s; its queue is dead letters, not silence."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("hung", shutdown_s=2.0), child("fine"))
        hung = system.registry.actor("hung").ref
        in_hand = hung.ask(lambda _: asyncio.sleep(FOREVER), block=False)
        queued = hung.ask("queued", block=False)
        await turns()
        stopping = asyncio.create_task(system.stop())
        await turns()
        await kernel.advance(2.0)
        await stopping
        with pytest.raises(ActorCrashed):
            await in_hand
        with pytest.raises(ActorStopped):
            await queued


async def test_a_crash_while_the_system_stops_is_no_news() -> None:
    """A message drained at the stop may crash its actor; the stop goes on, the rest is drained."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("first"), child("last"), stops_max=1)
        gate = asyncio.Event()
        first, last = (system.registry.actor(name).ref for name in ("first", "last"))
        last.tell(lambda _: gate.wait())
        await turns()
        stopping = asyncio.create_task(system.stop())
        await turns()
        with pytest.raises(ActorCrashed):
            await first.ask(crash, block=False)
        first.restart()
        await turns()
        gate.set()
        await stopping
        first.restart()
        last.kill()
        last.suspend()
        await turns()
        assert {stats.state for stats in system.actors()} == {"stopped"}


async def test_stop_while_starting() -> None:
    """A system that is told to stop before it is up stops."""
    gate = asyncio.Event()

    class Gated(Obedient):
        async def on_start(self) -> None:
            await gate.wait()

    async with running_kernel() as kernel:
        root = SupervisorSpec(name="root", children=(child("gated", Gated),))
        system = kernel.system(root, **NO_BACKOFF)
        starting = asyncio.create_task(system.start())
        await turns()
        stopping = asyncio.create_task(system.stop())
        await turns()
        gate.set()
        await asyncio.gather(starting, stopping)
        assert {stats.state for stats in system.actors()} == {"stopped"}


async def test_stop_twice_at_once() -> None:
    """Both return when all is down."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("one"), child("two"))
        await asyncio.gather(system.stop(), system.stop())
        assert {stats.state for stats in system.actors()} == {"stopped"}


async def test_a_parked_service_refuses_and_the_others_serve_on() -> None:
    """Budget spent at the root: ServiceUnavailable with a hint, unhealthy(), and a way back."""
    sick = [True]

    def factory() -> Behavior:
        if sick:
            raise Boom("sick")
        return Obedient()

    async with running_kernel() as kernel:
        system = await started(
            kernel, child("sick", factory), child("well"), intensity=2, park_retry_s=30.0
        )
        await turns()
        assert system.unhealthy() == ["sick"]
        with pytest.raises(ServiceUnavailable, match="Boom: sick") as refused:
            await ask(system, "sick", "?")
        assert refused.value.retry_after_s == 30.0
        assert await ask(system, "well", "fine") == "fine"
        assert system.registry.actor("sick").stats().incarnation == 3
        [parked] = kernel.events_of(lifecycle.Parked)
        assert (parked.name, parked.retry_s) == ("sick", 30.0)

        sick.clear()
        await kernel.advance(29.0)
        assert system.unhealthy() == ["sick"]
        await kernel.advance(1.0)
        assert system.unhealthy() == []
        assert await ask(system, "sick", "back") == "back"


async def test_an_operator_revives_a_parked_service() -> None:
    """`restart` of a parked actor tries it at once, and the slow retry is forgotten."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("one"), intensity=0, park_retry_s=30.0)
        one = system.registry.actor("one")
        one.crash(Boom("over"))
        await turns()
        assert one.stats().state == "parked"
        system.restart("one")
        system.restart("one")
        await turns()
        assert one.stats().state == "running"
        await kernel.advance(60.0)
        assert one.stats().incarnation == 2


async def test_a_retry_that_comes_due_while_the_system_stops_is_forgotten() -> None:
    """A parked child's timer fires into nothing while a later child takes its time to end."""
    async with running_kernel() as kernel:
        system = await started(
            kernel, child("sick"), child("slow"), intensity=0, park_retry_s=1.0, shutdown_s=60.0
        )
        system.registry.actor("sick").crash(Boom("over"))
        await turns()
        assert system.unhealthy() == ["sick"]
        end = asyncio.Event()

        async def linger(_: Behavior) -> None:
            await end.wait()

        busy = ask(system, "slow", linger)
        await turns()
        stopping = asyncio.create_task(system.stop())
        await turns()
        await kernel.advance(5.0)  # an exception in the timer's callback would fail the test
        end.set()
        await stopping
        assert await busy is None
        assert system.registry.actor("sick").stats().incarnation == 1


async def test_a_parked_supervisor_parks_all_below_it() -> None:
    """Where a subtree gives up, every service in it refuses at once instead of letting wait."""
    async with running_kernel() as kernel:
        inner = SupervisorSpec(name="inner", children=(child("a"), child("b")), intensity=0)
        system = await started(kernel, inner, child("well"), intensity=0, park_retry_s=30.0)
        system.registry.actor("a").crash(Boom("over"))
        await turns()
        assert system.unhealthy() == ["a", "b"]
        for name in ("a", "b"):
            with pytest.raises(ServiceUnavailable):
                await ask(system, name, "?")
        assert await ask(system, "well", "fine") == "fine"
        system.restart("b")  # its supervisor is down: no harm, no effect
        await turns()
        await kernel.advance(30.0)
        assert system.unhealthy() == []
        assert await ask(system, "a", "back") == "back"


async def test_a_transient_child_that_ended_refuses() -> None:
    """Nobody restarts it, so nobody waits for it: its queue is dead letters, sends are refused."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("one", restart="transient"))
        one = system.registry.actor("one").ref
        one.suspend()
        await turns()
        queued = one.ask("queued", block=False)
        assert await one.stop(block=False) is True
        await turns()
        with pytest.raises(ActorStopped):
            await queued
        with pytest.raises(ActorStopped, match="stays down"):
            await ask(system, "one", "?")
        assert system.unhealthy() == ["one"]
        one.resume()
        system.restart("one")
        await turns()
        assert await ask(system, "one", "back") == "back"


async def test_a_temporary_subtree_goes_as_a_whole() -> None:
    """When a temporary supervisor gives up, the actors below it are gone too."""
    async with running_kernel() as kernel:
        inner = SupervisorSpec(
            name="inner", children=(child("a"), child("b")), intensity=0, restart="temporary"
        )
        system = await started(kernel, inner, child("well"))
        system.registry.actor("a").crash(Boom("over"))
        await turns()
        for name in ("a", "b"):
            with pytest.raises(ActorStopped):
                await ask(system, name, "?")
        assert await ask(system, "well", "fine") == "fine"


async def test_an_escalation_is_no_dead_letter() -> None:
    """What supervisors tell themselves never stands among the users' dead letters."""
    async with running_kernel() as kernel:
        inner = SupervisorSpec(name="inner", children=(child("a"),), intensity=0)
        system = await started(kernel, inner)
        system.registry.actor("a").crash(Boom("over"))
        await turns()
        system.kill("inner")
        await turns()
        assert await ask(system, "a", "back") == "back"
        assert system.registry.actor("inner").stats().incarnation == 3
        assert kernel.letters.list() == []


async def test_a_root_that_is_terminated_while_it_starts_is_gone() -> None:
    """The end of everything, as a simulated `kill -9` is, is no failed start to be retried."""
    async with running_kernel() as kernel:
        system = kernel.system(SupervisorSpec(name="root", children=(child("a"),)), **NO_BACKOFF)
        starting = asyncio.create_task(system.start())
        await turns(1)
        root = system.registry.actor("root")
        assert root.state == "starting"
        root.terminate()
        await starting
        await turns()
        assert (root.stats().state, root.stats().incarnation) == ("stopped", 1)
        assert system.registry.actor("a").stats().incarnation <= 1


async def test_a_killed_root_comes_back_with_all_below_it() -> None:
    """Nobody supervises the root, and still it is not the end: the system starts it again."""
    async with running_kernel() as kernel:
        inner = SupervisorSpec(name="inner", children=(child("a"),))
        system = await started(kernel, inner, child("b"))
        ref = system.registry.actor("a").ref
        for what in (system.kill, system.restart, system.kill):
            what("root")
            await turns()
            assert await ref.ask("alive", block=False) == "alive"
            assert await ask(system, "b", "alive") == "alive"
        assert system.registry.actor("root").stats().incarnation == 4


async def test_a_supervisor_killed_while_it_restarts_a_child() -> None:
    """The next supervisor starts every child once; the start under way counts for nothing."""
    gate = asyncio.Event()
    starts: list[int] = []

    class Gated(Obedient):
        async def on_start(self) -> None:
            starts.append(self.incarnation)
            if self.incarnation == 2:
                await gate.wait()

    async with running_kernel() as kernel:
        inner = SupervisorSpec(
            name="inner", children=(child("gated", Gated), child("b")), strategy="one_for_all"
        )
        system = await started(kernel, inner)
        system.registry.actor("gated").crash(Boom())
        await until(lambda: starts == [1, 2])
        system.kill("inner")
        gate.set()
        await turns()
        assert starts == [1, 2, 3]
        assert await ask(system, "gated", "up") == "up"
        assert await ask(system, "b", "up") == "up"


async def test_a_supervisor_killed_while_a_child_ends() -> None:
    """A restart in order that is under way does not restart the next supervisor's child again."""
    trace: list[str] = []

    class Slow(Obedient):
        def on_start(self) -> None:
            trace.append(f"start {self.incarnation}")

        async def on_stop(self) -> None:
            await turns(30)
            trace.append(f"stopped {self.incarnation}")

    async with running_kernel() as kernel:
        inner = SupervisorSpec(name="inner", children=(child("slow", Slow),))
        system = await started(kernel, inner)
        system.restart("slow")
        await turns(5)
        system.kill("inner")
        await turns(200)
        assert trace[-1] in {"start 2", "stopped 1"}
        assert sorted(trace) == ["start 1", "start 2", "stopped 1"]
        assert system.registry.actor("slow").stats().state == "running"
        assert await ask(system, "slow", "up") == "up"


async def test_a_subtree_whose_start_takes_too_long_is_started_again() -> None:
    """The start limit cuts a nested supervisor's start; no child of it is left behind."""
    hang = [True]

    class Hanging(Obedient):
        async def on_start(self) -> None:
            if hang:
                hang.clear()
                await asyncio.sleep(FOREVER)

    async with running_kernel() as kernel:
        inner = SupervisorSpec(
            name="inner", children=(child("h", Hanging), child("b")), strategy="one_for_all"
        )
        root = SupervisorSpec(name="root", children=(inner,))
        system = kernel.system(root, start_stall_s_max=3.0, **NO_BACKOFF)
        starting = asyncio.create_task(system.start())
        await turns()
        await kernel.advance(3.0)
        await starting
        await turns()
        for name in ("h", "b"):
            assert await ask(system, name, "up") == "up"


async def test_two_children_that_crash_at_once_are_charged_once_each() -> None:
    """An exit that a sibling's restart has overtaken costs nothing."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("a"), child("b"), strategy="one_for_all", intensity=1)
        for name in ("a", "b"):
            system.registry.actor(name).crash(Boom())
        await turns()
        assert system.unhealthy() == []
        assert [system.registry.actor(name).stats().incarnation for name in "ab"] == [2, 2]


async def test_two_children_that_crash_at_once_are_parked_together() -> None:
    """An exit that parking has overtaken does not undo it."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("a"), child("b"), strategy="one_for_all", intensity=0)
        for name in ("a", "b"):
            system.registry.actor(name).crash(Boom())
        await turns()
        assert system.unhealthy() == ["a", "b"]
        assert {stats.state for stats in system.actors()} == {"running", "parked"}


async def test_a_temporary_child_that_cannot_start_keeps_nobody_down() -> None:
    """The siblings after it start, under the coupled strategies too."""

    def factory() -> Behavior:
        raise Boom("no")

    async with running_kernel() as kernel:
        for strategy in ("one_for_one", "one_for_all", "rest_for_one"):
            system = await started(
                kernel,
                child("temporary", factory, restart="temporary"),
                child("after"),
                strategy=strategy,
            )
            await turns()
            assert await ask(system, "after", "up") == "up"
            with pytest.raises(ActorStopped):
                await ask(system, "temporary", "?")


async def test_stop_of_a_child_that_is_down_changes_nothing() -> None:
    """Told to stop while parked, an actor stays parked, and no budget is spent."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("one"), intensity=0)
        one = system.registry.actor("one")
        one.crash(Boom())
        await turns()
        assert await one.ref.stop(block=False) is True
        await turns()
        assert one.stats().state == "parked"
        with pytest.raises(ServiceUnavailable):
            await ask(system, "one", "?")


async def test_an_ask_ends_by_its_deadline() -> None:
    """system.ask always has one."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("one"))
        system.suspend("one")
        await turns()
        asking = asyncio.ensure_future(system.ask("one", "?", timeout_s=1.0))  # type: ignore[arg-type]
        await turns()
        await kernel.advance(1.0)
        with pytest.raises(DeadlineExceeded):
            await asking
        system.resume("one")


async def test_operators_get_clear_errors() -> None:
    """An unknown name is NoSuchActor; suspending a supervisor is refused with the reason."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("one"))
        for action in (system.kill, system.restart, system.suspend, system.resume):
            with pytest.raises(NoSuchActor, match="one"):
                action("two")
        with pytest.raises(ActorError, match="supervisor"):
            system.suspend("root")
        with pytest.raises(NoSuchActor):
            ask(system, "two", "?")


async def test_snapshots_tell_the_tree() -> None:
    """actors() has parents before children; the registry only services."""
    async with running_kernel() as kernel:
        inner = SupervisorSpec(name="inner", children=(child("a"),))
        system = await started(kernel, inner, child("b"))
        assert [(stats.name, stats.parent, stats.kind) for stats in system.actors()] == [
            ("root", None, "supervisor"),
            ("inner", "root", "supervisor"),
            ("a", "inner", "actor"),
            ("b", "root", "actor"),
        ]
        assert [registration.name for registration in system.registry_snapshot()] == ["a", "b"]


async def test_dead_letters_come_newest_first_from_all_sources() -> None:
    """Those in memory and those of stores are one list, cut to the limit."""
    async with running_kernel() as kernel:
        system = await started(kernel, child("one"))

        def stored(at_us: int) -> DeadLetter:
            return DeadLetter(
                id=f"row-{at_us}",
                actor="store",
                message_type="M",
                message="m",
                reason="r",
                attempts=3,
                at_us=at_us,
                durable=True,
            )

        async def source(limit: int) -> list[DeadLetter]:
            return [stored(kernel.clock.now_us() + step) for step in (-1, 1)][:limit]

        system._letter_sources = (source,)
        with pytest.raises(ActorCrashed):
            await ask(system, "one", crash)
        letters = await system.dead_letters(limit=10)
        assert [letter.durable for letter in letters] == [True, False, True]
        assert len(await system.dead_letters(limit=2)) == 2
