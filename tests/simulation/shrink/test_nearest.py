"""Which of several scripts differs least from one."""

from __future__ import annotations

from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.shrink.nearest import distance


def script(*steps: Step, seed: int = 0, requests: int = 1) -> Script:
    """Return a script of equal requests and these steps."""
    workload = tuple(ClientRequest(0, 0, "tweet") for _ in range(requests))
    return Script(seed=seed, workload=workload, schedule=Schedule(steps))


def test_a_shorter_gap_is_nearer_than_another_fault_and_that_than_another_seed() -> None:
    """A microsecond, a second, one thing less, two things less, other delays throughout."""
    failing = script(Step(2_000_000, "kill", "room"))
    others = [
        script(Step(1_999_999, "kill", "room")),
        script(Step(1_000_000, "kill", "room")),
        script(Step(2_000_000, "restart", "room")),
        script(requests=0),
        script(Step(2_000_000, "kill", "room"), seed=1),
    ]
    assert distance(failing, failing) == (False, 0, 0, 0)
    shuffled = [others[index] for index in (3, 0, 4, 2, 1)]
    assert sorted(shuffled, key=lambda each: distance(each, failing)) == others
