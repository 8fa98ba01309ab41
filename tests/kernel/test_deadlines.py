from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import uvloop

from actors.kernel.clock import SystemClock
from actors.kernel.deadlines import SLOTS_A_S, SLOTS_SPARE, Deadlines
from actors.kernel.rng import Rng
from tests.benchmarks.echo import make_context
from tests.kernel.kernel_harness import running_kernel

if TYPE_CHECKING:
    from actors.kernel.clock import Clock
    from actors.kernel.deadlines import Slot


class Sleeper:
    """Waits for its deadline alone, and notes when that was told to it."""

    slot: Slot | None = None
    told_s: float | None = None

    def __init__(self, deadlines: Deadlines, clock: Clock, after_s: float) -> None:
        self.at_s = clock.monotonic() + after_s
        self._clock = clock
        deadlines.add(self, self.at_s, after_s, "the night")

    def expire(self, after_s: float, whom: str) -> None:
        assert after_s >= 0.0
        assert (whom, self.told_s, self.slot) == ("the night", None, None)
        self.told_s = self._clock.monotonic()

    def leave(self) -> None:
        assert self.slot is not None
        del self.slot[self]
        self.slot = None


@pytest.mark.parametrize("seed", range(10))
async def test_each_is_told_at_its_deadline_unless_it_left(seed: int) -> None:
    """Whatever comes and goes meanwhile, in whatever order: no sooner, and no later."""
    rng = Rng(seed)
    async with running_kernel() as kernel:
        deadlines, clock = kernel.context.deadlines, kernel.clock
        sleepers: list[Sleeper] = []
        gone: list[Sleeper] = []
        for _ in range(100):
            for _ in range(rng.randint(0, 5)):
                after_s = rng.choice([0.0, 1.0 / SLOTS_A_S, 2.0, rng.uniform(0.0, 3.0)])
                sleepers.append(Sleeper(deadlines, clock, after_s))
            waiting = [each for each in sleepers if each.slot is not None]
            for each in rng.sample(waiting, len(waiting) // 3):
                each.leave()
                gone.append(each)
            due_s = min([each.at_s for each in sleepers if each.slot is not None], default=0.0)
            # To the very moment of the next, or beyond several.
            step_s = rng.choice([due_s - clock.monotonic(), rng.uniform(0.0, 0.2)])
            await kernel.advance(max(0.0, step_s))
            now_s = clock.monotonic()
            for each in sleepers:
                is_due = each not in gone and each.at_s <= now_s + 1e-6
                assert (each.told_s is not None) is is_due
        left = [each for each in sleepers if each.slot is not None]
        assert sorted(map(id, deadlines.waiting())) == sorted(map(id, left))
        assert gone
        for each in left:
            each.leave()


async def test_many_deadlines_are_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop hears of the next alone, and of nothing while all have their answers."""
    async with running_kernel() as kernel:
        deadlines, loop, timers = kernel.context.deadlines, kernel.context.loop, []
        call_later = loop.call_later

        def noted(delay: float, *args: object, **options: object) -> asyncio.TimerHandle:
            timers.append(delay)
            return call_later(delay, *args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(loop, "call_later", noted)
        for _ in range(1_000):
            Sleeper(deadlines, kernel.clock, 50.0).leave()
            await kernel.advance(0.03)
        assert timers == [50.0]
        assert len(deadlines._slots) <= SLOTS_SPARE
        await kernel.advance(100.0)
        assert timers == [50.0]


async def test_a_sooner_deadline_is_met_though_a_later_one_waits() -> None:
    """In a slot before, and in the same one."""
    async with running_kernel() as kernel:
        deadlines, clock = kernel.context.deadlines, kernel.clock
        late, sooner, soon = (Sleeper(deadlines, clock, s) for s in (5.0, 4.999, 0.25))
        for each in (soon, sooner, late):
            assert each.told_s is None
            await kernel.advance(each.at_s - clock.monotonic())
            assert each.told_s == pytest.approx(each.at_s)


@pytest.mark.real_time
def test_no_deadline_is_early_on_a_loop_that_rounds() -> None:
    """uvloop's timers count in milliseconds, and may come before their time."""

    async def main() -> list[Sleeper]:
        deadlines, clock = make_context().deadlines, SystemClock()
        sleepers = [Sleeper(deadlines, clock, 0.002 + n * 0.000_37) for n in range(40)]
        while deadlines.waiting():  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0.001)
        return sleepers

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for each in runner.run(main()):
            assert each.told_s is not None
            assert each.told_s >= each.at_s - 1e-6
