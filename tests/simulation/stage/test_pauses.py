"""Nothing of the process runs for a while: clocks and all others go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Step
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, under_load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.stage.staging import Played

PAUSED_S = 60
# Whatever the process does is told of these.
PROCESS = {"message", "commit", "query", "open", "effect", "restarted", "crashed"}


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TALLY, config_of("tally"), place)


def span_of(played: Played) -> tuple[int, int]:
    """Return from when to when it was paused."""
    (begun_us,) = [each.at_us for each in played.lines if "nothing of the process" in each.text]
    (ended_us,) = [each.at_us for each in played.lines if each.kind == "continue"]
    return begun_us, ended_us


def test_nothing_of_a_process_runs_while_it_is_paused(rehearsal: Rehearsal) -> None:
    """Its clients give up and ask again; then all that was due is done at once, and all holds."""
    played = rehearsal.play(
        under_load(Step(3_000, "pause", "process", PAUSED_S * 1_000)), keep=True
    )
    assert played.troubles == ()
    begun_us, ended_us = span_of(played)
    assert ended_us - begun_us == PAUSED_S * 1_000_000
    meanwhile = [each for each in played.lines if begun_us < each.at_us < ended_us]
    assert {each.kind for each in meanwhile} & PROCESS == set()
    assert [each.who for each in meanwhile if "TimeoutError" in each.text] != []
    assert rehearsal.play(played.script).digest == played.digest


@pytest.mark.parametrize("fault", ["crash", "cut_power", "terminate"])
def test_a_paused_process_can_be_ended(rehearsal: Rehearsal, fault: str) -> None:
    """At once by a kill; in order, when it runs again."""
    pause = Step(3_000, "pause", "process", PAUSED_S * 1_000)
    end = Step(1_000_000, fault, "process")  # type: ignore[arg-type]
    played = rehearsal.play(under_load(pause, end), keep=True)
    assert played.troubles == ()
    boots = [each.at_us for each in played.lines if each.kind == "boot"]
    assert len(boots) == 2
    assert (boots[1] > PAUSED_S * 1_000_000) == (fault == "terminate")


def test_a_service_of_a_paused_process_is_killed_when_it_runs(rehearsal: Rehearsal) -> None:
    """Whoever is told to do so is paused as well; of two pauses the later end counts."""
    pauses = [Step(3_000, "pause", "process", each) for each in (10_000, 1_000)]
    played = rehearsal.play(under_load(*pauses, Step(2_000_000, "kill", "tally")), keep=True)
    assert played.troubles == ()
    (ended_us,) = [each.at_us for each in played.lines if each.kind == "continue"]
    assert ended_us > 10_000_000
    crashed = [each.at_us for each in played.lines if each.kind == "crashed"]
    assert crashed == [ended_us]


@pytest.mark.parametrize(
    "late",
    [
        (Step(3_000, "restart", "tally"), Step(500, "pause", "process", PAUSED_S * 1_000)),
        (Step(0, "slow_store", "tally", 10_000), Step(3_000, "restart", "tally")),
    ],
)
def test_an_end_that_is_made_late_is_no_crash(rehearsal: Rehearsal, late: tuple[Step, ...]) -> None:
    """A service that is being stopped when nothing runs, or its disk is slow, is given up."""
    played = rehearsal.play(under_load(*late), keep=True)
    assert played.troubles == ()
    assert [each for each in played.lines if "on_stop CancelledError" in each.text] != []
