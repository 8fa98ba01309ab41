from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import (
    ActorError,
    ActorStopped,
    DeadlineExceeded,
    MailboxFull,
    ServiceUnavailable,
    Starting,
)
from actors.kernel import lifecycle
from actors.kernel.envelope import Envelope
from tests.kernel.kernel_harness import mailbox_config, running_kernel, turns, until

if TYPE_CHECKING:
    from actors.kernel.actor import AsyncioActor
    from tests.kernel.kernel_harness import Kernel


async def suspended(
    kernel: Kernel, *, capacity: int, overflow: str, **options: Any
) -> AsyncioActor:
    actor = kernel.start(mailbox=mailbox_config(capacity=capacity, overflow=overflow), **options)
    actor.ref.suspend()
    await turns()
    return actor


async def test_reject_refuses_what_does_not_fit() -> None:
    """The policy "reject" raises MailboxFull with a hint, counts it, and keeps what it has."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=2, overflow="reject")
        kept = [actor.ref.ask(number, block=False) for number in range(2)]
        with pytest.raises(MailboxFull) as refused:
            actor.ref.tell("too many")
        assert refused.value.retry_after_s > 0
        with pytest.raises(MailboxFull):
            await actor.ref.ask("too many", block=False)
        assert (actor.stats().accepted, actor.stats().rejected) == (2, 2)
        actor.ref.resume()
        assert [await future for future in kept] == [0, 1]


async def test_drop_oldest_makes_room_at_the_head() -> None:
    """The oldest message becomes a dead letter, and its ask ends with MailboxFull."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=2, overflow="drop_oldest")
        futures = [actor.ref.ask(number, block=False) for number in range(3)]
        with pytest.raises(MailboxFull):
            await futures[0]
        actor.ref.resume()
        assert [await future for future in futures[1:]] == [1, 2]
        assert [letter.message for letter in kernel.letters.list()] == ["0"]


async def test_drop_newest_keeps_the_queue() -> None:
    """The new message becomes a dead letter, and its ask ends with MailboxFull."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=2, overflow="drop_newest")
        futures = [actor.ref.ask(number, block=False) for number in range(3)]
        with pytest.raises(MailboxFull):
            await futures[2]
        actor.ref.resume()
        assert [await future for future in futures[:2]] == [0, 1]
        assert [letter.message for letter in kernel.letters.list()] == ["2"]


async def test_waiting_senders_come_in_first_come_first_served() -> None:
    """Under "wait" `send` returns once there was room, and the order of sending is kept."""
    seen: list[int] = []
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=2, overflow="wait")
        senders = [
            asyncio.create_task(actor.ref.send(lambda _, n=number: seen.append(n)))
            for number in range(4)
        ]
        await turns()
        assert [sender.done() for sender in senders] == [True, True, False, False]
        actor.ref.resume()
        await asyncio.gather(*senders)
        await until(lambda: len(seen) == 4)
        assert seen == [0, 1, 2, 3]


async def test_a_cancelled_waiting_sender_never_comes_in() -> None:
    """Cancelled outside the door, its message is not accepted; the next sender is."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=1, overflow="wait")
        first = actor.ref.ask("first", block=False)
        gone = asyncio.create_task(actor.ref.send("gone"))
        asked = actor.ref.ask("asked", block=False)
        await turns()
        gone.cancel()
        await turns()
        actor.ref.resume()
        assert [await first, await asked] == ["first", "asked"]
        assert actor.stats().accepted == 2


async def test_an_ask_that_expires_while_it_waits_never_comes_in() -> None:
    """It ends with DeadlineExceeded outside the door and is not accepted."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=1, overflow="wait")
        first = actor.ref.ask("first", block=False)
        waiting = actor.ref.ask("waiting", block=False, timeout=1.0)
        await kernel.advance(1.0)
        with pytest.raises(DeadlineExceeded):
            await waiting
        actor.ref.resume()
        assert await first == "first"
        assert actor.stats().accepted == 1


async def test_a_send_does_not_wait_beyond_its_timeout() -> None:
    """`send` gives up with DeadlineExceeded where there is no room in time."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=1, overflow="wait")
        actor.ref.tell("first")
        sending = asyncio.create_task(actor.ref.send("second", timeout=1.0))
        await turns()
        await kernel.advance(1.0)
        with pytest.raises(DeadlineExceeded):
            await sending
        actor.ref.resume()
        await turns()
        assert actor.stats().accepted == 1


async def test_the_waiting_room_is_bounded_and_counts_only_the_living() -> None:
    """As many senders may wait as messages be queued; those who left make room at once."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=2, overflow="wait")
        for number in range(2):
            actor.ref.tell(number)
        expiring = [actor.ref.ask(number, block=False, timeout=1.0) for number in range(2)]
        with pytest.raises(MailboxFull):
            await actor.ref.send("too many")
        await kernel.advance(1.0)
        for future in expiring:
            with pytest.raises(DeadlineExceeded):
                await future
        living = actor.ref.ask("living", block=False)
        assert not living.ended
        actor.ref.resume()
        assert await living == "living"


async def test_room_that_expiry_makes_belongs_to_those_who_wait() -> None:
    """Nobody overtakes a waiting sender, and none waits for ever before an empty queue."""
    seen: list[str] = []
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=1, overflow="wait")
        actor.ref.tell(lambda _: seen.append("expired"), timeout=1.0)
        first = asyncio.create_task(actor.ref.send(lambda _: seen.append("first")))
        await turns()
        await kernel.advance(1.0)
        second = asyncio.create_task(actor.ref.send(lambda _: seen.append("second")))
        await turns()
        assert (first.done(), second.done()) == (True, False)
        actor.ref.resume()
        await asyncio.gather(first, second)
        await until(lambda: len(seen) == 2)
        assert seen == ["first", "second"]


async def test_a_mailbox_that_closes_refuses_those_who_wait() -> None:
    """Asks and sends end with the reason; a tell, which nobody awaits, becomes a dead letter."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=3, overflow="wait")
        for number in range(3):
            actor.ref.tell(number)
        asked = actor.ref.ask("asked", block=False)
        sending = asyncio.create_task(actor.ref.send("sent"))
        await turns()
        actor.ref.tell("told")
        actor.terminate()
        with pytest.raises(ActorStopped):
            await asked
        with pytest.raises(ActorStopped):
            await sending
        await turns()
        assert actor.stats().rejected == 3
        assert [letter.message for letter in kernel.letters.list()][-1] == "'told'"
        assert len(kernel.letters.list()) == 4


async def test_expired_messages_free_their_room() -> None:
    """A full queue whose head has expired takes a new message; the dead are refused."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=2, overflow="reject")
        expired = [actor.ref.ask(number, block=False, timeout=1.0) for number in range(2)]
        await kernel.advance(1.0)
        living = actor.ref.ask("living", block=False)
        for future in expired:
            with pytest.raises(DeadlineExceeded):
                await future
        assert (actor.stats().refused, actor.stats().mailbox_depth) == (2, 1)
        assert actor.actor_inbox.expired["mailbox"] == 2
        actor.ref.resume()
        assert await living == "living"


async def test_signals_go_before_messages() -> None:
    """Kill, restart and stop come into force before whatever is queued, on a full mailbox too."""
    async with running_kernel() as kernel:
        actor = kernel.start(mailbox=mailbox_config(capacity=4))
        queued = [actor.ref.ask(number, block=False) for number in range(4)]
        stopping = actor.ref.stop(block=False)
        assert await stopping is True
        results = await asyncio.gather(*queued, return_exceptions=True)
        assert [type(result) for result in results] == [ActorStopped] * 4


async def test_each_lane_has_its_own_capacity() -> None:
    """A full lane refuses; the other accepts."""
    async with running_kernel() as kernel:
        actor = await suspended(
            kernel,
            capacity=1,
            overflow="reject",
            lanes=2,
            lane_of=lambda message: 1 if message == "read" else 0,
        )
        actor.ref.tell("write")
        with pytest.raises(MailboxFull):
            actor.ref.tell("write")
        actor.ref.tell("read")
        assert actor.stats().mailbox_depth == 2


async def test_what_is_kept_comes_in_order_behind_what_waits_and_needs_no_room() -> None:
    """All that is admitted at once stands as it was given, numbered on, and is handled."""
    heard: list[int] = []
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=1, overflow="reject")
        actor.ref.tell(lambda _: heard.append(1))
        kept = [Envelope(lambda _, number=each: heard.append(number)) for each in (2, 3, 4)]
        actor.actor_inbox.admit(kept)
        assert [each.seq for each in kept] == [2, 3, 4]
        assert (actor.stats().accepted, actor.stats().mailbox_depth) == (4, 4)
        actor.ref.resume()
        await until(lambda: actor.stats().handled == 4)
        assert heard == [1, 2, 3, 4]
        actor.crash(RuntimeError("over"))
        with pytest.raises(ActorStopped):
            actor.actor_inbox.admit(kept)
        assert (actor.stats().accepted, actor.stats().rejected) == (4, 1)


async def test_a_parked_mailbox_refuses_and_opens_again() -> None:
    """Parked: what is queued and what comes ends with ServiceUnavailable; no dead letters."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=2, overflow="reject")
        queued = actor.ref.ask("queued", block=False)
        actor.crash(RuntimeError("over"))  # unsupervised: terminates
        with pytest.raises(ActorStopped):
            await queued

        other = kernel.start(name="other")
        other.actor_inbox.signal("suspend")
        await turns()
        queued = other.ref.ask("queued", block=False)
        await other.end()
        other.park("Boom", 30.0)
        with pytest.raises(ServiceUnavailable) as refused:
            await queued
        assert refused.value.retry_after_s == 30.0
        with pytest.raises(ServiceUnavailable):
            other.ref.tell("late")
        assert (other.stats().refused, other.stats().rejected) == (1, 1)


async def test_pykkas_inbox_protocol() -> None:
    """`get` takes the next message, `empty` says whether there is one."""
    async with running_kernel() as kernel:
        actor = await suspended(kernel, capacity=2, overflow="reject")
        inbox = actor.actor_inbox
        assert inbox.empty()
        with pytest.raises(LookupError):
            inbox.get()
        actor.ref.tell("one")
        assert not inbox.empty()
        envelope = inbox.get()
        assert (envelope.message, envelope.seq) == ("one", 1)
        inbox.handled += 1


class Sender:
    """Does generated operations to one actor; what it sent notes its number when handled."""

    def __init__(self, kernel: Kernel, actor: AsyncioActor) -> None:
        self.kernel = kernel
        self.actor = actor
        self.handled: list[int] = []
        self.asks: list[Any] = []
        self.sends: list[asyncio.Task[None]] = []

    def note(self, number: int) -> Any:
        return lambda _: self.handled.append(number)

    async def do(self, number: int, op: str, argument: Any) -> None:
        ref = self.actor.ref
        match op:
            case "ask":
                self.asks.append(ref.ask(self.note(number), block=False, timeout=argument))
            case "tell":
                with contextlib.suppress(MailboxFull):
                    ref.tell(self.note(number), timeout=argument)
            case "send":
                self.sends.append(asyncio.create_task(ref.send(self.note(number))))
                await asyncio.sleep(0)
            case "cancel" if self.sends:
                self.sends[argument % len(self.sends)].cancel()
                await asyncio.sleep(0)
            case "slow":
                with contextlib.suppress(MailboxFull):
                    ref.tell(lambda _: turns(argument))
            case "suspend" | "resume":
                getattr(ref, op)()
            case "turn":
                await turns(3)
            case "advance":
                await self.kernel.advance(argument)


@given(
    overflow=st.sampled_from(["reject", "drop_oldest", "drop_newest", "wait"]),
    capacity=st.integers(1, 4),
    ops=st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.sampled_from([None, 1.0, 2.0])),
            st.tuples(st.just("tell"), st.sampled_from([None, 1.0])),
            st.tuples(st.just("send"), st.none()),
            st.tuples(st.just("cancel"), st.integers(0, 20)),
            st.tuples(st.sampled_from(["suspend", "resume", "turn"]), st.none()),
            st.tuples(st.just("advance"), st.sampled_from([0.5, 1.0])),
            st.tuples(st.just("slow"), st.integers(1, 5)),
        ),
        max_size=30,
    ),
)
async def test_every_policy_keeps_order_bounds_and_accounts(
    overflow: str, capacity: int, ops: list[tuple[str, Any]]
) -> None:
    """Whatever is sent, the queue is bounded, the order kept, each ask ends, each is accounted."""
    async with running_kernel() as kernel:
        actor = kernel.start(mailbox=mailbox_config(capacity=capacity, overflow=overflow))
        lane = actor.actor_inbox.lanes[0]
        sender = Sender(kernel, actor)
        for number, (op, argument) in enumerate(ops):
            await sender.do(number, op, argument)
            kernel.check_accounts()
            assert len(lane.queue) <= capacity
            assert len(lane.waiting or ()) <= capacity
        actor.ref.resume()
        results = await asyncio.gather(*sender.asks, *sender.sends, return_exceptions=True)
        for result in results:
            assert result is None or isinstance(result, (ActorError, asyncio.CancelledError))
        await until(lambda: actor.stats().mailbox_depth == 0)
        assert not lane.waiting
        assert sender.handled == sorted(set(sender.handled))
        assert kernel.events_of(lifecycle.Crashed) == []


async def test_what_is_in_hand_is_not_refused_while_others_are_started_again() -> None:
    """Who lives ends it, and it is counted once; what is queued behind it is refused."""
    gate = asyncio.Event()
    async with running_kernel() as kernel:
        actor = kernel.start()
        in_hand = actor.ref.ask(lambda _: gate.wait(), block=False)
        await turns()
        queued = actor.ref.ask("next", block=False)
        actor.refuse_until_up(1.0)
        with pytest.raises(Starting):
            await queued
        gate.set()
        assert await in_hand is True
        await turns()
        stats = actor.stats()
        assert (stats.accepted, stats.handled, stats.refused) == (2, 1, 1)
