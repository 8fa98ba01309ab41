from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pykka
import pytest

from actors.errors import (
    ActorCrashed,
    ActorStopped,
    AskCycle,
    BlockingCall,
    DeadlineExceeded,
    MailboxFull,
)
from actors.kernel.behavior import Behavior
from tests.kernel.kernel_harness import crash, mailbox_config, running_kernel, turns, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.actor import AsyncioActor
    from actors.kernel.ref import ActorRef

FOREVER = 1_000_000.0


# --- On the loop -----------------------------------------------------------------------------


async def test_blocking_calls_on_the_loop_say_what_to_write() -> None:
    """A blocking ask or stop would stop every actor: it raises and names the alternative."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        with pytest.raises(BlockingCall, match=r"await ref\.ask\(message, block=False\)"):
            actor.ref.ask("hello")
        with pytest.raises(BlockingCall, match=r"await ref\.stop\(block=False\)"):
            actor.ref.stop()
        assert actor.stats().accepted == 0
        assert actor.ref.is_alive()


async def test_a_blocking_ask_in_a_handler_is_a_crash_that_explains_itself() -> None:
    """A handler runs on the loop too."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        other = kernel.start(name="other")
        future = actor.ref.ask(lambda _: other.ref.ask("blocking"), block=False)
        with pytest.raises(ActorCrashed, match="BlockingCall"):
            await future


async def test_fifo_per_sender() -> None:
    """Asks and tells of one sender are handled in the order they were sent."""
    seen: list[int] = []
    async with running_kernel() as kernel:
        actor = kernel.start()
        for number in range(0, 100, 2):
            actor.ref.tell(lambda _, n=number: seen.append(n))
            actor.ref.ask(lambda _, n=number: seen.append(n + 1), block=False)
        await until(lambda: actor.stats().mailbox_depth == 0)
        assert seen == list(range(100))


# --- From other threads ----------------------------------------------------------------------


async def test_ask_tell_and_stop_from_another_thread() -> None:
    """From another thread ask and stop block for their value, tell for nothing."""
    told = asyncio.Event()
    async with running_kernel() as kernel:
        actor = kernel.start()

        def elsewhere() -> list[Any]:
            actor.ref.tell(lambda _: told.set())
            return [
                actor.ref.ask("blocking"),
                actor.ref.ask("future", block=False).get(timeout=100.0),
                actor.ref.stop(),
                actor.ref.stop(),
            ]

        assert await asyncio.to_thread(elsewhere) == ["blocking", "future", True, False]
        assert told.is_set()
        assert not actor.ref.is_alive()


async def test_many_threads_keep_their_own_order() -> None:
    """Messages of one thread stay in order, however many threads send at once."""
    seen: list[tuple[int, int]] = []
    async with running_kernel() as kernel:
        actor = kernel.start(mailbox=mailbox_config(capacity=10_000))

        def send(thread: int) -> None:
            for number in range(100):
                actor.ref.tell(lambda _, n=number: seen.append((thread, n)))
            actor.ref.ask("last")

        await asyncio.gather(*(asyncio.to_thread(send, thread) for thread in range(4)))
        for thread in range(4):
            assert [n for t, n in seen if t == thread] == list(range(100))


async def test_refusals_reach_other_threads() -> None:
    """From a thread, a refusal ends the ask, and makes a dead letter of a tell."""
    async with running_kernel() as kernel:
        actor = kernel.start(mailbox=mailbox_config(capacity=1))
        actor.ref.suspend()
        await turns()
        actor.ref.tell("first")

        def overflow() -> None:
            with pytest.raises(MailboxFull):
                actor.ref.ask("second")
            actor.ref.tell("third")

        await asyncio.to_thread(overflow)
        await turns()
        assert [letter.message for letter in kernel.letters.list()] == ["'third'"]
        actor.terminate()

        def late() -> None:
            with pytest.raises(pykka.ActorDeadError):
                actor.ref.ask("late")
            actor.ref.tell("late")
            assert actor.ref.stop() is False

        await asyncio.to_thread(late)
        await turns()
        assert actor.stats().rejected == 4
        kernel.check_accounts()


async def test_a_threads_tell_that_waits_before_a_closing_door_is_a_dead_letter() -> None:
    """Under "wait" a tell from a thread is accounted for, and nothing is raised into the loop."""
    async with running_kernel() as kernel:
        actor = kernel.start(mailbox=mailbox_config(capacity=1, overflow="wait"))
        actor.ref.suspend()
        await turns()
        actor.ref.tell("first")
        await asyncio.to_thread(lambda: actor.ref.tell("waits"))
        await until(lambda: actor.actor_inbox.lanes[0].waiting)
        actor.terminate()
        await turns()
        messages = [letter.message for letter in kernel.letters.list()]
        assert messages == ["'first'", "'waits'"]


async def test_signals_from_another_thread() -> None:
    """Kill, suspend, resume and restart may come from any thread."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        await asyncio.to_thread(actor.ref.suspend)
        await until(lambda: actor.stats().state == "suspended")
        await asyncio.to_thread(actor.ref.resume)
        await until(lambda: actor.stats().state == "running")
        await asyncio.to_thread(actor.ref.restart)
        await until(lambda: actor.stats().incarnation == 2)
        await asyncio.to_thread(actor.ref.kill)
        await until(lambda: not actor.ref.is_alive())


async def test_a_thread_with_a_loop_of_its_own() -> None:
    """An ask with a timeout from another loop sets its timer on the actor's loop."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        threads: list[int] = []
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def noting(*args: Any, **kwargs: Any) -> Any:
            threads.append(threading.get_ident())
            return call_later(*args, **kwargs)

        loop.call_later = noting  # type: ignore[method-assign,assignment]

        def elsewhere() -> Any:
            async def ask() -> Any:
                return actor.ref.ask("hello", block=False, timeout=5.0)

            return asyncio.run(ask()).get(timeout=100.0)

        assert await asyncio.to_thread(elsewhere) == "hello"
        del loop.call_later
        assert threads == [threading.get_ident()]


async def test_stop_from_a_thread_while_the_actor_dies() -> None:
    """A stop that finds the actor gone when it arrives ends with False."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        started = threading.Event()

        def stop() -> Any:
            future = actor.ref.stop(block=False)
            started.set()
            return future.get(timeout=100.0)

        stopping = asyncio.create_task(asyncio.to_thread(stop))
        while not started.is_set():  # noqa: ASYNC110 - a thread's event, and the loop must turn
            await asyncio.sleep(0)
        actor.terminate()
        assert await stopping in {True, False}


# --- Cycles ----------------------------------------------------------------------------------


def asks(other: ActorRef, message: Any) -> Callable[[Behavior], Any]:
    """Return a message whose handler awaits an ask of another actor."""

    async def handle(_: Behavior) -> Any:
        return await other.ask(message, block=False)

    return handle


async def reply_or_error(ref: ActorRef, message: Any) -> Any:
    try:
        return await ref.ask(message, block=False)
    except AskCycle as cycle:
        return cycle.path


def catching(other: ActorRef, message: Any) -> Callable[[Behavior], Any]:
    async def handle(_: Behavior) -> Any:
        return await reply_or_error(other, message)

    return handle


@pytest.mark.parametrize("length", [1, 2, 3])
async def test_a_cycle_of_asks_fails_at_once_with_its_path(length: int) -> None:
    """The ask that would close the circle raises AskCycle; all others get their reply."""
    async with running_kernel() as kernel:
        actors: list[AsyncioActor] = [kernel.start(name=name) for name in "abc"[:length]]
        message: Any = catching(actors[0].ref, "never arrives")
        for actor in reversed(actors[1:]):
            message = asks(actor.ref, message)
        path = await actors[0].ref.ask(message, block=False)
        names = tuple("abc"[:length])
        assert path == (*names, "a")
        assert await actors[0].ref.ask("alive", block=False) == "alive"


async def test_the_path_starts_where_the_circle_does() -> None:
    """Actors that wait outside the circle are no part of the error."""
    async with running_kernel() as kernel:
        a, b, c = (kernel.start(name=name) for name in "abc")
        message = asks(b.ref, asks(c.ref, catching(b.ref, "never")))
        assert await a.ref.ask(message, block=False) == ("b", "c", "b")


async def test_a_tell_back_is_no_cycle() -> None:
    """An actor may tell the one that waits for it."""
    seen: list[str] = []
    async with running_kernel() as kernel:
        a, b = (kernel.start(name=name) for name in "ab")

        async def back(_: Behavior) -> str:
            a.ref.tell(lambda _: seen.append("told"))
            return "reply"

        assert await a.ref.ask(asks(b.ref, back), block=False) == "reply"
        await until(lambda: seen == ["told"])


async def test_an_uncaught_cycle_crashes_only_those_in_it() -> None:
    """AskCycle in a handler that does not expect it is a crash like any other."""
    async with running_kernel() as kernel:
        a, b, bystander = (kernel.start(name=name) for name in ("a", "b", "bystander"))
        future = a.ref.ask(asks(b.ref, asks(a.ref, "never")), block=False)
        with pytest.raises(ActorCrashed, match="crashed with this message"):
            await future
        assert not a.ref.is_alive()
        assert await bystander.ref.ask("fine", block=False) == "fine"


async def test_a_second_ask_after_the_first_is_no_cycle() -> None:
    """The path is who waits now, not who ever asked."""
    async with running_kernel() as kernel:
        a, b = (kernel.start(name=name) for name in "ab")
        assert await a.ref.ask(asks(b.ref, "one"), block=False) == "one"
        assert await b.ref.ask(asks(a.ref, "two"), block=False) == "two"


# --- Deadlines -------------------------------------------------------------------------------


async def test_every_ask_with_a_timeout_ends_by_it() -> None:
    """Suspended, hung or starting: the ask ends at its deadline."""

    class Hung(Behavior):
        async def on_start(self) -> None:
            await asyncio.sleep(FOREVER)

    async with running_kernel() as kernel:
        starting = kernel.start(Hung, name="starting")
        hung = kernel.start(name="hung")
        hung.ref.tell(lambda _: asyncio.sleep(FOREVER))
        futures = [actor.ref.ask("?", block=False, timeout=2.0) for actor in (starting, hung)]
        await kernel.advance(1.9)
        assert not any(future.ended for future in futures)
        await kernel.advance(0.1)
        for future in futures:
            with pytest.raises(DeadlineExceeded):
                await future


async def test_who_has_a_reply_waits_for_no_deadline() -> None:
    """An ask that ended is held by nobody for the rest of its time."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        future = actor.ref.ask("?", block=False, timeout=5.0)
        await future
        assert not kernel.context.deadlines.waiting()
        future = actor.ref.ask(crash, block=False, timeout=5.0)
        with pytest.raises(ActorCrashed, match="crashed"):
            await future
        assert not kernel.context.deadlines.waiting()
        with pytest.raises(ActorStopped):
            await actor.ref.ask("?", block=False, timeout=5.0)
        assert not kernel.context.deadlines.waiting()
