"""What services have counted: that it is what happened, and that no slow store holds it up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.kernel_harness import turns
from tests.service.callers import (
    Called,
    Caller,
    Listener,
    World,
    calls,
    failing,
    never,
    opens_after,
)
from tests.service.desks import Desk, Note, SteppingClock, office

if TYPE_CHECKING:
    from pathlib import Path

    from actors.measures.measured import Measured, MeasuredActor, MeasuredService
    from tests.service.desks import Office


async def _measured(run: Office) -> Measured:
    return await run.system.measured(look_s_max=1.0)


def _service(measured: Measured, name: str) -> MeasuredService:
    return next(each for each in measured.services if each.name == name)


def _actor(measured: Measured, name: str) -> MeasuredActor:
    return next(each for each in measured.actors if each.name == name)


async def test_each_attempt_and_each_end_of_an_effect_is_counted(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Two failures and a success are three attempts, two of them retries, and one effect done."""

    async def third_time(label: str, attempt: int) -> Any:
        if attempt < 3:
            raise ConnectionError(label)
        return Called(label=label)

    world.answer = third_time
    async with office(tmp_path, {"a": lambda: Caller(world)}, clock=clock) as run:
        await run.ask("a", calls("x"))
        await run.until(lambda: run.count("a", "timer") == 0)
        counts = _service(await _measured(run), "a").effects
        assert counts["Call"].attempts == {
            "succeeded": 1,
            "failed": 2,
            "timed_out": 0,
            "withdrawn": 0,
        }
        assert counts["Call"].retries == 2
        assert {end: number for end, number in counts["Call"].ends.items() if number} == {"done": 1}
        # Of what was never asked for there is a row of zeros.
        assert set(counts["Mail"].attempts.values()) == {0}


@pytest.mark.parametrize(("service", "end"), [(Listener, "given_up"), (Caller, "dead_lettered")])
async def test_an_effect_that_never_succeeds_ends_as_its_service_hears_of_it(
    tmp_path: Path, clock: SteppingClock, world: World, service: Any, end: str
) -> None:
    """Given up where it listens, a dead letter where it does not; its breaker has opened."""
    world.answer = failing
    settings = ("effect.attempts_max=3", *opens_after(3))
    async with office(
        tmp_path, {"a": lambda: service(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x"))
        await run.until(lambda: run.count("a", "timer") == 0)
        measured = _service(await _measured(run), "a")
        counts = measured.effects["Call"]
        assert {key: number for key, number in counts.ends.items() if number} == {end: 1}
        assert (counts.attempts["failed"], counts.retries) == (3, 2)
        breaker, other = measured.breakers
        assert (other.dependency, other.state, other.forced) == ("Mail", "closed", False)
        assert (breaker.dependency, breaker.openings) == ("Call", 1)
        assert breaker.state in {"open", "half_open"}
        assert measured.letters == (1 if end == "dead_lettered" else 0)


async def test_an_attempt_that_never_ends_has_timed_out(
    tmp_path: Path, clock: SteppingClock, world: World
) -> None:
    """Meanwhile it is under way."""
    world.answer = never
    settings = ("effect.attempts_max=1",)
    async with office(
        tmp_path, {"a": lambda: Caller(world)}, clock=clock, settings=settings
    ) as run:
        await run.ask("a", calls("x"))
        await turns(5)
        assert _service(await _measured(run), "a").effects_running == 1
        await run.until(lambda: run.count("a", "timer") == 0)
        measured = _service(await _measured(run), "a")
        assert measured.effects["Call"].attempts["timed_out"] == 1
        assert measured.effects_running == 0


async def test_who_waits_is_seen_with_how_long(tmp_path: Path, clock: SteppingClock) -> None:
    """Messages of a suspended service are queued; taken, each has waited, and they are a batch."""
    async with office(tmp_path, {"a": Desk}, clock=clock) as run:
        before = _actor(await _measured(run), "a").lanes[0].measures
        assert before is not None
        batches = sum(before.batches.counts)
        run.system.suspend("a")
        await turns(2)
        asked = [run.ask("a", Note(label=str(number))) for number in range(3)]
        await turns(2)
        lane = _actor(await _measured(run), "a").lanes[0]
        assert (lane.queued, lane.in_hand) == (3, 0)
        clock.advance(2.0)
        run.system.resume("a")
        await asyncio.gather(*asked)
        lane = _actor(await _measured(run), "a").lanes[0]
        assert (lane.queued, lane.in_hand) == (0, 0)
        assert lane.measures is not None
        assert sum(lane.measures.batches.counts) == batches + 1
        assert lane.measures.wait_s.total == pytest.approx(6.0)
        assert _actor(await _measured(run), "a").handled >= 3
        assert sum(_service(await _measured(run), "a").commit_s.counts) >= 1


async def test_a_store_that_does_not_answer_is_left_out(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """And so is one whose service is down; what needs no store is there all the same."""
    async with office(tmp_path, {"a": Desk, "b": Desk}, clock=clock) as run:
        assert [each.answered for each in (await _measured(run)).services] == [True, True]
        running = run.system._hosted["a"].current
        assert running is not None
        silent: Any = running.store
        silent.look = lambda _: asyncio.get_running_loop().create_future()
        run.system._hosted["b"].current = None
        asked = asyncio.ensure_future(_measured(run))
        await turns(2)
        assert not asked.done()
        await run.advance(1.0)
        measured = await asked
        assert [each.answered for each in measured.services] == [False, False]
        assert [each.letters for each in measured.services] == [None, None]
        assert _actor(measured, "a").state == "running"
