from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pykka
import pytest
from pykka import ActorDeadError, ActorRegistry

from actors.errors import (
    ActorCrashed,
    ActorStopped,
    DeadLettered,
    DeadlineExceeded,
    MailboxFull,
)
from actors.kernel import lifecycle
from actors.kernel.behavior import BatchResult, Behavior
from actors.kernel.envelope import Envelope
from actors.kernel.messages import Refusal
from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec
from tests.kernel.kernel_harness import (
    NO_BACKOFF,
    Boom,
    Obedient,
    crash,
    mailbox_config,
    running_kernel,
    turns,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.kernel.actor import AsyncioActor
    from actors.kernel.actor_system import ActorSystem
    from actors.kernel.clock import ManualClock
    from tests.kernel.kernel_harness import Kernel

FOREVER = 1_000_000.0


async def supervised(
    kernel: Kernel, factory: Callable[[], Behavior] = Obedient, **options: Any
) -> tuple[ActorSystem, AsyncioActor]:
    restart = options.pop("restart", "permanent")
    spec = ChildSpec(name="child", factory=factory, restart=restart, service="child", **options)
    system = kernel.system(SupervisorSpec(name="root", children=(spec,)), **NO_BACKOFF)
    await system.start()
    return system, system.registry.actor("child")


def cancelled_in_handler(_: Behavior) -> None:
    raise asyncio.CancelledError


async def cancelled_in_coroutine(_: Behavior) -> None:
    raise asyncio.CancelledError


async def crash_in_coroutine(_: Behavior) -> None:
    await asyncio.sleep(0)
    raise Boom("told to crash")


# --- Crashes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message", [crash, crash_in_coroutine, cancelled_in_handler, cancelled_in_coroutine]
)
async def test_a_crash_ends_one_incarnation_and_nothing_else(message: Any) -> None:
    """Whatever a handler raises, its ask ends, the next incarnation and the neighbour serve."""
    async with running_kernel() as kernel:
        neighbour = kernel.start(name="neighbour")
        _, child = await supervised(kernel)
        with pytest.raises(ActorCrashed):
            await child.ref.ask(message, block=False)
        assert await child.ref.ask("after", block=False) == "after"
        assert (child.stats().incarnation, neighbour.stats().incarnation) == (2, 1)
        assert await neighbour.ref.ask("still", block=False) == "still"
        [crashed] = kernel.events_of(lifecycle.Crashed)
        assert crashed.name == "child"
        assert not crashed.killed


async def test_an_unsupervised_crash_is_the_end() -> None:
    """An actor that nobody supervises stops at its first crash, and its queue is dead letters."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        futures = [actor.ref.ask(message, block=False) for message in (crash, "queued")]
        with pytest.raises(ActorCrashed):
            await futures[0]
        with pytest.raises(ActorStopped):
            await futures[1]
        assert not actor.ref.is_alive()
        assert actor.stats().state == "stopped"
        assert [letter.attempts for letter in kernel.letters.list()] == [1, 0]


async def test_the_old_incarnation_is_garbage() -> None:
    """Nothing holds a crashed incarnation: not the ref, the exit, nor the culprit."""
    lives: list[weakref.ref[Behavior]] = []

    class Tracked(Obedient):
        def __init__(self) -> None:
            lives.append(weakref.ref(self))

    async with running_kernel() as kernel:
        _, child = await supervised(kernel, Tracked)
        ref = child.ref
        for message in (crash, crash_in_coroutine):
            with pytest.raises(ActorCrashed):
                await ref.ask(message, block=False)
            await turns()
        ref.kill()
        await turns()
        ref.restart()
        await turns()
        gc.collect()
        assert [life() is None for life in lives] == [True, True, True, True, False]
        assert await ref.ask(lambda behavior: behavior.incarnation, block=False) == 5
        assert child.ref is ref


async def test_a_constructor_that_raises_is_a_crash() -> None:
    """A factory that raises is charged and tried again until one is made."""
    failures = [Boom("one"), Boom("two")]

    def factory() -> Behavior:
        if failures:
            raise failures.pop()
        return Obedient()

    async with running_kernel() as kernel:
        _, child = await supervised(kernel, factory)
        await until(lambda: child.stats().state == "running")
        assert await child.ref.ask("first", block=False) == "first"
        assert child.stats().incarnation == 3
        assert [event.incarnation for event in kernel.events_of(lifecycle.Crashed)] == [1, 2]
        assert len(kernel.events_of(lifecycle.Started, "child")) == 1


@pytest.mark.parametrize("error", [Boom("start"), asyncio.CancelledError()])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_on_start_that_raises_is_a_crash(
    error: BaseException, *, asynchronous: bool
) -> None:
    """A failed on_start runs on_failure, which pykka skips, and is tried again."""
    failed: list[BaseException] = []

    class Starting(Obedient):
        def on_start(self) -> Any:
            if failed:
                return None
            if not asynchronous:
                raise error

            async def start() -> None:
                await asyncio.sleep(0)
                raise error

            return start()

        def on_failure(self, error: BaseException) -> None:
            failed.append(error)

    async with running_kernel() as kernel:
        _, child = await supervised(kernel, Starting)
        await until(lambda: child.stats().state == "running")
        assert await child.ref.ask("served", block=False) == "served"
        assert [type(failure) for failure in failed] == [type(error)]
        assert child.stats().incarnation == 2


async def test_an_unsupervised_failed_start_is_the_end() -> None:
    """An actor that cannot start refuses its messages as stopped."""

    def factory() -> Behavior:
        raise Boom("no")

    async with running_kernel() as kernel:
        actor = kernel.start(factory)
        with pytest.raises(ActorStopped):
            await actor.ref.ask("?", block=False)
        assert actor.stats().state == "stopped"


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_start_that_takes_too_long_has_failed(*, stubborn: bool) -> None:
    """The start limit is a crash, also of a start that does not listen to its cancellation."""
    hang = [True]
    release = asyncio.Event()

    class Slow(Obedient):
        async def on_start(self) -> None:
            if hang:
                hang.clear()
                try:
                    await asyncio.sleep(FOREVER)
                except asyncio.CancelledError:
                    if not stubborn:
                        raise
                    await release.wait()

    async with running_kernel() as kernel:
        spec = ChildSpec(name="slow", factory=Slow)
        system = kernel.system(
            SupervisorSpec(name="root", children=(spec,)), start_stall_s_max=3.0, **NO_BACKOFF
        )
        starting = asyncio.create_task(system.start())
        await turns()
        slow = system.registry.actor("slow")
        await kernel.advance(2.0)
        assert slow.stats().state == "starting"
        await kernel.advance(1.5)
        await starting
        assert slow.stats().incarnation == 2
        await until(lambda: slow.stats().state == "running")
        assert await slow.ref.ask("up", block=False) == "up"
        release.set()
        await turns()
        assert slow.stats().state == "running"
        assert slow.stats().incarnation == 2
        assert slow.stats().last_error == "TimeoutError: the start made no progress for 3.0 s"
        await kernel.advance(10.0)
        assert slow.stats().incarnation == 2


async def test_kill_while_starting() -> None:
    """A kill ends a start at once; the next start is independent of what the first still does."""
    gates: list[asyncio.Event] = []

    class Gated(Obedient):
        async def on_start(self) -> None:
            gate = asyncio.Event()
            gates.append(gate)
            await gate.wait()

    async with running_kernel() as kernel:
        system = kernel.system(
            SupervisorSpec(name="root", children=(ChildSpec(name="child", factory=Gated),)),
            **NO_BACKOFF,
        )
        starting = asyncio.create_task(system.start())
        await turns()
        child = system.registry.actor("child")
        child.ref.kill()
        await until(lambda: len(gates) == 2)
        await starting
        gates[0].set()
        await turns()
        assert child.stats().state == "starting"
        gates[1].set()
        await until(lambda: child.stats().state == "running")
        assert await child.ref.ask("up", block=False) == "up"
        assert child.stats().incarnation == 2


async def test_kill_before_a_start_has_taken_its_first_step() -> None:
    """A kill that overtakes the task of a start leaves nothing behind, no warning either."""
    begun: list[int] = []

    class Starting(Obedient):
        async def on_start(self) -> None:
            begun.append(self.incarnation)
            await asyncio.sleep(0)

    async with running_kernel() as kernel:
        actor = kernel.start(Starting)
        actor.crash(Boom("at once"))
        await until(lambda: not actor.ref.is_alive())
        await actor.settled()
        assert begun == []


async def test_a_coroutine_that_swallows_its_cancellation_is_owned_to_its_end() -> None:
    """A dead incarnation's handler may go on, but its result counts for nothing."""
    release = asyncio.Event()
    ended: list[str] = []

    async def stubborn(_: Behavior) -> str:
        try:
            await asyncio.sleep(FOREVER)
        except asyncio.CancelledError:
            await release.wait()
        ended.append("late")
        return "late"

    async with running_kernel() as kernel:
        _, child = await supervised(kernel)
        future = child.ref.ask(stubborn, block=False)
        await turns()
        child.ref.kill("test")
        with pytest.raises(ActorCrashed):
            await future
        assert await child.ref.ask("next", block=False) == "next"
        handled = child.stats().handled
        release.set()
        await child.settled()
        assert ended == ["late"]
        assert child.stats().handled == handled


async def test_kill_ends_a_coroutine_handler_at_once() -> None:
    """A kill does not wait for what is in hand: it is given up, the queue is kept."""
    async with running_kernel() as kernel:
        _, child = await supervised(kernel)
        hung = child.ref.ask(lambda _: asyncio.sleep(FOREVER), block=False)
        queued = child.ref.ask("queued", block=False)
        await turns()
        child.ref.kill("enough")
        with pytest.raises(ActorCrashed, match="enough"):
            await hung
        assert await queued == "queued"
        [crashed] = kernel.events_of(lifecycle.Crashed)
        assert crashed.killed


# --- Hooks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_hook_that_fails_is_seen(*, asynchronous: bool) -> None:
    """on_stop and on_failure may fail: the end stands, and an event says which hook and why."""

    class Failing(Obedient):
        def _fail(self, what: str) -> Any:
            if not asynchronous:
                raise Boom(what)

            async def fail() -> None:
                await asyncio.sleep(0)
                raise Boom(what)

            return fail()

        def on_stop(self) -> Any:
            return self._fail("stopping")

        def on_failure(self, error: BaseException) -> Any:
            return self._fail("failing")

    async with running_kernel() as kernel:
        _, child = await supervised(kernel, Failing)
        child.ref.kill()
        await turns()
        child.ref.restart()
        await turns()
        assert await child.ref.ask("served", block=False) == "served"
        failed = kernel.events_of(lifecycle.HookFailed)
        assert [(event.hook, event.error) for event in failed] == [
            ("on_failure", "Boom: failing"),
            ("on_stop", "Boom: stopping"),
        ]


async def test_an_error_that_cannot_be_printed_is_still_a_crash() -> None:
    """Neither an error whose str() raises nor a message whose repr() does keeps an actor down."""

    class Unprintable(Exception):
        def __str__(self) -> str:
            raise Boom("no text")

    class Message:
        def __repr__(self) -> str:
            raise Boom("no repr")

        def __call__(self, _: Behavior) -> None:
            raise Unprintable

    async with running_kernel() as kernel:
        _, child = await supervised(kernel)
        with pytest.raises(ActorCrashed):
            await child.ref.ask(Message(), block=False)
        assert await child.ref.ask("next", block=False) == "next"
        assert [letter.message_type for letter in kernel.letters.list()] == ["Message"]


# --- Stop ------------------------------------------------------------------------------------


async def test_stop_finishes_what_is_in_hand_and_dead_letters_the_rest() -> None:
    """The message in hand gets its reply; those queued are dead letters with ActorStopped."""
    gate = asyncio.Event()
    stopped: list[str] = []

    class Stopping(Obedient):
        async def on_stop(self) -> None:
            await asyncio.sleep(0)
            stopped.append("stopped")

    async def wait(_: Behavior) -> str:
        await gate.wait()
        return "in hand"

    async with running_kernel() as kernel:
        actor = kernel.start(Stopping)
        in_hand = actor.ref.ask(wait, block=False)
        queued = actor.ref.ask("queued", block=False)
        await turns()
        stopping = actor.ref.stop(block=False)
        await turns()
        assert actor.stats().state == "stopping"
        gate.set()
        assert await stopping is True
        assert await in_hand == "in hand"
        with pytest.raises(ActorDeadError):
            await queued
        assert stopped == ["stopped"]
        [event] = kernel.events_of(lifecycle.Stopped)
        assert event.dead_lettered == 1
        assert await actor.ref.stop(block=False) is False
        with pytest.raises(ActorStopped):
            actor.ref.tell("late")


async def test_stop_asked_twice_stops_once() -> None:
    """Both stops end, with a handler in hand too, and on_stop runs once."""
    gate = asyncio.Event()
    stopped: list[str] = []

    class Stopping(Obedient):
        async def on_stop(self) -> None:
            await turns(5)
            stopped.append("stopped")

    async with running_kernel() as kernel:
        actor = kernel.start(Stopping)
        actor.ref.tell(lambda _: gate.wait())
        await turns()
        first = actor.ref.stop(block=False)
        await turns()
        second = actor.ref.stop(block=False)
        await turns()
        gate.set()
        assert [await first, await second] == [True, True]
        assert stopped == ["stopped"]


@pytest.mark.parametrize(
    "order", [("stop", "restart"), ("restart", "stop"), ("restart", "restart")]
)
async def test_two_orderly_ends_at_once_are_one(order: tuple[str, str]) -> None:
    """A supervised incarnation that is told to end twice ends once and is followed by one."""
    gate = asyncio.Event()
    trace: list[str] = []

    class Traced(Obedient):
        def on_start(self) -> None:
            trace.append("start")

        async def on_stop(self) -> None:
            await turns(5)
            trace.append("stop")

    async with running_kernel() as kernel:
        _, child = await supervised(kernel, Traced)
        child.ref.tell(lambda _: gate.wait())
        await turns()
        for what in order:
            if what == "stop":
                child.ref.stop(block=False)
            else:
                child.ref.restart()
            await turns()
        gate.set()
        await until(lambda: child.stats().incarnation == 2)
        await turns()
        assert trace == ["start", "stop", "start"]
        assert child.stats().state == "running"
        assert await child.ref.ask("served", block=False) == "served"


async def test_the_next_incarnation_waits_for_the_last_ones_on_stop() -> None:
    """Told to stop while it restarts, an actor never has two incarnations at once."""
    trace: list[str] = []

    class Traced(Obedient):
        def on_start(self) -> None:
            trace.append("start")

        async def on_stop(self) -> None:
            trace.append("stopping")
            await turns(20)
            trace.append("stopped")

    async with running_kernel() as kernel:
        _, child = await supervised(kernel, Traced)
        child.ref.restart()
        await until(lambda: "stopping" in trace)
        stopping = child.ref.stop(block=False)
        assert await stopping is True
        await turns()
        assert trace == ["start", "stopping", "stopped", "start"]


async def test_stop_during_an_unsupervised_restart_wins() -> None:
    """An actor that is told to restart and then to stop is gone in the end."""

    class Slow(Obedient):
        async def on_stop(self) -> None:
            await turns(10)

    async with running_kernel() as kernel:
        actor = kernel.start(Slow)
        actor.ref.restart()
        await turns(3)
        assert await actor.ref.stop(block=False) is True
        await turns()
        assert actor.stats().state == "stopped"


async def test_an_unsupervised_restart_keeps_ref_and_queue() -> None:
    """Without a supervisor too, restart is an end in order and a new incarnation."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        actor.ref.restart()
        queued = actor.ref.ask(lambda behavior: behavior.incarnation, block=False)
        assert await queued == 2


async def test_stop_from_within_a_handler() -> None:
    """An actor may stop itself: the message that did it gets its reply."""

    def stop(behavior: Behavior) -> str:
        behavior.actor_ref.stop(block=False)
        return "bye"

    async with running_kernel() as kernel:
        actor = kernel.start()
        reply = actor.ref.ask(stop, block=False)
        later = actor.ref.ask("later", block=False)
        assert await reply == "bye"
        # Signals go first, but a turn that has begun takes what it finds.
        assert await later == "later"
        await until(lambda: not actor.ref.is_alive())


async def test_stop_awaited_by_the_handler_itself_ends() -> None:
    """A coroutine handler that awaits its own stop is killed after the time limit, not for ever."""

    async def stop(behavior: Behavior) -> None:
        await behavior.actor_ref.stop(block=False)

    async with running_kernel() as kernel:
        actor = kernel.start(shutdown_s=5.0)
        reply = actor.ref.ask(stop, block=False)
        await turns()
        await kernel.advance(5.0)
        with pytest.raises(ActorCrashed, match="did not stop within"):
            await reply
        assert actor.stats().state == "stopped"


async def test_stop_while_starting_serves_nobody() -> None:
    """A stop that meets a start waits for it, then ends; no message is handled in between."""
    gate = asyncio.Event()
    handled: list[Any] = []

    class Gated(Behavior):
        async def on_start(self) -> None:
            await gate.wait()

        def on_receive(self, message: Any) -> None:
            handled.append(message)

    async with running_kernel() as kernel:
        actor = kernel.start(Gated)
        actor.ref.tell("queued")
        await turns()
        stopping = actor.ref.stop(block=False)
        await turns()
        gate.set()
        assert await stopping is True
        assert handled == []
        assert actor.stats().dead_lettered == 1


async def test_draining_while_starting_handles_the_queue_and_lets_nobody_in() -> None:
    """A drain that meets a start closes the door, lets the start finish, and handles the queue."""
    gate = asyncio.Event()

    class Gated(Obedient):
        async def on_start(self) -> None:
            await gate.wait()

    async with running_kernel() as kernel:
        actor = kernel.start(Gated)
        queued = actor.ref.ask("queued", block=False)
        ending = asyncio.create_task(actor.end(drain=True))
        await turns()
        gate.set()
        assert await queued == "queued"
        with pytest.raises(ActorStopped):
            await actor.ref.ask("late", block=False)
        await ending


@pytest.mark.parametrize(
    ("meanwhile", "handled"),
    [
        (lambda _: None, ["queued"]),
        (lambda actor: actor.ref.suspend(), []),
        (lambda actor: actor.ref.restart(), ["queued"]),
        (lambda actor: actor.ref.kill(), []),
    ],
)
async def test_what_happens_to_a_start_that_is_to_drain(meanwhile: Any, handled: list[str]) -> None:
    """A suspension keeps its queue unhandled, a kill ends it at once; a restart comes too late."""
    gate = asyncio.Event()
    seen: list[Any] = []

    class Gated(Behavior):
        async def on_start(self) -> None:
            await gate.wait()

        def on_receive(self, message: Any) -> None:
            seen.append(message)

    async with running_kernel() as kernel:
        actor = kernel.start(Gated)
        actor.ref.tell("queued")
        await turns()
        ending = asyncio.create_task(actor.end(drain=True))
        await turns()
        meanwhile(actor)
        await turns()
        gate.set()
        await ending
        assert seen == handled


async def test_what_crashes_while_it_drains_is_no_dead_letter_of_whom_was_told() -> None:
    """The process ends: a letter would be listed by nobody, and give a reason that is none."""
    gate = asyncio.Event()

    async def fail(_: Behavior) -> None:
        await gate.wait()
        raise Boom("in hand")

    async with running_kernel() as kernel:
        actor = kernel.start()
        in_hand = actor.ref.ask(fail, block=False)
        queued = actor.ref.ask("queued", block=False)
        actor.ref.tell("told")
        await turns()
        ending = asyncio.create_task(actor.end(drain=True))
        await turns()
        gate.set()
        await ending
        actor.terminate()
        with pytest.raises(ActorStopped):
            await queued
        with pytest.raises(ActorCrashed):
            await in_hand
        letters = [each.message for each in kernel.letters.list() if "stopped" in each.reason]
        assert letters == ["'told'"]


@pytest.mark.parametrize("suspended", [False, True])
async def test_a_drain_that_is_cut_short(*, suspended: bool) -> None:
    """Neither what is suspended nor what is told to stop handles its queue before it ends."""
    gate = asyncio.Event()
    async with running_kernel() as kernel:
        actor = kernel.start()
        in_hand = actor.ref.ask(lambda _: gate.wait(), block=False)
        queued = actor.ref.ask("queued", block=False)
        await turns()
        if suspended:
            actor.ref.suspend()
            await turns()
        endings = [asyncio.create_task(actor.end(drain=True)) for _ in range(2)]
        await turns()
        assert actor.stats().state == "stopping"
        stopping = actor.ref.stop(block=False)
        await turns()
        gate.set()
        await asyncio.gather(*endings)
        assert await stopping is True
        assert await in_hand is True
        with pytest.raises(ActorStopped):
            await queued


async def test_kill_while_ending() -> None:
    """A kill does not wait for an orderly end that waits for a handler."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        hung = actor.ref.ask(lambda _: asyncio.sleep(FOREVER), block=False)
        await turns()
        stopping = actor.ref.stop(block=False)
        await turns()
        assert not stopping.ended
        actor.ref.kill("now")
        assert await stopping is True
        with pytest.raises(ActorCrashed):
            await hung


async def test_a_handler_that_outlasts_the_shutdown_limit_is_killed() -> None:
    """shutdown_s bounds an orderly end: then the incarnation is killed."""
    async with running_kernel() as kernel:
        actor = kernel.start(shutdown_s=2.0)
        hung = actor.ref.ask(lambda _: asyncio.sleep(FOREVER), block=False)
        await turns()
        stopping = actor.ref.stop(block=False)
        await turns()
        await kernel.advance(1.9)
        assert not stopping.ended
        await kernel.advance(0.2)
        assert await stopping is True
        with pytest.raises(ActorCrashed):
            await hung


@pytest.mark.parametrize("stubborn", [False, True])
async def test_an_on_stop_that_outlasts_the_shutdown_limit_is_cut_short(*, stubborn: bool) -> None:
    """shutdown_s bounds on_stop too, also one that does not listen to its cancellation."""
    release = asyncio.Event()

    class Hanging(Obedient):
        async def on_stop(self) -> None:
            try:
                await asyncio.sleep(FOREVER)
            except asyncio.CancelledError:
                if not stubborn:
                    raise
                await release.wait()

    async with running_kernel() as kernel:
        actor = kernel.start(Hanging, shutdown_s=2.0)
        stopping = actor.ref.stop(block=False)
        await turns()
        await kernel.advance(2.0)
        assert await stopping is True
        assert actor.stats().state == "stopped"
        release.set()
        await actor.settled()
        hooks = [event.hook for event in kernel.events_of(lifecycle.HookFailed)]
        assert hooks == ([] if stubborn else ["on_stop"])


async def test_what_an_on_stop_that_is_cut_short_has_not_closed_is_taken_away() -> None:
    """It may have been at the first of several things that it closes."""
    said: list[str] = []

    class Closing(Obedient):
        async def on_stop(self) -> None:
            said.append("stopping")
            await asyncio.sleep(FOREVER)

        def on_failure(self, error: BaseException) -> None:
            said.append(str(error))

    async with running_kernel() as kernel:
        actor = kernel.start(Closing)
        await turns()
        ending = asyncio.ensure_future(actor.end())
        await turns()
        ending.cancel()
        await asyncio.wait([ending])
        await actor.settled()
        assert said == ["stopping", "its stop was cut short"]


# --- Suspension ------------------------------------------------------------------------------


async def test_a_suspended_actor_accepts_and_handles_nothing() -> None:
    """Messages wait for resume, in order."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        actor.ref.suspend()
        await turns()
        futures = [actor.ref.ask(number, block=False) for number in range(3)]
        await turns()
        assert not any(future.ended for future in futures)
        assert actor.stats().state == "suspended"
        actor.ref.resume()
        assert [await future for future in futures] == [0, 1, 2]
        assert len(kernel.events_of(lifecycle.Suspended)) == 1
        assert len(kernel.events_of(lifecycle.Resumed)) == 1


async def test_suspension_survives_a_kill() -> None:
    """Suspend, kill, resume: the next incarnation waits as its predecessor did."""
    async with running_kernel() as kernel:
        _, child = await supervised(kernel)
        child.ref.suspend()
        await turns()
        future = child.ref.ask("waits", block=False)
        child.ref.kill()
        await turns()
        assert child.stats().state == "suspended"
        assert child.stats().incarnation == 2
        assert not future.ended
        child.ref.resume()
        assert await future == "waits"


async def test_a_suspension_for_a_time_ends_by_itself() -> None:
    """Seen while it lasts, whatever incarnation it is by then; what was queued is handled."""
    async with running_kernel() as kernel:
        _, child = await supervised(kernel)
        child.ref.suspend(for_s=5)
        await turns()
        child.ref.kill()
        waiting = child.ref.ask("waits", block=False)
        await kernel.advance(2)
        stats = child.stats()
        assert (stats.state, stats.incarnation, stats.resumes_in_s) == ("suspended", 2, 3)
        await kernel.advance(2.99)
        assert not waiting.ended
        await kernel.advance(0.01)
        assert await waiting == "waits"
        assert (child.stats().state, child.stats().resumes_in_s) == ("running", None)


async def test_the_last_word_on_a_suspension_counts() -> None:
    """A later one without an end has none; a resume, or the actor's own end, leaves no timer."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        for again in (actor.ref.suspend, actor.ref.resume):
            actor.ref.suspend(for_s=3600)
            await turns()
            assert actor.stats().resumes_in_s == 3600
            timer = actor._resumption
            assert timer is not None
            again()
            await turns()
            assert timer.cancelled()
            assert actor.stats().resumes_in_s is None
        actor.ref.suspend(for_s=3600)
        await turns()
        timer = actor._resumption
        assert await actor.ref.stop(block=False) is True
        assert timer is not None
        assert timer.cancelled()


async def test_a_suspended_actor_can_be_stopped() -> None:
    """Stop does not wait for resume; what was queued is a dead letter."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        actor.ref.suspend()
        queued = actor.ref.ask("queued", block=False)
        assert await actor.ref.stop(block=False) is True
        with pytest.raises(ActorStopped):
            await queued


async def test_suspension_lets_what_is_in_hand_finish() -> None:
    """A coroutine in hand ends as usual; the next message waits."""
    gate = asyncio.Event()
    async with running_kernel() as kernel:
        actor = kernel.start()
        in_hand = actor.ref.ask(lambda _: gate.wait(), block=False)
        await turns()
        actor.ref.suspend()
        queued = actor.ref.ask("queued", block=False)
        gate.set()
        assert await in_hand is True
        await turns()
        assert not queued.ended
        actor.ref.resume()
        assert await queued == "queued"


async def test_a_degraded_actor_shows_it_while_it_serves() -> None:
    """Until it can write again or its life is over; a suspension hides it for its time."""
    async with running_kernel() as kernel:
        _, child = await supervised(kernel)
        states = []
        steps: list[Callable[[], None]] = [
            lambda: child.degrade(1, "disk full"),
            lambda: child.degrade(1, "disk still full"),
            child.ref.suspend,
            child.ref.resume,
            lambda: child.degrade(1, None),
            child.ref.suspend,
            lambda: child.degrade(1, "full again"),
            child.ref.resume,
            child.ref.kill,
            lambda: child.degrade(1, "no news of the living"),
            lambda: child.degrade(2, "full"),
            child.ref.restart,
        ]
        for step in steps:
            step()
            await turns()
            states.append(child.state)
        assert states == [
            "degraded", "degraded", "suspended", "degraded", "running", "suspended", "suspended",
            "degraded", "running", "running", "degraded", "running",
        ]  # fmt: skip
        assert await child.ref.ask("served", block=False) == "served"
        assert [event.error for event in kernel.events_of(lifecycle.Degraded)] == [
            "disk full", "full again", "full",
        ]  # fmt: skip
        assert len(kernel.events_of(lifecycle.Recovered)) == 1


# --- Turns and lanes -------------------------------------------------------------------------


async def test_a_message_put_during_a_turn_is_handled() -> None:
    """An actor that sends to itself is not forgotten asleep."""
    seen: list[int] = []

    def count(number: int) -> Callable[[Behavior], None]:
        def handle(behavior: Behavior) -> None:
            seen.append(number)
            if number < 500:
                behavior.actor_ref.tell(count(number + 1))

        return handle

    async with running_kernel() as kernel:
        actor = kernel.start(mailbox=mailbox_config(turn_messages_max=3))
        actor.ref.tell(count(1))
        await until(lambda: len(seen) == 500)
        assert seen == list(range(1, 501))


async def test_a_long_queue_leaves_the_others_their_turn() -> None:
    """After turn_messages_max messages the neighbours are served."""
    order: list[str] = []
    async with running_kernel() as kernel:
        config = mailbox_config(turn_messages_max=4)
        busy = kernel.start(name="busy", mailbox=config)
        other = kernel.start(name="other", mailbox=config)
        for _ in range(12):
            busy.ref.tell(lambda _: order.append("busy"))
        other.ref.tell(lambda _: order.append("other"))
        await until(lambda: len(order) == 13)
        assert order.index("other") == 4


async def test_lanes_do_not_wait_for_each_other() -> None:
    """While a coroutine holds one lane, the other serves; each lane keeps its order."""
    gate = asyncio.Event()
    async with running_kernel() as kernel:
        actor = kernel.start(lanes=2, lane_of=lambda message: 1 if message == "read" else 0)
        write = actor.ref.ask(lambda _: gate.wait(), block=False)
        behind = actor.ref.ask("behind", block=False)
        await turns()
        assert await actor.ref.ask("read", block=False) == "read"
        assert not write.ended
        assert not behind.ended
        gate.set()
        assert [await write, await behind] == [True, "behind"]


async def test_a_lane_that_is_busy_goes_on_when_a_sibling_lane_crashes() -> None:
    """A crash in one lane ends the incarnation: what the other lane has in hand is given up."""
    async with running_kernel() as kernel:
        _, child = await supervised(
            kernel, lanes=2, lane_of=lambda message: 1 if message is crash else 0
        )
        hung = child.ref.ask(lambda _: asyncio.sleep(FOREVER), block=False)
        await turns()
        with pytest.raises(ActorCrashed):
            await child.ref.ask(crash, block=False)
        with pytest.raises(ActorCrashed):
            await hung
        assert await child.ref.ask("next", block=False) == "next"


async def test_a_refusal_is_a_reply_that_is_counted_apart() -> None:
    """A Refusal is the ask's value, counted as refused."""
    no = Refusal.conflict("no")

    async def refuse(_: Behavior) -> Refusal:
        return no

    async with running_kernel() as kernel:
        actor = kernel.start()
        assert await actor.ref.ask(lambda _: no, block=False) is no
        assert await actor.ref.ask(refuse, block=False) is no
        assert (actor.stats().refused, actor.stats().handled) == (2, 0)


# --- Deadlines -------------------------------------------------------------------------------


async def test_an_expired_message_is_not_run(clock: ManualClock) -> None:
    """Its ask ends with DeadlineExceeded, and the handler never sees it."""
    seen: list[str] = []
    async with running_kernel(clock) as kernel:
        actor = kernel.start()
        actor.ref.suspend()
        await turns()
        expiring = actor.ref.ask(lambda _: seen.append("expired"), block=False, timeout=1.0)
        told = "told"
        actor.ref.tell(lambda _: seen.append(told), timeout=1.0)
        living = actor.ref.ask(lambda _: seen.append("living"), block=False, timeout=2.0)
        await kernel.advance(1.0)
        with pytest.raises(DeadlineExceeded):
            await expiring
        actor.ref.resume()
        await living
        assert seen == ["living"]
        assert actor.stats().refused == 2


async def test_an_ask_ends_at_its_deadline_though_the_handler_goes_on(clock: ManualClock) -> None:
    """The caller is told at the deadline; the handler's work still counts as handled."""
    async with running_kernel(clock) as kernel:
        actor = kernel.start()
        slow = actor.ref.ask(lambda _: asyncio.sleep(3.0), block=False, timeout=1.0)
        await turns()
        await kernel.advance(1.0)
        with pytest.raises(DeadlineExceeded):
            await slow
        await kernel.advance(2.0)
        assert actor.stats().handled == 1


async def test_an_ask_whose_caller_is_cancelled_is_still_handled() -> None:
    """Cancellation ends the caller's wait; the message is handled and accounted for."""
    gate = asyncio.Event()
    async with running_kernel() as kernel:
        actor = kernel.start()

        async def caller() -> None:
            await actor.ref.ask(lambda _: gate.wait(), block=False, timeout=5.0)

        task = asyncio.create_task(caller())
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()
        await until(lambda: actor.stats().handled == 1)
        assert await actor.ref.ask("next", block=False) == "next"


# --- Batches ---------------------------------------------------------------------------------


class Batching(Behavior):
    """Handles batches; `world` is what a store would remember."""

    redelivers = True

    def __init__(self, world: list[Any]) -> None:
        self.world = world

    async def on_batch(self, lane: int, batch: Sequence[Envelope]) -> BatchResult:
        self.world.append([(e.message, e.attempt, e.started) for e in batch])
        outcomes: list[Any] = []
        for index, envelope in enumerate(batch):
            await asyncio.sleep(0)
            if envelope.message == "poison":
                if envelope.attempt >= 3:
                    outcomes.append(DeadLettered("poison"))
                    continue
                return BatchResult(outcomes=outcomes, crash=Boom("poison"), culprit=index)
            outcomes.append(envelope.message)
        return BatchResult(outcomes=outcomes)


async def test_a_poison_message_is_retried_in_order_and_its_neighbours_lose_nothing() -> None:
    """Those before it are done, it and those after it come back in order; attempts are its own."""
    world: list[Any] = []
    async with running_kernel() as kernel:
        _, child = await supervised(kernel, lambda: Batching(world), batch_messages_max=10)
        child.ref.suspend()
        await turns()
        futures = [child.ref.ask(m, block=False) for m in ("a", "poison", "b", "c")]
        child.ref.resume()
        assert [await futures[index] for index in (0, 2, 3)] == ["a", "b", "c"]
        with pytest.raises(DeadLettered):
            await futures[1]
        assert world == [
            [("a", 0, False), ("poison", 0, False), ("b", 0, False), ("c", 0, False)],
            *([("poison", attempt, True), ("b", 0, True), ("c", 0, True)] for attempt in (1, 2, 3)),
        ]
        assert child.stats().incarnation == 4
        assert child.stats().dead_lettered == 1
        [letter] = kernel.letters.list()
        assert letter.attempts == 3


async def test_a_batch_of_one_is_a_batch() -> None:
    """Who takes batches takes them also where each is to hold one message."""
    world: list[Any] = []
    async with running_kernel() as kernel:
        _, child = await supervised(kernel, lambda: Batching(world), batch_messages_max=1)
        assert await child.ref.ask("a", block=False) == "a"
        assert await child.ref.ask("b", block=False) == "b"
        assert world == [[("a", 0, False)], [("b", 0, False)]]


async def test_what_is_half_done_goes_before_what_begins() -> None:
    """Where not all fit into a batch; each has its order, and what begins a share of the batch."""
    world: list[Any] = []
    async with running_kernel() as kernel:
        _, child = await supervised(kernel, lambda: Batching(world), batch_messages_max=4)
        child.ref.suspend()
        await turns()
        for number in range(6):
            child.actor_inbox.put(Envelope(f"new {number}"))
        for number in range(5):
            child.actor_inbox.admit([Envelope(f"half done {number}", origin="a channel")])
        child.ref.resume()
        await until(lambda: sum(map(len, world)) == 11)
        assert [[entry[0] for entry in batch] for batch in world] == [
            ["half done 0", "half done 1", "half done 2", "new 0"],
            ["half done 3", "half done 4", "new 1", "new 2"],
            ["new 3", "new 4", "new 5"],
        ]


@pytest.mark.parametrize("batch_max", [1, 3])
async def test_a_batch_too_small_to_be_shared_starves_nobody(batch_max: int) -> None:
    """Else what begins would wait for as long as anything is half done."""
    world: list[Any] = []
    async with running_kernel() as kernel:
        _, child = await supervised(kernel, lambda: Batching(world), batch_messages_max=batch_max)
        child.ref.suspend()
        await turns()
        child.actor_inbox.put(Envelope("new"))
        for number in range(5):
            child.actor_inbox.admit([Envelope(f"half done {number}", origin="a channel")])
        child.ref.resume()
        await until(lambda: sum(map(len, world)) == 6)
        assert world[0][0][0] == "new"


async def test_a_killed_batch_comes_back_whole_and_unblamed() -> None:
    """Kill in the middle of a batch: all of it is delivered again, in order, ahead of the queue."""
    world: list[Any] = []
    async with running_kernel() as kernel:
        _, child = await supervised(kernel, lambda: Batching(world), batch_messages_max=3)
        futures = [child.ref.ask(number, block=False) for number in range(5)]
        await until(lambda: world)
        child.ref.kill()
        assert [await future for future in futures] == [0, 1, 2, 3, 4]
        assert [[entry[0] for entry in batch] for batch in world] == [[0, 1, 2], [0, 1, 2], [3, 4]]
        assert [entry[1] for batch in world for entry in batch] == [0] * 8


async def test_a_batch_that_is_not_redelivered_ends_in_dead_letters() -> None:
    """Without redelivery each message in hand is given up, and the accounts hold at each."""

    class Once(Batching):
        redelivers = False

    async with running_kernel() as kernel:
        _, child = await supervised(kernel, lambda: Once([]), batch_messages_max=4)
        futures = [child.ref.ask(number, block=False) for number in range(6)]
        await until(lambda: child.actor_inbox.lanes[0].in_flight)
        child.ref.kill()
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(result) for result in results] == [ActorCrashed] * 4 + [int] * 2
        assert child.stats().dead_lettered == 4


async def test_a_batch_answered_short_without_a_crash_is_a_crash() -> None:
    """A behavior that forgets outcomes loses no message: the incarnation ends, they come back."""

    class Forgetful(Batching):
        async def on_batch(self, lane: int, batch: Sequence[Envelope]) -> BatchResult:
            if not self.world:
                self.world.append("forgot")
                return BatchResult(outcomes=["first"])
            return BatchResult(outcomes=[envelope.message for envelope in batch])

    world: list[Any] = []
    async with running_kernel() as kernel:
        _, child = await supervised(kernel, lambda: Forgetful(world), batch_messages_max=4)
        futures = [child.ref.ask(number, block=False) for number in range(3)]
        assert [await future for future in futures] == ["first", 1, 2]
        assert child.stats().incarnation == 2


async def test_an_on_batch_that_raises_blames_nobody() -> None:
    """An exception out of on_batch is a charged crash; the whole batch comes back."""
    failures = [Boom("batch"), asyncio.CancelledError()]

    class Raising(Batching):
        async def on_batch(self, lane: int, batch: Sequence[Envelope]) -> BatchResult:
            if failures:
                raise failures.pop()
            return await super().on_batch(lane, batch)

    world: list[Any] = []
    async with running_kernel() as kernel:
        _, child = await supervised(kernel, lambda: Raising(world), batch_messages_max=4)
        futures = [child.ref.ask(number, block=False) for number in range(3)]
        assert [await future for future in futures] == [0, 1, 2]
        assert world == [[(0, 0, True), (1, 0, True), (2, 0, True)]]
        assert child.stats().incarnation == 3


async def test_expired_messages_leave_a_batch() -> None:
    """A batch is of the living; one of only the dead is none, and does not stall the queue."""
    world: list[Any] = []
    async with running_kernel() as kernel:
        actor = kernel.start(lambda: Batching(world), batch_messages_max=2)
        actor.ref.suspend()
        await turns()
        dead = [actor.ref.ask(number, block=False, timeout=1.0) for number in range(3)]
        living = actor.ref.ask("living", block=False)
        await kernel.advance(1.0)
        actor.ref.resume()
        assert await living == "living"
        assert world == [[("living", 0, False)]]
        for future in dead:
            with pytest.raises(DeadlineExceeded):
                await future


# --- pykka's vocabulary ----------------------------------------------------------------------


async def test_pykka_users_find_what_they_know() -> None:
    """Refs, futures, errors and the ActorRegistry are pykka's."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        assert isinstance(actor, pykka.Actor)
        assert isinstance(actor.ref, pykka.ActorRef)
        assert actor.actor_ref is actor.ref
        assert ActorRegistry.get_by_urn(actor.actor_urn) is actor.ref
        assert ActorRegistry.get_all() == [actor.ref]
        future = actor.ref.ask("hello", block=False)
        assert isinstance(future, pykka.Future)
        assert await future == "hello"
        await actor.ref.stop(block=False)
        assert ActorRegistry.get_all() == []
        with pytest.raises(ActorDeadError):
            actor.ref.tell("late")
        with pytest.raises(TypeError, match="send a message"):
            actor.ref.proxy()
        assert str(actor.ref) == "actor"


async def test_a_full_mailbox_can_be_stopped_and_killed() -> None:
    """Signals need no room."""
    async with running_kernel() as kernel:
        actor = kernel.start(mailbox=mailbox_config(capacity=1))
        actor.ref.suspend()
        await turns()
        queued = actor.ref.ask("queued", block=False)
        with pytest.raises(MailboxFull):
            actor.ref.tell("too many")
        assert await actor.ref.stop(block=False) is True
        with pytest.raises(ActorStopped):
            await queued


async def test_terminate_leaves_no_task() -> None:
    """After terminate and settled nothing of the actor runs, whatever it was doing."""
    async with running_kernel() as kernel:
        actor = kernel.start(lanes=2, lane_of=lambda _: 0)
        actor.ref.tell(lambda _: asyncio.sleep(FOREVER))
        await turns()
        actor.terminate()
        await actor.settled()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not actor.tasks
