"""Whatever a failing schedule looks like, its core is what remains: no request matters here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.kernel.rng import Rng
from actors.simulation.script.chooser import SeededChooser
from actors.simulation.script.profile import PROFILES, choose_gap, draw_schedule
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.targets import Targets
from actors.simulation.shrink.minimise import minimise
from tests.simulation.shrink.test_minimise import played

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS = Targets(
    services=("room", "customer", "booking"),
    stores=("room", "customer", "booking"),
    links=("client-1<>edge",),
)
SCHEDULES = [3, pytest.param(100, marks=pytest.mark.long)]
CORE = Schedule(
    (
        Step(0, "kill", "booking"),
        Step(1_300, "fill_disk", "customer"),
        Step(70_000, "step_clock", "clock", -60_000),
        Step(0, "crash", "process"),
    )
)


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """What is left of a failing schedule; there are as many runs as it takes."""
    found = minimise(
        Script(seed=0, workload=(), schedule=schedule),
        lambda script: played(script, failed=fails(script.schedule)),
        lambda run: bool(run.troubles),
        targets=TARGETS,
        runs_max=1_000_000,
    )
    assert found.minimal
    return found.script.schedule


def contains(core: Schedule) -> Callable[[Schedule], bool]:
    """Whether the core's steps happen in order, each at least its gap after the one before it."""

    def fails(schedule: Schedule) -> bool:
        waiting = list(core.steps)
        last_us = 0
        for at_us, step in schedule.moments():
            wanted = waiting[0]
            same = msgspec.structs.replace(step, gap_us=wanted.gap_us) == wanted
            if same and at_us - last_us >= wanted.gap_us:
                last_us = at_us
                waiting.pop(0)
                if not waiting:
                    return True
        return False

    return fails


def superset(rng: Rng, core: Schedule) -> Schedule:
    """The core with other steps between its own, and with longer gaps."""
    noise = list(draw_schedule(rng, PROFILES["chaos"], TARGETS, slots=rng.randint(5, 60)).steps)
    for step in reversed(core.steps):
        at = rng.randint(0, len(noise))
        gap_us = step.gap_us + choose_gap(SeededChooser(rng))
        noise = [*noise[:at], msgspec.structs.replace(step, gap_us=gap_us), *noise[at:]]
    return Schedule(tuple(noise))


@pytest.mark.parametrize("supersets", [1, pytest.param(200, marks=pytest.mark.long)])
def test_every_superset_shrinks_to_its_core(rng: Rng, supersets: int) -> None:
    """With up to some seventy steps, to the same schedule exactly."""
    fails = contains(CORE)
    tried = 0
    while tried < supersets:
        schedule = superset(rng, CORE)
        if not fails(schedule):
            continue
        assert shrink(schedule, fails) == CORE
        tried += 1


@pytest.mark.parametrize("schedules", SCHEDULES)
def test_a_gap_within_a_window_shrinks_to_its_start(rng: Rng, schedules: int) -> None:
    """A race that needs 1,300 to 1,700 microseconds, neither less nor more."""

    def fails(schedule: Schedule) -> bool:
        at = {step.fault: at_us for at_us, step in schedule.moments()}
        return 1_300 <= at.get("crash", 0) - at.get("kill", 10**9) <= 1_700

    for _ in range(schedules):
        first_us, gap_us = choose_gap(SeededChooser(rng)), rng.randint(1_300, 1_700)
        schedule = Schedule((Step(first_us, "kill", "room"), Step(gap_us, "crash", "process")))
        least = Schedule((Step(0, "kill", "room"), Step(1_300, "crash", "process")))
        assert shrink(schedule, fails) == least


@pytest.mark.parametrize("schedules", SCHEDULES)
def test_gaps_that_only_matter_together_have_one_minimum(rng: Rng, schedules: int) -> None:
    """The whole wait ends up in the last of them."""

    def fails(schedule: Schedule) -> bool:
        times = [at_us for at_us, step in schedule.moments() if step.fault == "kill"]
        return len(times) >= 3 and times[-1] >= 5_000

    for _ in range(schedules):
        gaps = [rng.randint(2_000, 9_000) for _ in range(rng.randint(3, 8))]
        schedule = Schedule(tuple(Step(gap, "kill", "room") for gap in gaps))
        assert [step.gap_us for step in shrink(schedule, fails).steps] == [0, 0, 5_000]


def test_steps_leave_while_the_rest_keeps_its_times() -> None:
    """A fault at a certain moment stays there when those before it go."""
    schedule = Schedule(tuple(Step(1_000, "restart", "room") for _ in range(30)))
    shrunk = shrink(schedule, lambda it: any(at_us == 17_000 for at_us, _ in it.moments()))
    assert shrunk == Schedule((Step(17_000, "restart", "room"),))


def test_steps_that_undo_each_other_leave_together() -> None:
    """Neither can go alone, nor with its neighbour."""

    def fails(schedule: Schedule) -> bool:
        faults = [step.fault for step in schedule.steps]
        return faults.count("kill") == 2 and faults.count("suspend") == faults.count("resume")

    kill = Step(0, "kill", "room")
    hard = Schedule((Step(0, "suspend", "room"), kill, kill, Step(0, "resume", "room")))
    assert shrink(hard, fails) == Schedule((kill, kill))


def test_faults_become_simpler() -> None:
    """Any two faults will do: the first fault to the first target, twice."""
    hard = Schedule(
        (Step(5, "partition", "client-1<>edge"), Step(9, "step_clock", "clock", -1_000))
    )
    shrunk = shrink(hard, lambda schedule: len(schedule) >= 2)
    assert shrunk == Schedule((Step(0, "restart", "room"), Step(0, "restart", "room")))


def test_an_amount_that_nobody_draws_becomes_no_larger() -> None:
    """Nor does its fault become another that comes later in the list."""
    own = Schedule((Step(0, "slow_link", "client-1<>edge", 57),))

    def shrunk(least_ms: int) -> Schedule:
        return shrink(
            own,
            lambda schedule: any(
                (step.fault == "slow_link" and step.amount_ms >= least_ms) or step.fault == "heal"
                for step in schedule.steps
            ),
        )

    assert shrunk(50) == own
    assert shrunk(5) == Schedule((Step(0, "slow_link", "client-1<>edge", 10),))


def test_a_failure_without_faults_shrinks_to_nothing() -> None:
    """A bug that needs no fault is told without one."""
    schedule = draw_schedule(Rng(1), PROFILES["chaos"], TARGETS, slots=40)
    assert shrink(schedule, lambda _: True) == Schedule()
