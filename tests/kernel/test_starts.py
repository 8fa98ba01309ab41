"""A start may take long while it gets on; it fails a few times only, and keeps nobody waiting."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.errors import Irreparable, Starting
from actors.kernel import lifecycle
from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec
from tests.kernel.kernel_harness import (
    NO_BACKOFF,
    Boom,
    Kernel,
    Obedient,
    running_kernel,
    turns,
    until,
)

FOREVER = 1e6
INTENSITY = 5
PERIOD_S = 30.0


class Hanging(Obedient):
    """Never comes up."""

    async def on_start(self) -> None:
        await asyncio.sleep(FOREVER)


class Working(Obedient):
    """Gets on, for as long as `busy` says."""

    busy = True
    start_steps = 0

    async def on_start(self) -> None:
        while Working.busy:
            await asyncio.sleep(1.0)
            self.start_steps += 1


def tree(factory: Any, *, nested: bool = False) -> SupervisorSpec:
    """One child, called `child`, below the root or below a supervisor below it."""
    child = ChildSpec(name="child", factory=factory)
    if not nested:
        return SupervisorSpec(name="root", children=(child,))
    middle = SupervisorSpec(name="middle", children=(child,))
    return SupervisorSpec(name="root", children=(middle,))


def started(kernel: Kernel, spec: SupervisorSpec, *, stall_s: float = 8.0) -> Any:
    """Start a system in the background; return its child, and the start."""
    system = kernel.system(
        spec,
        start_stall_s_max=stall_s,
        intensity=INTENSITY,
        period_s=PERIOD_S,
        park_retry_s=1e9,
        **NO_BACKOFF,
    )
    return system.registry.actor("child"), asyncio.ensure_future(system.start())


@pytest.mark.parametrize("nested", [False, True])
async def test_starts_that_fail_slowly_spend_the_budget_too(*, nested: bool) -> None:
    """Eight seconds each are never six within thirty: six in a row park the child all the same."""
    async with running_kernel() as kernel:
        child, _ = started(kernel, tree(Hanging, nested=nested))
        starts = 0
        await turns()
        while child.stats().state != "parked":
            starts += 1
            assert starts <= (INTENSITY + 1) ** 2, "it is never parked"
            await kernel.advance(8.0)
        assert starts == (INTENSITY + 1) ** (2 if nested else 1)


async def test_a_start_that_succeeds_ends_the_row() -> None:
    """Failures apart from each other, with lives in between, park nobody."""
    async with running_kernel() as kernel:
        failing = [Boom("first")]

        class Now(Obedient):
            def on_start(self) -> None:
                if failing:
                    raise failing.pop()

        child, starting = started(kernel, tree(Now))
        await starting
        for _ in range(3 * INTENSITY):
            await until(lambda: child.stats().state == "running")
            await kernel.advance(PERIOD_S + 1.0)
            failing.append(Boom("again"))
            child.crash(Boom("up to now it was well"))
            await turns()
        assert kernel.events_of(lifecycle.Parked) == []


async def test_a_start_that_gets_on_takes_its_time() -> None:
    """The limit is on standing still: what gets on is left alone, however long it takes."""
    async with running_kernel() as kernel:
        Working.busy = True
        child, starting = started(kernel, tree(Working), stall_s=3.0)
        await turns()
        for _ in range(100):
            await kernel.advance(1.0)
        Working.busy = False
        await kernel.advance(1.0)
        await starting
        assert (child.stats().state, child.stats().incarnation) == ("running", 1)


async def test_a_process_that_stood_still_is_no_stall_of_a_start() -> None:
    """What was due while a machine slept is due at once: the limit counts anew from there."""
    async with running_kernel() as kernel:

        class Slow(Obedient):
            async def on_start(self) -> None:
                await asyncio.sleep(2.0)

        child, starting = started(kernel, tree(Slow), stall_s=3.0)
        await turns()
        await kernel.advance(60.0)
        await starting
        assert (child.stats().state, child.stats().incarnation) == ("running", 1)


async def test_who_asks_before_it_is_up_is_told_at_once() -> None:
    """While the first start is under way, and between starts that fail: nobody waits for long."""
    async with running_kernel() as kernel:
        child, _ = started(kernel, tree(Hanging))
        await turns()
        for _ in range(INTENSITY + 1):
            asked = child.ref.ask("now", block=False, timeout=5.0)
            with pytest.raises(Starting) as told:
                await asked
            assert told.value.retry_after_s > 0
            assert "child" in str(told.value)
            await kernel.advance(8.0)
        assert child.stats().state == "parked"


async def test_what_waits_for_a_restart_hears_when_that_fails() -> None:
    """A restart is waited for; once it has failed, those who were never begun are told."""
    async with running_kernel() as kernel:
        lives = [Obedient, Hanging, Obedient]

        def next_life() -> Obedient:
            return lives.pop(0)()

        child, starting = started(kernel, tree(next_life))
        await starting
        child.crash(Boom("once"))
        await turns()
        asked = child.ref.ask("in between", block=False, timeout=60.0)
        await kernel.advance(8.0)
        with pytest.raises(Starting):
            await asked
        assert await child.ref.ask("after it", block=False, timeout=60.0) == "after it"


@pytest.mark.parametrize("up_first", [False, True])
async def test_what_no_restart_mends_is_parked_at_once(*, up_first: bool) -> None:
    """No budget is spent on trying a damaged file again and again."""
    async with running_kernel() as kernel:

        class Damaged(Obedient):
            def on_start(self) -> None:
                if not up_first:
                    raise Irreparable("the file is damaged")

        child, starting = started(kernel, tree(Damaged))
        await starting
        if up_first:
            child.crash(Irreparable("the file is damaged"))
        await until(lambda: child.stats().state == "parked")
        assert child.stats().incarnation == 1
