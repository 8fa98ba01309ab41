"""Replicas that come and go amid everything else: it happens, and all holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.depot import DEPOT
from tests.simulation.planting import config_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = 40


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(DEPOT, config_of("depot"), place, profile="kills")


def scales(script: Script) -> list[str]:
    return [step.target for step in script.schedule.steps if step.fault == "scale"]


def test_some_seeds_have_other_numbers_of_replicas(rehearsal: Rehearsal) -> None:
    """One in four that are not calm, from one to four times, of what stands in no group."""
    assert rehearsal.targets.replicas == tuple(f"scale={number}" for number in range(1, 5))
    drawn = [scales(rehearsal.script(seed)) for seed in range(1, SEEDS + 1)]
    with_some = [each for each in drawn if each]
    assert SEEDS / 10 < len(with_some) < SEEDS / 2.5
    assert {len(each) for each in with_some} <= {1, 2, 3, 4}


def test_they_come_and_go_and_are_killed_meanwhile(rehearsal: Rehearsal) -> None:
    """A name that comes back is another's; all is played again the same."""
    steps = [Step(10_000, "scale", f"scale={number}") for number in (4, 1, 3, 2)]
    steps[1:1] = [Step(1_000, "kill", "scale-4"), Step(0, "suspend", "scale-3")]
    workload = rehearsal.script(1).workload
    script = Script(seed=1, workload=workload, schedule=Schedule((*steps, *steps)))
    played = rehearsal.play(script, keep=True)
    assert played.troubles == ()
    started = [line.who for line in played.lines if line.kind == "started"]
    assert started.count("scale-3") > 1
    assert rehearsal.play(script).digest == played.digest
