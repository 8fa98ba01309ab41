"""What Hypothesis makes of schedules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import find, settings
from hypothesis import strategies as st

from actors.kernel.rng import Rng
from actors.simulation.script.profile import PROFILES
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.strategies import drawn, schedules, workloads
from actors.simulation.script.targets import Targets
from actors.simulation.script.workload import ClientRequest, draw_workload
from tests.simulation.script.test_schedule import choose_call

if TYPE_CHECKING:
    from collections.abc import Callable


T = TypeVar("T")

ROOT = Path(__file__).parents[3]
# Of what test_a_seed_draws_the_same_in_every_process draws: a seed in a report stays good.
DIGEST = "dfcb924b6b4cea0f"
TARGETS = Targets(
    services=("room", "customer", "booking"),
    stores=("room", "customer", "booking"),
    links=("client-1<>edge", "edge>client-1"),
    points=("room.Hold.before", "room.Hold.after"),
)


# --- Drawn by Hypothesis ---------------------------------------------------------------------


def has(*wanted: tuple[str, str], wait_us: int = 0) -> Callable[[Schedule], bool]:
    """Whether a schedule has these faults in this order, the last one at least so much later."""

    def holds(schedule: Schedule) -> bool:
        at = 0
        last_us = 0
        for now_us, step in schedule.moments():
            if at < len(wanted) and (step.fault, step.target) == wanted[at]:
                if at == len(wanted) - 1 and now_us - last_us < wait_us:
                    continue
                at, last_us = at + 1, now_us
        return at == len(wanted)

    return holds


def minimum(strategy: st.SearchStrategy[T], fails: Callable[[T], bool], start: int = 0) -> T:
    """What Hypothesis makes of the first value it finds, from this seed."""
    effort = settings(max_examples=5_000, database=None)
    return find(strategy, fails, settings=effort, random=Rng(start))


@pytest.mark.parametrize(
    "start", [0, *(pytest.param(start, marks=pytest.mark.long) for start in range(1, 6))]
)
def test_hypothesis_shrinks_to_one_minimum(start: int) -> None:
    """From six seeds: two steps of all, and the one gap that matters at its least."""
    found = minimum(
        schedules(TARGETS, profile=PROFILES["kills"], slots=6),
        has(("kill", "room"), ("crash", "process"), wait_us=1_300),
        start,
    )
    assert found == Schedule((Step(0, "kill", "room"), Step(1_300, "crash", "process")))


def test_a_lasting_fault_needs_no_end() -> None:
    """The run's own end will do."""
    found = minimum(schedules(TARGETS, profile=PROFILES["kills"]), has(("suspend", "room")))
    assert found == Schedule((Step(0, "suspend", "room"),))


def test_nothing_is_the_simplest() -> None:
    """Of schedules and of workloads."""
    assert minimum(schedules(TARGETS, slots=6), lambda _: True) == Schedule()
    assert minimum(workloads(st.integers()), lambda _: True) == ()


def test_a_workload_shrinks_to_the_requests_that_matter() -> None:
    """All of the first client, without waiting."""
    found = minimum(
        workloads(drawn(choose_call)),
        lambda workload: [request.call[0] for request in workload].count("write") >= 2,
    )
    assert found == (ClientRequest(0, 0, ("write", 0)), ClientRequest(0, 0, ("write", 0)))


def test_a_seeded_workload_has_all_clients_and_calls(rng: Rng) -> None:
    """About three requests of four chances."""
    requests = [each for _ in range(100) for each in draw_workload(rng, choose_call)]
    assert 1_350 < len(requests) < 1_650
    assert {request.client for request in requests} == {0, 1, 2}
    assert {request.call[0] for request in requests} == {"read", "write"}
