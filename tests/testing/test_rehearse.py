"""What `rehearsal` finds, how small it makes that, and what it says where it cannot play."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partialmethod
from typing import TYPE_CHECKING

import pytest

from actors.errors import EntryPointError
from actors.simulation.command.campaign import Campaign
from actors.testing import rehearse
from actors.testing.rehearse import Rehearse
from tests.simulation.plants import PLANTS
from tests.simulation.tally import TALLY

if TYPE_CHECKING:
    from actors.simulation.script.script import Script

ALONE = Rehearse(lambda: None, lambda _: None)


def test_what_holds_passes() -> None:
    ALONE(TALLY, examples=4)


def test_a_bug_is_told_with_the_fault_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong first, the smallest script's timeline, and that the same test plays the same.

    Who waits for it is told how far it is.
    """
    monkeypatch.setattr(rehearse, "TELL_S", 0.0)
    # As many runs as the request and the fault are found in; test_campaign goes to the end.
    short = partialmethod(Campaign.minimise, runs_max=40)
    monkeypatch.setattr(Campaign, "minimise", short)
    heard: list[str] = []
    with PLANTS["timer_twice"].planted(), pytest.raises(AssertionError) as raised:
        # What seed 0 meets first is an outcome out of turn, and that takes two faults.
        Rehearse(lambda: None, heard.append)(TALLY, seed=2)
    told = str(raised.value)
    assert told.startswith("tally: ")
    assert re.search(r"^It takes 1 of \d+ requests and 1 of \d+ faults", told, re.MULTILINE)
    assert "killed at tally.ReviewTweet" in told
    assert told.endswith("run this test again, it plays the same (seed=2)")
    assert heard[0] == "tally fails; making it smaller: 1 runs"


def test_equal_arguments_play_the_same_and_another_seed_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The emptiest script is played first, whatever the seed."""
    played: list[Script] = []
    rehearsed = Campaign.rehearse

    def note(self: Campaign, system: str, script: Script, *, keep: bool) -> object:
        played.append(script)
        return rehearsed(self, system, script, keep=keep)

    monkeypatch.setattr(Campaign, "rehearse", note)
    runs = []
    for seed in (0, 0, 1):
        played.clear()
        ALONE(TALLY, examples=4, seed=seed)
        runs.append(tuple(played))
    assert runs[0] == runs[1] != runs[2]
    for first, *others in runs:
        assert (first.workload, len(first.schedule)) == ((), 0)
        assert len(others) == 3
        assert any(each.workload and each.schedule.steps for each in others)


def test_what_cannot_be_played_is_one_sentence() -> None:
    with pytest.raises(EntryPointError, match=r"^tally cannot be rehearsed: .*System\(scenario="):
        ALONE(replace(TALLY, scenario=None))
    with pytest.raises(EntryPointError, match="no faults 'hail', but: calm, kills"):
        ALONE(TALLY, faults="hail")
