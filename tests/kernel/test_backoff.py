from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from actors.config import load_config
from actors.kernel.behavior import Behavior
from actors.kernel.rng import Rng
from actors.kernel.supervision.backoff import full_jitter_s
from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec
from tests.kernel.kernel_harness import Boom, Obedient, running_kernel, turns

if TYPE_CHECKING:
    from actors.kernel.actor import AsyncioActor
    from tests.kernel.kernel_harness import Kernel


class HighestRng(Rng):
    """Draws the upper bound."""

    def uniform(self, a: float, b: float) -> float:
        return b


@given(
    seed=st.integers(0, 2**32),
    failures=st.integers(0, 5_000),
    min_s=st.floats(0, 10),
    max_s=st.floats(0, 100),
)
def test_the_delay_is_within_full_jitters_bounds(
    seed: int, failures: int, min_s: float, max_s: float
) -> None:
    """Never negative, never above the cap or the exponential; the first retry is immediate."""
    delay_s = full_jitter_s(Rng(seed), failures, min_s=min_s, max_s=max_s)
    bound_s = min(max_s, min_s * 2.0 ** min(max(0, failures - 2), 1_000))
    assert 0.0 <= delay_s <= bound_s
    if failures <= 1:
        assert delay_s == 0.0


def test_the_bound_doubles_up_to_its_cap() -> None:
    """min_s, then twice that, and so on to max_s."""
    rng = HighestRng(0)
    bounds = [full_jitter_s(rng, failures, min_s=0.05, max_s=5.0) for failures in range(1, 12)]
    assert bounds == [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_full_jitter_reaches_the_whole_range(seed: int) -> None:
    """Draws lie in every tenth of [0, bound]: what failed together returns apart."""
    rng = Rng(seed)
    tenths = {int(full_jitter_s(rng, 2, min_s=1.0, max_s=9.0) * 10) for _ in range(2_000)}
    assert tenths >= set(range(10))


async def crashing_child(kernel: Kernel, *, intensity: int = 1_000) -> AsyncioActor:
    system = kernel.system(
        SupervisorSpec(name="root", children=(ChildSpec(name="child", factory=Obedient),)),
        intensity=intensity,
        backoff_s_min=1.0,
        backoff_s_max=4.0,
        stable_s=10.0,
    )
    object.__setattr__(kernel.context, "rng", HighestRng(0))
    await system.start()
    return system.registry.actor("child")


async def delay_s(kernel: Kernel, child: AsyncioActor) -> float:
    """Crash the child and return after how many half seconds it is up again."""
    child.crash(Boom())
    await turns()
    waited_s = 0.0
    while child.stats().state != "running":
        await kernel.advance(0.5)
        waited_s += 0.5
    return waited_s


async def test_a_child_is_restarted_at_once_then_later_and_later() -> None:
    """The first restart is immediate; the delay's bound doubles to its cap."""
    async with running_kernel() as kernel:
        child = await crashing_child(kernel)
        assert [await delay_s(kernel, child) for _ in range(6)] == [0.0, 1.0, 2.0, 4.0, 4.0, 4.0]


async def test_a_stable_spell_starts_the_backoff_over() -> None:
    """Up for stable_s without a crash: the next restart is immediate; a moment less: it is not."""
    async with running_kernel() as kernel:
        child = await crashing_child(kernel)
        assert [await delay_s(kernel, child) for _ in range(3)] == [0.0, 1.0, 2.0]
        await kernel.advance(9.5)
        assert await delay_s(kernel, child) == 4.0
        await kernel.advance(10.0)
        assert await delay_s(kernel, child) == 0.0


async def test_a_stable_spell_starts_it_over_for_who_is_parked_after_it() -> None:
    """What has spent its budget is one crash as any other."""
    async with running_kernel() as kernel:
        child = await crashing_child(kernel, intensity=3)
        assert [await delay_s(kernel, child) for _ in range(3)] == [0.0, 1.0, 2.0]
        await kernel.advance(10.0)
        child.crash(Boom())
        await turns()
        assert child.stats().state == "parked"
        await kernel.advance(load_config().supervisor.park_retry_s)
        assert child.stats().state == "running"
        assert await delay_s(kernel, child) == 0.0


async def test_a_long_failing_start_is_no_stable_spell() -> None:
    """Only time that the child was up counts."""

    class Starting(Behavior):
        starts = 0

        async def on_start(self) -> None:
            Starting.starts += 1
            if Starting.starts > 2:
                return
            gate = kernel.context.loop.create_future()
            kernel.context.loop.call_later(20.0, gate.cancel)
            await gate

    async with running_kernel() as kernel:
        object.__setattr__(kernel.context, "rng", HighestRng(0))
        system = kernel.system(
            SupervisorSpec(name="root", children=(ChildSpec(name="child", factory=Starting),)),
            intensity=1_000,
            backoff_s_min=1.0,
            backoff_s_max=4.0,
            stable_s=10.0,
        )
        kernel.context.loop.call_soon(system._keeper.start, system._root)
        await turns()
        await kernel.advance(20.0)
        assert Starting.starts == 2
        await kernel.advance(20.0)
        assert Starting.starts == 2
        await kernel.advance(1.0)
        assert Starting.starts == 3
