"""The engine's oracles: each finds what it is for, and none complains of what is right."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from actors.simulation import always, sometimes
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.oracles.engine import ORACLES
from actors.simulation.script.profile import PROFILES
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems.tweets.scenario.scenario import TweetsScenario
from tests.simulation.oracles.engine_plants import PLANTED, SCRIPTED, poison, shifted
from tests.simulation.planting import PLANTED as SYSTEMS
from tests.simulation.planting import Stages, config_of
from tests.simulation.tally import TallyCall, TallyScenario, tally
from tests.simulation.workshop_scenario import WorkshopCall
from tests.systems.tweets.scenario.mutants import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client
    from actors.system import System

    Rehearse = Callable[..., Rehearsal]

GUARANTEES = Path(__file__).parents[3] / "docs" / "GUARANTEES.md"
ROW = re.compile(r"^\| ([HB]?\d+) \| .* \| ([^|]+) \|$", re.MULTILINE)
SEEDS = 60
CONTROLS = 3


@pytest.fixture(scope="module")
def rehearse() -> Iterator[Rehearse]:
    """Return what furnishes a system once, or one that is given."""
    made: list[System] = []

    def rehearsal(name: str, profile: str, system: System | None = None) -> Rehearsal:
        if system is None:
            return stages.rehearsal(name, profile)
        made.append(system)
        folder = place / f"given-{len(made)}"
        folder.mkdir()
        return Rehearsal(system, config_of(name), folder, profile=profile)

    with scratch_folder() as place, without_logs():
        stages = Stages(place)
        yield rehearsal


# Where the search begins for those that are found late.
FIRST = {
    "what crashes again when it is replayed is a letter more": 14,
    "what was in hand at a crash goes behind what waits": 12,
    "whoever waits when the process ends is cut off": 13,
    "a suspension ends when the one before it is over": 6,
    "after a crash the edge knows nothing to say": 35,
    "nobody is told that the time is up": 35,
    "the edge says that all are ready, whoever is down": 72,
    "an effect is tried again at once": 18,
    "events of who was refused are kept": 5,
    "who asks under a used key for something else gets its answer": 5,
    "of two who wait for one answer the second is not told": 20,
    "a channel does not try again": 5,
    "restarts of an hour ago are counted": 7,
    "a backoff is never over": 15,
}


@pytest.mark.sampled
@pytest.mark.parametrize("name", PLANTED)
def test_an_oracle_finds_what_it_is_for(rehearse: Rehearse, name: str) -> None:
    """Within sixty seeds; without the bug, what found it finds nothing."""
    oracle, words, system, profile, planted = PLANTED[name]
    rehearsal = rehearse(system, profile)
    first = FIRST.get(name, 1)
    for seed in range(first, first + SEEDS):
        script = rehearsal.script(seed)
        with planted():
            found = rehearsal.play(script).troubles
        if any(each.startswith(f"{oracle}: ") and words in each for each in found):
            break
    else:
        pytest.fail(f"{oracle} has not found in {SEEDS} seeds: {name}")
    assert rehearsal.play(script).troubles == ()


@pytest.mark.parametrize("name", SCRIPTED)
def test_an_oracle_finds_it_at_its_moment(rehearse: Rehearse, name: str) -> None:
    """As it is written; without the bug nothing is found."""
    oracle, words, step, planted = SCRIPTED[name]
    rehearsal = rehearse("workshop", "handlers")
    workload = tuple(ClientRequest(1_000, client, WorkshopCall()) for client in range(2))
    script = Script(seed=1, workload=workload, schedule=Schedule((step,)))
    with planted():
        found = rehearsal.play(script).troubles
    assert [each for each in found if each.startswith(f"{oracle}: ") and words in each], found
    assert rehearsal.play(script).troubles == ()


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("name", "seed", "words"),
    [
        ("another_tweet_is_liked", 3, "is on X's books 0 times"),
        ("a_retweet_is_answered", 3, "is on the books 1 times, and should be 0"),
        ("what_is_bad_is_not_flagged_where_it_is_long", 3, "is flagged 0 times"),
    ],
)
def test_an_audit_finds_what_it_is_for(
    rehearse: Rehearse, name: str, seed: int, words: str
) -> None:
    """By the files alone, whatever the scenario says; of the product as it is it says nothing."""
    rehearsal = rehearse("tweets", "calm")
    script = rehearsal.script(seed)
    with patch.object(TweetsScenario, "violations", lambda *_: []):
        with MUTANTS[name]():
            found = rehearsal.play(script).troubles
        assert [each for each in found if words in each], found
        assert rehearsal.play(script).troubles == ()


def test_two_runs_that_differ_have_two_digests(rehearse: Rehearse) -> None:
    """Be it in the time of one timer, by what is left of the run before."""
    rehearsal, runs = rehearse("tally", "calm"), itertools.count(1)
    script = rehearsal.script(1)
    assert rehearsal.play(script).digest == rehearsal.play(script).digest
    with shifted(lambda delay_s: delay_s + next(runs) / 1_000):
        assert rehearsal.play(script).digest != rehearsal.play(script).digest


@pytest.mark.parametrize(("step_s", "asked_s"), [(86_400, 40), (-60, 90)])
def test_what_a_set_clock_does_has_an_end(rehearse: Rehearse, step_s: int, asked_s: int) -> None:
    """From then on it is judged as before: a timer that is five seconds late, say."""
    oracle, words, system, profile, planted = PLANTED["a timer fires late"]
    rehearsal = rehearse(system, profile)
    script = Script(
        seed=1,
        # The second one keeps the run from its end, where the clock is set right.
        workload=tuple([ClientRequest(s * 1_000_000, 0, TallyCall()) for s in (asked_s, 10)]),
        schedule=Schedule((Step(1_000_000, "step_clock", "clock", step_s * 1_000),)),
    )
    assert rehearsal.play(script).troubles == ()
    with planted():
        found = rehearsal.play(script).troubles
    assert any(each.startswith(f"{oracle}: ") and words in each for each in found)


@pytest.mark.long
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_right_is_not_complained_of(rehearse: Rehearse, system: str, profile: str) -> None:
    """All systems' seeds hold; the first of them, in every run, are test_rehearsal's."""
    rehearsal = rehearse(system, profile)
    found = {seed: rehearsal.play(rehearsal.script(seed)).troubles for seed in range(SEEDS)}
    assert {seed: troubles for seed, troubles in found.items() if troubles} == {}


@pytest.mark.parametrize("seeds", [CONTROLS, pytest.param(SEEDS, marks=pytest.mark.long)])
def test_poison_that_is_given_up_in_time_is_no_poison_trouble(
    rehearse: Rehearse, seeds: int
) -> None:
    """Whatever else is killed meanwhile, and however often it is sent anew."""
    for profile in ("calm", "kills"):
        rehearsal = rehearse("tally", profile)
        for seed in range(1, seeds + 1):
            with poison():
                found = rehearsal.play(rehearsal.script(seed)).troubles
            assert [each for each in found if each.startswith(("poison", "supervision"))] == []


def test_each_guarantee_names_who_watches_it() -> None:
    """An oracle that there is, or why there is nothing to watch; and no oracle is nobody's."""
    rows = ROW.findall(GUARANTEES.read_text(encoding="utf-8"))
    assert [number for number, _ in rows if number.isdigit()] == [str(n + 1) for n in range(46)]
    named: set[str] = set()
    for number, watched_by in rows:
        oracles = re.findall(r"`(\w+)`", watched_by)
        named.update(oracles)
        assert oracles or watched_by.startswith("not simulated: "), f"guarantee {number}"
        assert set(oracles) <= set(ORACLES), f"guarantee {number}"
    assert named == set(ORACLES)


class TalkativeScenario(TallyScenario):
    """Says of its calls what is so."""

    expected = ("a case that no line reaches",)

    async def perform(self, client: Client, number: int, call: Any, history: History) -> None:
        """Tweet, and say so."""
        sometimes("a client tweets twice", call.again)
        sometimes("a client tweets a thousand times", number == 1_000)
        always("the first client tweets alone", client.name == "client-0")
        await super().perform(client, number, call, history)


def test_what_a_scenario_says_of_a_run_is_collected(rehearse: Rehearse) -> None:
    """Sometimes is of many runs, always of each."""
    rehearsal = rehearse("tally", "calm", tally(scenario=TalkativeScenario))
    runs = [rehearsal.play(rehearsal.script(seed)) for seed in range(10)]
    cases = {text: any(run.sometimes.get(text) for run in runs) for text in runs[0].sometimes}
    assert cases == {
        "a case that no line reaches": False,
        "a client tweets twice": True,
        "a client tweets a thousand times": False,
    }
    assert {each for run in runs for each in run.troubles} == {
        "not always: the first client tweets alone"
    }
