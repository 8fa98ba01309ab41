"""The simulation of the brand monitor finds what is planted in it, and nothing in what is whole."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.systems.tweets.scenario.call import TweetsCall
from tests.simulation.planting import Stages
from tests.systems.tweets.scenario.mutants import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.simulation.stage.rehearsal import Rehearsal
    from actors.systems.tweets.scenario.call import Kind

# What the simulation says of each.
SAYS: Final = {
    "sentiment_is_inverted": "and is taken for",
    "a_part_counts_twice": "and is taken for",
    "every_language_is_scored": "and is taken for",
    "a_reply_mentions_somebody_else": "and was answered '@",
    "what_names_a_failure_is_liked": "names a failure, and is liked",
    "another_tweet_is_liked": "on X's books",
    "a_retweet_is_answered": "not to be answered",
    "what_is_bad_is_not_flagged_where_it_is_long": "is bad, and nobody is told",
    "half_as_much_is_withheld": "for no reason",
    "a_page_skips_a_row": "at rest is",
    "a_filter_knows_capitals": "at rest is",
    "flags_of_one_status_are_all_flags": "at rest is",
    "a_resolved_flag_changes_hands": "not linearizable",
    "one_key_has_two_bodies": "under somebody's key was answered",
    "a_line_that_cannot_be_read_is_let_go": "is not stored",
    "what_was_found_is_kept_as_a_line": "its line is a dead letter still",
    "ids_that_are_numbers_are_none": "could not be read, and",
    "a_score_is_asked_for_late": "was scored after",
}
# What a mutant is given, without any fault: that it hurts needs nothing but people. But for those
# of lines that come otherwise.
SCHEDULES_MAX: Final = 100
SEEDS: Final = 60
OF_LINES: Final = frozenset(
    {
        "a_line_that_cannot_be_read_is_let_go",
        "what_was_found_is_kept_as_a_line",
        "ids_that_are_numbers_are_none",
    }
)
# Where a search begins, near what it finds; else with the second schedule, for the first takes as
# long as seven others.
FIRST: Final = {
    "a_resolved_flag_changes_hands": 12,
    "what_was_found_is_kept_as_a_line": 9,
    "a_retweet_is_answered": 3,
    "a_reply_mentions_somebody_else": 3,
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Callable[[str], Rehearsal]]:
    """Return what makes a rehearsal under a profile."""
    with scratch_folder() as place, without_logs():
        yield partial(Stages(place).rehearsal, "tweets")


@pytest.mark.sampled
@pytest.mark.parametrize("kind", ["lock", "ask_x", "unrule", "disconnect", "stop"])
def test_what_is_upset_later_excuses_nothing_before(
    stage: Callable[[str], Rehearsal], kind: Kind
) -> None:
    """A score that is asked for late, a minute before; nor what has to do with something else."""
    calls = TweetsCall("say", mood=1), TweetsCall(kind, number=4)
    workload = ClientRequest(0, 0, calls[0]), ClientRequest(60_000_000, 1, calls[1])
    script = Script(seed=1, workload=workload, schedule=Schedule())
    rehearsal = stage("calm")
    name = "a_score_is_asked_for_late"
    with MUTANTS[name]():
        troubles = rehearsal.play(script).troubles
    assert any(SAYS[name] in each for each in troubles)
    assert rehearsal.play(script).troubles == ()


def test_what_quotes_capitals_speaks_of_it(stage: Callable[[str], Rehearsal]) -> None:
    """X minds no case: whoever quotes "Week 68 with Tutorialedge" is read, whatever he says."""
    calls = TweetsCall("compose"), TweetsCall("answer", off=True, number=1)
    workload = tuple(ClientRequest(0, 0, call) for call in calls)
    script = Script(seed=0, workload=workload, schedule=Schedule())
    assert stage("calm").play(script).troubles == ()


# Each search takes seconds: a third of them in every run, all of them among the long tests.
@pytest.mark.parametrize(
    "name",
    [
        name if number % 3 == 0 else pytest.param(name, marks=pytest.mark.long)
        for number, name in enumerate(MUTANTS)
    ],
)
def test_a_mutant_is_found(stage: Callable[[str], Rehearsal], name: str) -> None:
    """For what it does, within a hundred schedules; the product itself passes the same one."""
    rehearsal = stage("network" if name in OF_LINES else "calm")
    first = FIRST.get(name, 2)
    for seed in range(first, first + SCHEDULES_MAX):
        script = rehearsal.script(seed)
        with MUTANTS[name]():
            troubles = rehearsal.play(script).troubles
        if any(SAYS[name] in each for each in troubles):
            assert rehearsal.play(script).troubles == ()
            return
    pytest.fail(f"{name} was not found in {SCHEDULES_MAX} schedules")


@pytest.mark.long
@pytest.mark.parametrize("profile", ["calm", "kills", "chaos"])
def test_what_is_whole_holds(stage: Callable[[str], Rehearsal], profile: str) -> None:
    """Whatever is asked, and whatever breaks meanwhile; the first seeds are test_rehearsal's."""
    rehearsal = stage(profile)
    for seed in range(1, SEEDS + 1):
        assert rehearsal.play(rehearsal.script(seed)).troubles == (), f"seed {seed}"
