from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import NoSuchActor, ServiceUnavailable
from actors.kernel.registry import Registry
from actors.kernel.router import Router
from tests.kernel.kernel_harness import running_kernel, turns

if TYPE_CHECKING:
    from actors.kernel.actor import AsyncioActor
    from tests.kernel.kernel_harness import Kernel

STALLED_S = 0.5


async def parked(actor: AsyncioActor) -> None:
    """Have it parked, as its supervisor would once it has ended."""
    await actor.end()
    actor.park("Boom", 30.0)


async def test_replicas_take_turns() -> None:
    """Round robin, for each service on its own."""
    async with running_kernel() as kernel:
        registry = Registry()
        router = Router(registry, clock=kernel.context.clock, stalled_s=STALLED_S)
        for name in ("a", "b", "c"):
            registry.add(kernel.start(name=name), service="three")
        registry.add(kernel.start(name="solo"), service="one")
        picked = [(router.pick("three").name, router.pick("one").name) for _ in range(6)]
        assert picked == [(name, "solo") for name in "abcabc"]
        with pytest.raises(NoSuchActor):
            router.pick("none")


async def test_a_replica_that_accepts_nothing_is_passed_over() -> None:
    """Parked and stopped replicas get no messages while another serves."""
    async with running_kernel() as kernel:
        registry = Registry()
        router = Router(registry, clock=kernel.context.clock, stalled_s=STALLED_S)
        a, b, c = (kernel.start(name=name) for name in "abc")
        for actor in (a, b, c):
            registry.add(actor, service="three")
        await parked(a)
        c.terminate()
        assert {router.pick("three").name for _ in range(7)} == {"b"}


async def test_where_none_accepts_the_chosen_one_says_why() -> None:
    """With every replica parked, the send itself is refused with the reason."""
    async with running_kernel() as kernel:
        registry = Registry()
        router = Router(registry, clock=kernel.context.clock, stalled_s=STALLED_S)
        for name in "ab":
            actor = kernel.start(name=name)
            registry.add(actor, service="pair")
            await parked(actor)
        with pytest.raises(ServiceUnavailable, match="parked"):
            await router.pick("pair").ask("?", block=False)


def hold(started: asyncio.Event) -> Any:
    """Have an actor hold this message in hand until the event is set."""

    async def wait(_: Any) -> None:
        await started.wait()

    return wait


def three(kernel: Kernel) -> tuple[Router, list[AsyncioActor]]:
    """Return a router over three replicas that take messages one by one."""
    registry = Registry()
    actors = [kernel.start(name=name) for name in "abc"]
    for actor in actors:
        registry.add(actor, service="three")
    return Router(registry, clock=kernel.clock, stalled_s=STALLED_S), actors


async def test_the_least_loaded_is_picked() -> None:
    """What is queued counts, and what is in hand; equals take turns."""
    async with running_kernel() as kernel:
        router, (a, b, c) = three(kernel)
        done = asyncio.Event()
        for actor, count in ((a, 3), (b, 1), (c, 2)):
            for _ in range(count):
                actor.ref.tell(hold(done))
        await turns()
        assert [each.actor_inbox.depth for each in (a, b, c)] == [3, 1, 2]
        picked = []
        for _ in range(6):
            ref = router.pick("three")
            picked.append(ref.name)
            ref.tell(hold(done))
        assert picked == ["b", "c", "b", "c", "a", "b"]
        done.set()
        await turns()


async def test_a_replica_that_does_not_run_is_picked_last() -> None:
    """Running goes before starting, that before suspended, and all before one that is parked."""
    async with running_kernel() as kernel:
        router, (a, b, c) = three(kernel)
        freed, done = asyncio.Event(), asyncio.Event()
        b.ref.suspend()
        await turns()
        for _ in range(5):
            a.ref.tell(hold(freed))
            c.ref.tell(hold(done))
        assert {router.pick("three").name for _ in range(6)} == {"a", "c"}
        freed.set()
        await parked(a)
        assert {router.pick("three").name for _ in range(6)} == {"c"}
        c.terminate()
        assert {router.pick("three").name for _ in range(6)} == {"b"}
        done.set()
        await turns()


async def test_a_replica_that_does_not_come_to_an_end_gets_nothing_more() -> None:
    """However loaded the others are, and only while another runs; then it is as good as any."""
    async with running_kernel() as kernel:
        router, (a, b, c) = three(kernel)
        stuck, done = asyncio.Event(), asyncio.Event()
        a.ref.tell(hold(stuck))
        await turns()
        await kernel.advance(STALLED_S - 0.01)
        for actor in (b, c):
            actor.ref.tell(hold(done))
            actor.ref.tell(hold(done))
        await turns()
        assert "a" in {each.name for each in router.in_rotation("three")}
        await kernel.advance(0.01)
        assert {router.pick("three").name for _ in range(6)} == {"b", "c"}
        await kernel.advance(STALLED_S)  # now all are as slow
        assert router.pick("three").name == "a"
        done.set()
        stuck.set()
        await turns()
        assert {router.pick("three").name for _ in range(6)} == {"a", "b", "c"}
