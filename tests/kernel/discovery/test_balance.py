"""Who of several gets the next message, by each policy."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.kernel.discovery.balance import balance_of
from actors.kernel.registry import Registry
from actors.kernel.rng import Rng
from actors.kernel.router import Router
from tests.kernel.kernel_harness import running_kernel, turns

if TYPE_CHECKING:
    from actors.kernel.actor import AsyncioActor
    from tests.kernel.kernel_harness import Kernel

STALLED_S = 0.5


class Of(msgspec.Struct):
    customer: str


def routed(kernel: Kernel, policy: str, count: int = 4) -> tuple[Router, list[AsyncioActor]]:
    """Return a router of that policy over so many replicas of `s`."""
    registry = Registry()
    actors = [kernel.start(name=f"s-{number}") for number in range(1, count + 1)]
    for actor in actors:
        registry.add(actor, service="s")
    router = Router(registry, clock=kernel.clock, stalled_s=STALLED_S)
    router.balance("s", policy, Rng(7))
    return router, actors


def hold(until: asyncio.Event) -> Any:
    """Have an actor hold this message in hand until the event is set."""

    async def wait(_: Any) -> None:
        await until.wait()

    return wait


def picks(router: Router, count: int, message: Any = None) -> Counter[str]:
    return Counter(router.pick("s", message).name for _ in range(count))


@pytest.mark.parametrize("policy", ["round_robin", "least_loaded", "two_choices"])
async def test_what_is_asked_of_idle_replicas_is_shared_evenly(policy: str) -> None:
    """Within 5 % over 10,000: in turns to the very message, by chance nearly."""
    async with running_kernel() as kernel:
        router, _ = routed(kernel, policy)
        counts = picks(router, 10_000)
        assert len(counts) == 4
        assert max(counts.values()) <= 2500 * (1.05 if policy == "two_choices" else 1)


async def test_two_choices_find_the_less_busy_one() -> None:
    """By what waits; who has most is picked by nobody who has seen another."""
    async with running_kernel() as kernel:
        router, (busy, *_) = routed(kernel, "two_choices")
        done = asyncio.Event()
        for _ in range(5):
            busy.ref.tell(hold(done))
        await turns()
        assert busy.name not in picks(router, 500)
        done.set()
        await turns()


async def test_a_key_stays_with_its_replica_and_comes_back_to_it() -> None:
    """Where one is out, its keys alone move; so it is in every process."""
    async with running_kernel() as kernel:
        router, actors = routed(kernel, "key:customer")
        keys = [f"customer {number}" for number in range(400)]

        def places() -> dict[str, str]:
            return {key: router.pick("s", Of(key)).name for key in keys}

        before = places()
        assert places() == before
        assert min(Counter(before.values()).values()) > 400 / 4 * 0.7
        actors[1].ref.suspend()
        await turns()
        during = places()
        moved = {key for key in keys if during[key] != before[key]}
        assert moved == {key for key in keys if before[key] == "s-2"}
        actors[1].ref.resume()
        await turns()
        assert places() == before


@pytest.mark.parametrize("policy", ["round_robin", "least_loaded", "two_choices"])
async def test_who_is_slow_gets_less_before_it_is_out(policy: str) -> None:
    """In proportion to how long it has been so, though its siblings have as much to do."""
    async with running_kernel() as kernel:
        router, (slow, *others) = routed(kernel, policy)
        done = asyncio.Event()
        slow.ref.tell(hold(done))
        await turns()
        await kernel.advance(STALLED_S * 0.8)
        for other in others:
            other.ref.tell(hold(done))
        await turns()
        shares = picks(router, 1000)
        assert 0 <= shares[slow.name] < 0.6 * 1000 / 4
        await kernel.advance(STALLED_S * 0.2)
        assert picks(router, 1000)[slow.name] == 0
        done.set()
        await turns()
        assert picks(router, 1000)[slow.name] >= 1000 / 4 * 0.9


async def test_never_more_than_half_are_out_for_being_slow() -> None:
    """Nor get less: the worst do; where all are as slow, nobody does."""
    async with running_kernel() as kernel:
        router, (a, b, c, d) = routed(kernel, "round_robin")
        done = asyncio.Event()
        for actor in (a, b, c):
            actor.ref.tell(hold(done))
            await turns()
            await kernel.advance(0.01)
        await kernel.advance(STALLED_S)
        assert router.in_rotation("s") == [c, d]
        shares = picks(router, 1000)
        assert shares == {c.name: 500, d.name: 500}
        d.ref.tell(hold(done))
        await turns()
        await kernel.advance(STALLED_S)
        assert router.in_rotation("s") == [a, b, c, d]
        assert set(picks(router, 1000).values()) == {250}
        done.set()
        await turns()


@pytest.mark.parametrize("policy", ["", "fastest", "key:", "key:two words", "key"])
def test_an_unknown_policy_is_told_with_those_there_are(policy: str) -> None:
    """Where it is chosen, not where it is used."""
    with pytest.raises(ValueError, match=r"choose least_loaded, .*key:FIELD"):
        balance_of(policy, Rng(0))
