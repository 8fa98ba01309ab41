"""An order that is drawn changes what no event loop decides, and nothing else."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest

from actors.kernel.rng import Rng
from actors.simulation.net.current_host import on_host
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.order import REACH_S, Order
from actors.simulation.time.run import run

if TYPE_CHECKING:
    from collections.abc import Callable


HOPS: Final = 4
CHAINS: Final = 6
# (number of the chain, number of its step), as they came.
Log = list[tuple[int, int]]


def seen(order: Order, *, gap_s: float = REACH_S / 3, hosts: int = 1) -> Log:
    """Start chains one after the other, each of some steps that are called soon."""
    log: Log = []
    loop = SimulationLoop(order=order)

    def step(chain: int, number: int) -> None:
        assert loop.time() >= chain * gap_s, "nothing is called before its time"
        log.append((chain, number))
        if number < HOPS:
            loop.call_soon(step, chain, number + 1)

    async def main() -> None:
        for chain in range(CHAINS):
            with on_host(f"host-{chain % hosts}"):
                loop.call_at(chain * gap_s, step, chain, 0)
        await asyncio.sleep(1.0)

    run(main(), loop=loop)
    return log


def drawn(rng: Rng, *, gap_s: float = REACH_S / 3, hosts: int = 1) -> list[Log]:
    """What comes of forty orders."""
    orders = [Order(rng.randrange(1, 1_000), (rng.randrange(1, 12),)) for _ in range(40)]
    return [seen(each, gap_s=gap_s, hosts=hosts) for each in orders]


def test_what_runs_does_not_wait_for_its_end_and_keeps_its_order(rng: Rng) -> None:
    """What arrives comes in between its turns; it is called soon in turn, and arrives in time."""
    asyncios = seen(Order())
    assert asyncios == [(chain, step) for chain in range(CHAINS) for step in range(HOPS + 1)]
    logs = drawn(rng, hosts=CHAINS)
    assert len({tuple(log) for log in [asyncios, *logs]}) > HOPS
    for log in logs:
        assert [step for _, step in sorted(log)] == [*range(HOPS + 1)] * CHAINS
        assert [chain for chain, step in log if step == 0] == [*range(CHAINS)]
        # First in, first out: who has come first is never overtaken.
        for chain, after in pairwise(range(CHAINS)):
            places = [(log.index((chain, n)), log.index((after, n))) for n in range(HOPS + 1)]
            assert all(one < other for one, other in places)


def test_nothing_comes_earlier_than_python_may_be_late(rng: Rng) -> None:
    assert {tuple(log) for log in drawn(rng, gap_s=2 * REACH_S)} == {tuple(seen(Order()))}


@pytest.mark.parametrize(("hosts", "is_free"), [(1, False), (2, True)])
def test_of_one_moment_only_hosts_differ(rng: Rng, hosts: int, *, is_free: bool) -> None:
    """What one host has scheduled at one moment for one moment comes as it was scheduled."""
    logs = drawn(rng, gap_s=0.0, hosts=hosts)
    firsts = {tuple(chain for chain, step in log if step == 0) for log in logs}
    assert (len(firsts) > 1) == is_free
    for host in range(hosts):
        of_host = [[each for each in first if each % hosts == host] for first in firsts]
        assert all(each == sorted(each) for each in of_host)


def test_an_order_is_a_value(rng: Rng) -> None:
    """The same order gives the same; with equal priorities and no change it is asyncio's."""
    order = Order(rng.randrange(1, 1_000), (2, 3))
    assert seen(order) == seen(order)
    assert seen(Order(0, (CHAINS * HOPS,))) == seen(Order())
    assert seen(Order(0, (1,))) != seen(Order())
    with pytest.raises(ValueError, match="at least"):
        Order(0, (0,))


def test_a_set_of_tasks_has_any_order(rng: Rng) -> None:
    """As their addresses have it in asyncio."""

    async def done() -> str:
        tasks = [asyncio.create_task(asyncio.sleep(0, name), name=name) for name in "abc"]
        return "".join([each.get_name() for each in (await asyncio.wait(tasks))[0]])

    walk: Callable[[Order], str] = lambda order: run(done(), loop=SimulationLoop(order=order))  # noqa: E731
    assert len({walk(Order(rng.randrange(1, 1_000))) for _ in range(40)}) > 1
    assert walk(Order()) == walk(Order())


def test_what_takes_no_time_is_not_disturbed() -> None:
    """A process that is killed does nothing more, however many turns its end takes here."""
    log: list[str] = []
    loop = SimulationLoop(order=Order(0, (1, 2, 3)))

    async def main() -> None:
        loop.call_later(REACH_S / 2, log.append, "late")
        with loop.undisturbed():
            for _ in range(5):
                await asyncio.sleep(0)
        log.append("over")
        for _ in range(5):
            await asyncio.sleep(0)

    run(main(), loop=loop)
    assert log == ["over", "late"]


class Worker:
    """Takes what is brought; where `late`, it falls asleep a turn after it has looked."""

    def __init__(self, *, late: bool) -> None:
        self.brought: list[int] = []
        self.taken = 0
        self._late = late
        self._wake = asyncio.Event()

    def bring(self, what: int) -> None:
        self.brought.append(what)
        self._wake.set()

    async def work(self) -> None:
        while True:
            while self.brought:
                self.brought.pop()
                self.taken += 1
            if self._late:
                await asyncio.sleep(0)
            self._wake.clear()
            await self._wake.wait()


def test_a_wake_up_that_is_lost_between_two_turns_is_found(rng: Rng) -> None:
    """As asyncio has it nothing comes between a look and falling asleep, and all is taken."""

    def is_found(order: Order, seed: int, *, late: bool = True) -> bool:
        loop, worker, delays = SimulationLoop(order=order), Worker(late=late), Rng(seed)

        async def main() -> None:
            working = asyncio.create_task(worker.work())
            for number in range(2):
                with on_host(f"host-{number}"):
                    loop.call_later(delays.uniform(0, REACH_S), worker.bring, number)
            await asyncio.sleep(1.0)
            working.cancel()

        run(main(), loop=loop)
        return worker.taken < 2

    seeds = [rng.randrange(1, 10_000) for _ in range(60)]
    found = [seed for seed in seeds if is_found(Order(seed, (1 + seed % 10,)), seed)]
    assert found
    assert not any(is_found(Order(), seed) for seed in seeds)
    assert not any(is_found(Order(seed, (1 + seed % 10,)), seed, late=False) for seed in seeds)
