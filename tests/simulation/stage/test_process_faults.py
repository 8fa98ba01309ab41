"""What is done to the process and its disk: it happens, and all holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.knobs import Knob
from actors.simulation.script.schedule import Step
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, under_load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.stage.staging import Played

# A file that cannot be opened parks its service before it can be opened again.
INTENSITY: Final = Knob("supervisor.intensity", 1)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TALLY, config_of("tally"), place)


def times_of(played: Played, text: str) -> list[int]:
    return [each.at_us for each in played.lines if f"{each.kind} {each.who} {each.text}" == text]


def test_a_process_ends_in_order_and_is_started_again(rehearsal: Rehearsal) -> None:
    """Under load: what it has begun is answered, and nothing is killed."""
    played = rehearsal.play(under_load(Step(3_000, "terminate", "process")), keep=True)
    assert played.troubles == ()
    assert len(times_of(played, "boot edge process 2")) == 1
    assert not times_of(played, "crash edge kill -9")
    assert rehearsal.play(played.script).digest == played.digest


@pytest.mark.parametrize("cut", [(), (Step(0, "lose_at", "tally.ReviewTweet.after"),)])
def test_what_a_process_had_not_done_in_its_time_ends_with_it(
    rehearsal: Rehearsal, cut: tuple[Step, ...]
) -> None:
    """A commit of a slow disk, which it waited for in vain; where syncs are followed, too."""
    slow = Step(0, "slow_store", "tally", 10_000)
    steps = (*cut, slow, Step(100_000, "terminate", "process"), Step(0, "mend_store", "tally"))
    played = rehearsal.play(under_load(*steps), keep=True)
    assert any("did not stop within" in each.text for each in played.lines)
    assert len(times_of(played, "boot edge process 2")) == 1
    assert played.troubles == ()


def test_what_comes_up_late_has_its_timers_late(rehearsal: Rehearsal) -> None:
    """A service that another process has parked starts there for the first time."""
    steps = Step(29_000, "lock_file", "tally"), Step(2_000_000, "crash", "process")
    script = under_load(*steps)
    played = rehearsal.play(msgspec.structs.replace(script, knobs=(INTENSITY,)), keep=True)
    assert times_of(played, "parked tally ")
    assert played.troubles == ()


def test_a_disk_is_low_by_turns(rehearsal: Rehearsal) -> None:
    """It refuses while it is full, and takes what comes while it has room; nothing is lost."""
    low = Step(0, "low_disk", "tweets", 1_000)
    played = rehearsal.play(under_load(low, Step(20_000_000, "free_disk", "tweets")), keep=True)
    assert played.troubles == ()
    refused = times_of(played, "refuse tweets the disk is full")
    stored = times_of(played, "message tweets StoreTweet handled")
    assert refused
    assert stored
    begun_us = times_of(played, f"fault tweets {low}")[0]
    assert all((at - begun_us) // 1_000_000 % 2 == 0 for at in refused)
    assert all((at - begun_us) // 1_000_000 % 2 == 1 for at in stored)


@pytest.mark.parametrize("amount_ms", [86_400_000, -86_400_000, 2_592_000_000])
def test_a_clock_jumps_by_days(rehearsal: Rehearsal, amount_ms: int) -> None:
    """The monotonic one goes on, and no timer is lost."""
    played = rehearsal.play(under_load(Step(3_000, "step_clock", "clock", amount_ms)))
    assert played.troubles == ()
    assert played.applied == {"step_clock": 1}


def test_a_batch_that_its_full_disk_has_refused_is_no_dead_ones_commit(
    rehearsal: Rehearsal,
) -> None:
    """Opened for reading alone, and killed amid a batch: that goes on, and nothing is written."""
    steps = (
        Step(0, "fill_disk", "tweets"),
        Step(0, "restart", "tweets"),
        Step(1_000, "kill_at", "tweets.StoreTweet.before"),
    )
    played = rehearsal.play(under_load(*steps), keep=True)
    assert times_of(played, "open tweets for reading alone: the disk is full")
    assert played.hit == {"tweets.StoreTweet.before": 1}
    assert played.troubles == ()
