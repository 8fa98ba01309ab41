from __future__ import annotations

import pytest

from actors.errors import NoSuchActor, ServiceUnavailable
from actors.kernel.registry import Registry
from actors.kernel.router import Router
from tests.kernel.kernel_harness import running_kernel


async def test_replicas_take_turns() -> None:
    """Round robin, for each service on its own."""
    async with running_kernel() as kernel:
        registry = Registry()
        router = Router(registry)
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
        router = Router(registry)
        a, b, c = (kernel.start(name=name) for name in "abc")
        for actor in (a, b, c):
            registry.add(actor, service="three")
        a.park("Boom", 30.0)
        c.terminate()
        assert {router.pick("three").name for _ in range(7)} == {"b"}


async def test_where_none_accepts_the_chosen_one_says_why() -> None:
    """With every replica parked, the send itself is refused with the reason."""
    async with running_kernel() as kernel:
        registry = Registry()
        router = Router(registry)
        for name in "ab":
            actor = kernel.start(name=name)
            registry.add(actor, service="pair")
            actor.park("Boom", 30.0)
        with pytest.raises(ServiceUnavailable, match="parked"):
            await router.pick("pair").ask("?", block=False)
