"""Whoever waits for a service's next commit wakes: at once, or with the next incarnation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from actors.errors import ActorStopped, NoSuchActor
from tests.kernel.kernel_harness import turns
from tests.service.desks import Desk, HoppingStore, Labels, Note, SteppingClock, office

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng


async def test_next_commit_ends_it_and_a_query_does_not(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Every waiter's, also where the commit comes before anyone awaits it."""
    async with office(tmp_path, {"a": Desk, "b": Desk}, clock=clock) as run:
        await turns()
        early = run.system.committed("a")
        waiters = [asyncio.ensure_future(_wait(run.system.committed("a"))) for _ in range(3)]
        await run.ask("a", Labels())
        await run.ask("b", Note(label="elsewhere"))
        await turns()
        assert not any(each.done() for each in waiters)
        await run.ask("a", Note(label="x"))
        await turns()
        assert all(each.done() for each in waiters)
        await early  # it has happened
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await run.system.committed("a")


async def _wait(awaitable: object) -> None:
    await awaitable  # type: ignore[misc]


async def test_waiter_that_leaves_takes_nobody_along(tmp_path: Path, clock: SteppingClock) -> None:
    """Each waits for itself."""
    async with office(tmp_path, {"a": Desk}, clock=clock) as run:
        await turns()
        leaves, stays = (asyncio.ensure_future(_wait(run.system.committed("a"))) for _ in range(2))
        await turns()
        leaves.cancel()
        await turns()
        assert leaves.cancelled()
        assert not stays.done()
        await run.ask("a", Note(label="x"))
        await turns()
        assert stays.done()


async def test_no_commit_is_slept_through_whenever_the_service_is_killed(
    tmp_path: Path, rng: Rng
) -> None:
    """Wait, look, wait: a reader that does so in that order has seen everything in the end."""
    async with office(
        tmp_path,
        {"a": Desk},
        clock=SteppingClock(),
        seed=rng.getrandbits(32),
        store=HoppingStore,
    ) as run:
        seen: list[str] = []

        async def read() -> None:
            while len(seen) < 200:
                committed = run.system.committed("a")
                labels = await run.ask("a", Labels())
                if len(labels) > len(seen):
                    seen[:] = labels
                else:
                    await committed

        reading = asyncio.ensure_future(read())
        for number in range(200):
            run.ask("a", Note(label=str(number)), key=str(number))
            await turns(rng.randrange(20))
            if rng.random() < 0.5:
                run.system.kill("a")
        await turns(2000)
        assert reading.done()
        assert sorted(seen, key=int) == [str(number) for number in range(200)]


async def test_end_of_the_system_ends_the_wait(tmp_path: Path, clock: SteppingClock) -> None:
    """With a typed error: nothing will ever be committed again."""
    async with office(tmp_path, {"a": Desk}, clock=clock) as run:
        await turns()
        waiter = asyncio.ensure_future(_wait(run.system.committed("a")))
        await turns()
    with pytest.raises(ActorStopped, match="a has stopped"):
        await waiter
    with pytest.raises(ActorStopped):
        await run.system.committed("a")


async def test_service_that_is_not_there_has_no_commits(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """The error names those there are."""
    async with office(tmp_path, {"a": Desk, "b": Desk}, clock=clock) as run:
        with pytest.raises(NoSuchActor, match=r"'c' commits; there are a, b$"):
            run.system.committed("c")
