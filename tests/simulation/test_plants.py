"""Bugs that are planted are found, and what found them is made small: the same from every start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.workload import ClientRequest
from tests.simulation.planting import OURS, SCHEDULES_MAX, Nursery, harvest
from tests.simulation.plants import PLANTS
from tests.simulation.tally import TallyCall

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with scratch_folder() as place, without_logs():
        yield Nursery(place)


# Those that take thousands of handler calls to show; `make simulate-plants` finds them, too.
RARE = {"gaps_accepted"}
# Where the search begins, near what it finds; `make simulate-plants` begins with 1.
FIRST = {
    "acknowledged_too_much": 80,
    "no_fence": 35,
    "duplicate_is_refused": 49,
    "effects_lost_at_restart": 5,
    "failure_is_delivery": 5,
    "stale_answer": 3,
    "breaker_stays_open": 3,
    "refund_forgotten_on_expiry": 3,
    "refund_forgotten_on_cancellation": 2,
    "nights_never_freed": 2,
    "go_back_skips": 2,
    # The brand monitor's first schedule takes as long as seven others.
    "reply_before_commit": 2,
    "no_request_keys": 2,
    "backfill_forgotten": 5,
}
# What a bug says that no longer fits the code it is planted in, and is found for that alone.
OUT_OF_DATE = ("TypeError", "AttributeError", "NameError", "processor time")


# The reference systems' are long: what their scenarios find, tests beside these say.
@pytest.mark.sampled
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long)
        if name in RARE or plant.system not in OURS
        else name
        for name, plant in PLANTS.items()
    ],
)
def test_a_planted_bug_is_found(nursery: Nursery, name: str) -> None:
    """Within 2,000 schedules, for what it does; without it, what found it finds nothing."""
    plant = PLANTS[name]
    played = next(nursery.failures(plant, first=FIRST.get(name, 1)))
    assert played.script.seed <= SCHEDULES_MAX
    assert [word for word in OUT_OF_DATE if word in repr(played.troubles)] == []
    assert nursery.rehearsal(plant).play(played.script).troubles == ()


# From one start, in every run: tests/testing/test_rehearse.py.
@pytest.mark.long
def test_all_starts_end_in_one_script(nursery: Nursery) -> None:
    """The applied timer is redelivered, and counts twice: one request, one kill."""
    result = harvest(nursery, PLANTS["timer_twice"], starts=3)
    (script,) = result.minima
    assert script.seed <= 1  # the first that does it
    assert script.workload == (ClientRequest(0, 0, TallyCall()),)
    assert script.schedule == Schedule((Step(0, "kill_at", "tally.ReviewTweet.before"),))


def test_what_is_found_is_found_again(nursery: Nursery) -> None:
    """A failing script fails in the same way each time."""
    plant = PLANTS["outbox_in_memory"]
    played = next(nursery.failures(plant))
    with plant.planted():
        again = nursery.rehearsal(plant).play(played.script)
    assert (again.digest, again.troubles) == (played.digest, played.troubles)
