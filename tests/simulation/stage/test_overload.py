"""The outside world is down, slow or silent for a while, and crowds come: it happens, all holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.knobs import Knob
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.simulation.stage.staging import CROWD, CROWD_ROUNDS
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, TallyCall
from tests.simulation.workshop_scenario import WORKSHOP, WorkshopCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.stage.staging import Played

ANNOUNCE: Final = "tally.AnnounceTweet"
# How long the world is as it is, in microseconds.
LASTS_US: Final = 30_000_000


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TALLY, config_of("tally"), place, profile="overload")


@pytest.fixture(scope="module")
def workshop() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(WORKSHOP, config_of("workshop"), place, profile="overload")


def texts_of(played: Played) -> list[str]:
    return [f"{line.kind} {line.text}" for line in played.lines]


@pytest.mark.parametrize(
    ("step", "seen"),
    [
        (Step(0, "down_world", ANNOUNCE), f"{ANNOUNCE} is refused by the outside world"),
        (Step(0, "slow_world", ANNOUNCE, 1_000), f"{ANNOUNCE} is answered late"),
        (Step(0, "silent_world", ANNOUNCE), f"{ANNOUNCE} is not answered"),
    ],
)
def test_the_world_is_so_until_it_is_mended(rehearsal: Rehearsal, step: Step, seen: str) -> None:
    """Whoever asks meets it, as often as he asks; behind its end nobody does."""
    mended = Step(LASTS_US, "mend_world", ANNOUNCE)
    workload = tuple(ClientRequest(1_000_000, 0, TallyCall(author=number)) for number in range(3))
    schedule = Schedule((step, mended))
    played = rehearsal.play(Script(seed=1, workload=workload, schedule=schedule), keep=True)
    assert played.troubles == ()
    texts = texts_of(played)
    at = texts.index(f"fault {mended}")
    assert texts[:at].count(f"fault {seen}") >= 2
    assert f"fault {seen}" not in texts[at:]
    assert rehearsal.play(played.script).digest == played.digest


def test_a_crowd_meets_the_bounds_there_are(workshop: Rehearsal) -> None:
    """Where one may be in progress others are turned away, and not all."""
    workload = tuple(
        ClientRequest(100_000, 0, WorkshopCall(sort=each)) for each in ("plain", "pages", "counts")
    )
    script = Script(
        seed=1,
        workload=workload,
        schedule=Schedule((Step(5_000_000, "crowd", "process", 100),)),
        knobs=(Knob("edge.admission.in_progress_max", 1),),
    )
    played = workshop.play(script, keep=True)
    assert played.troubles == ()
    statuses = [line.text.rpartition(" ")[2] for line in played.lines if line.who == "crowd-1"]
    assert len(statuses) == CROWD * CROWD_ROUNDS
    assert {*statuses} == {"200", "503"}
