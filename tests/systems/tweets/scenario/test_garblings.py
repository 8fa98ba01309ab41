"""Each way in which what X says may be garbled is one of what X says: else nothing is rehearsed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.net.fault_rules import Garbling
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems import SYSTEMS
from actors.systems.tweets.scenario.call import TweetsCall
from actors.systems.tweets.scenario.garblings import GARBLINGS
from actors.systems.tweets.system import TWEETS

if TYPE_CHECKING:
    from collections.abc import Iterator

SECOND = 1_000_000
# A tweet that is liked and answered; the reader has to connect anew, and to make its rule, and does
# so while there still are clients.
WORKLOAD = (
    ClientRequest(0, 0, TweetsCall("say", mood=1)),
    ClientRequest(20 * SECOND, 1, TweetsCall("disconnect")),
    ClientRequest(20 * SECOND, 1, TweetsCall("unrule")),
    ClientRequest(40 * SECOND, 1, TweetsCall("look")),
)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TWEETS, load_config(systems=SYSTEMS), place, profile="network")


def script(saying: str) -> Script:
    steps = Schedule((Step(0, "garble", saying),))
    return Script(seed=1, workload=WORKLOAD, schedule=steps)


@pytest.fixture(scope="module")
def said(rehearsal: Rehearsal) -> list[bytes]:
    """All that X says to the monitor, piece by piece."""
    pieces: list[bytes] = []

    def listen(_garbling: Garbling, data: bytes) -> None:
        pieces.append(data)

    with patch.object(Garbling, "of", listen):
        rehearsal.play(script(next(iter(GARBLINGS))))
    return pieces


@pytest.mark.parametrize("saying", GARBLINGS)
def test_each_alters_what_x_says(said: list[bytes], saying: str) -> None:
    """By no byte more or less than there were."""
    found = [(each, GARBLINGS[saying].of(each)) for each in said]
    altered = [(each, garbled) for each, garbled in found if garbled is not None]
    assert altered
    assert all(each != garbled and len(each) == len(garbled) for each, garbled in altered)


def test_a_trace_says_when_it_was_said_so(rehearsal: Rehearsal) -> None:
    """That may be long after it was to be."""
    saying = "that a rule was bad"
    played = rehearsal.play(script(saying), keep=True)
    assert played.troubles == ()
    strikes = [each for each in played.lines if each.text == f"garbled: {saying}"]
    assert [(each.kind, each.who) for each in strikes] == [("fault", "x>edge")]
    assert strikes[0].at_us > 20 * SECOND
