from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING

import pytest

from actors.simulation.errors import BudgetSpent, Deadlock, Livelock
from actors.simulation.net.current_host import on_host
from actors.simulation.time.budget import Budget
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run
from tests.simulation.simulated import simulated

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def waits_for_an_answer(future: asyncio.Future[None]) -> None:
    await future


def test_a_deadlock_says_who_waits_for_what() -> None:
    """Every task is named with its host, the lines it waits at, and what it waits for."""

    async def main() -> None:
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await asyncio.sleep(2.5)
        with on_host("edge"):
            worker = asyncio.create_task(waits_for_an_answer(never), name="worker")
        asker = asyncio.create_task(asyncio.wait_for(worker, None), name="asker")
        await asyncio.gather(worker, asker)

    loop = SimulationLoop()
    with pytest.raises(Deadlock) as caught:
        run(main(), loop=loop)
    text = str(caught.value)
    assert "deadlock at 2.500000 s" in text
    this = re.escape(__file__)
    worker = rf"worker on edge waits for a future at {this}:\d+ in waits_for_an_answer"
    assert re.search(worker, text)
    assert "asker on main waits for task worker" in text
    assert re.search(rf"main on main waits for tasks worker, asker at {this}:\d+ in ", text)


def test_a_deadlock_shows_every_await_on_the_way() -> None:
    """The innermost frame comes first, then what awaits it."""

    async def inner() -> None:
        await asyncio.get_running_loop().create_future()

    async def outer() -> None:
        await inner()

    with pytest.raises(Deadlock, match=r"in \S+inner, for \S+ in \S+outer"):
        simulated(outer())


@pytest.mark.parametrize(
    "wait",
    [
        lambda: asyncio.Lock().acquire(),
        lambda: asyncio.Event().wait(),
        lambda: asyncio.Queue[int]().get(),
        lambda: asyncio.sleep(math.inf),
    ],
)
def test_waiting_for_ever_is_a_deadlock(wait: object) -> None:
    """Nothing ready and nothing scheduled ends the run, whatever it waits for."""

    async def main() -> None:
        lock = asyncio.Lock()
        async with lock:
            waiting: Coroutine[object, object, object] = wait()  # type: ignore[operator]
            await waiting
            await lock.acquire()

    with pytest.raises(Deadlock):
        simulated(main())


def test_a_livelock_names_the_busiest() -> None:
    """Tasks that keep waking each other at one instant are stopped and named."""

    async def spin() -> None:
        while True:  # noqa: ASYNC110 - the point
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.sleep(3)
        await asyncio.gather(
            asyncio.create_task(spin(), name="left"), asyncio.create_task(spin(), name="right")
        )

    with pytest.raises(Livelock, match="no time has gone by") as caught:
        simulated(main(), budget=Budget(callbacks_per_instant_max=10_000))
    assert [name for name, _ in caught.value.busiest] == ["task left", "task right"]


def test_a_callback_that_calls_itself_is_named() -> None:
    """A livelock without a task names the function."""

    def again() -> None:
        asyncio.get_running_loop().call_soon(again)

    async def main() -> None:
        again()
        await asyncio.sleep(1)

    with pytest.raises(Livelock, match=r"again"):
        simulated(main(), budget=Budget(callbacks_per_instant_max=10_000))


def test_the_whole_run_has_a_budget() -> None:
    """A run that never ends though time goes by is stopped too."""

    async def main() -> None:
        while True:  # noqa: ASYNC110 - the point
            await asyncio.sleep(60)

    with pytest.raises(BudgetSpent, match="callbacks_max") as caught:
        simulated(main(), budget=Budget(callbacks_max=5_000))
    assert not isinstance(caught.value, Livelock)
    assert caught.value.busiest[0][0] in {"task main", "_set_result_unless_cancelled"}


def test_much_work_over_time_is_no_livelock() -> None:
    """The limit is for one instant: many instants may have more together."""

    async def main() -> None:
        for _ in range(100):
            for _ in range(150):
                await asyncio.sleep(0)
            await asyncio.sleep(0.001)

    simulated(main(), budget=Budget(callbacks_per_instant_max=200))
