"""Handlers that raise, are slow, or are answered oddly: it happens, and all holds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import pytest

from actors.config import load_config
from actors.faults.fault_kinds import FAULTS, FLAPS
from actors.kernel.lane_server import LaneServer
from actors.kernel.supervision.supervisor import Supervisor
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.shrink.minimise import minimise
from actors.simulation.stage.rehearsal import Rehearsal
from actors.simulation.time.flaps import OVER_S_MAX
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, TallyCall
from tests.simulation.workshop_scenario import WORKSHOP, WorkshopCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.stage.staging import Played

SEEDS: Final = 200
HIT: Final = "fault tally tally."
COUNT: Final = "tally.CountTweet"
ANNOUNCE: Final = "tally.AnnounceTweet"


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TALLY, config_of("tally"), place, profile="handlers")


@pytest.fixture(scope="module")
def workshop() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(WORKSHOP, config_of("workshop"), place, profile="handlers")


def one_tweet(*steps: Step) -> Script:
    return Script(seed=1, workload=(ClientRequest(0, 0, TallyCall()),), schedule=Schedule(steps))


def texts_of(played: Played) -> list[str]:
    return [f"{line.kind} {line.who} {line.text}".rstrip() for line in played.lines]


# --- It happens --------------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("step", "seen"),
    [
        (Step(0, "fail_before", COUNT), [f"{HIT}CountTweet raises before its work"]),
        (Step(0, "fail_after", COUNT), [f"{HIT}CountTweet raises after its work"]),
        (
            Step(0, "fail_commit", COUNT),
            [
                "fault tally what tally.CountTweet has written breaks a constraint",
                "crash tally WishedBreak",
                "restarted tally",
                "message tally CountTweet handled",
            ],
        ),
        (
            Step(0, "poison", COUNT),
            3 * [f"{HIT}CountTweet is given poison"] + ["deadlettered tally CountTweet"],
        ),
        (Step(0, "poison", ANNOUNCE), 3 * [f"{HIT}AnnounceTweet is given poison"]),
        (Step(0, "slow_handler", COUNT, 1_000), [f"{HIT}CountTweet is slow"]),
        (
            Step(0, "slow_handler", COUNT, 10_000),
            [f"{HIT}CountTweet is slow", "crash tally WishedTimeout"],
        ),
        (
            Step(0, "late_effect", ANNOUNCE, 100),
            [f"{HIT}AnnounceTweet is answered late"],
        ),
        (Step(0, "twice_effect", ANNOUNCE), [f"{HIT}AnnounceTweet asks twice"]),
        (
            Step(0, "flap", "tally", 100),
            5 * ["fault tally tally crashes by itself", "restarted tally"]
            + ["fault tally tally crashes by itself", "parked tally"],
        ),
        (
            Step(0, "flap", "tally", 7_000),
            6 * ["fault tally tally crashes by itself", "restarted tally"],
        ),
        (
            Step(0, "flap", "tally", 12_000),
            6 * ["fault tally tally crashes by itself", "restarted tally"],
        ),
        (
            Step(0, "kill_starts", "tally"),
            FLAPS * ["fault tally killed while it starts"] + ["restarted tally"],
        ),
        (
            Step(0, "lock_at", f"{COUNT}.after", 3_000),
            [
                "fault tally its file cannot be opened for 3 s",
                f"fault tally killed at {COUNT}.after",
                "parked tally",
                "restarted tally",
            ],
        ),
        (
            Step(0, "lock_poison", COUNT, 3_000),
            [
                "fault tally its file cannot be opened for 3 s",
                "parked tally",
                "restarted tally",
                *2 * [f"{HIT}CountTweet is given poison"],
                "deadlettered tally CountTweet",
            ],
        ),
        (Step(0, "lock_file", "tally"), ["refuse tally its file cannot be opened", "parked tally"]),
    ],
)
def test_what_is_set_strikes(rehearsal: Rehearsal, step: Step, seen: list[str]) -> None:
    """As the trace has it; in the end all holds, and it plays the same again."""
    played = rehearsal.play(one_tweet(step, Step(20_000_000, "restart", "tweets")), keep=True)
    assert played.troubles == ()
    lines = iter(texts_of(played))
    assert all(each in lines for each in seen)
    assert rehearsal.play(played.script).digest == played.digest


CRASH: Final = "fault tally tally crashes by itself"


def crashes_us(played: Played) -> list[int]:
    """Return when it crashed by itself."""
    texts = texts_of(played)
    return [line.at_us for line, text in zip(played.lines, texts, strict=True) if text == CRASH]


@pytest.mark.parametrize(
    "beside",
    [
        (Step(0, "pause", "process", 10_000), Step(1_000_000, "flap", "tally", 100)),
        (Step(0, "lock_file", "tally"), Step(1_000_000, "flap", "tally", 100)),
        (Step(0, "suspend", "tally"), Step(1_000_000, "flap", "tally", 100)),
        (Step(0, "flap", "tally", 7_000), Step(10_000_000, "crash", "process")),
    ],
)
def test_who_is_to_flap_does_so_as_often_whatever_comes_beside_it(
    rehearsal: Rehearsal, beside: tuple[Step, ...]
) -> None:
    """None of its crashes is while nothing of it runs, and nobody waits for one in vain."""
    played = rehearsal.play(one_tweet(*beside), keep=True)
    assert played.troubles == ()
    assert len(crashes_us(played)) == FLAPS
    assert played.virtual_s < OVER_S_MAX


def test_who_flaps_spends_a_restart_budget_or_just_does_not() -> None:
    """As the configuration has it that is shipped."""
    supervisor, amounts_s = (
        load_config().supervisor,
        [ms / 1000 for ms in FAULTS["flap"].amounts_ms],
    )
    assert supervisor.intensity + 1 == FLAPS
    spent = [amount_s * supervisor.intensity < supervisor.period_s for amount_s in amounts_s]
    assert spent == [True, False, False]
    assert amounts_s[-1] > supervisor.stable_s


def test_a_dead_process_leaves_no_crash_to_the_next(rehearsal: Rehearsal) -> None:
    """That is up for as long as any other."""
    flap = Step(0, "flap", "tally", 7_000)
    played = rehearsal.play(one_tweet(flap, Step(5_000_000, "crash", "process")), keep=True)
    (_, booted_us) = [line.at_us for line in played.lines if line.kind == "boot"]
    assert crashes_us(played)[1] - booted_us >= 6_900_000


def test_a_slow_handler_takes_its_time(rehearsal: Rehearsal) -> None:
    """Of virtual time, before its commit."""
    played = rehearsal.play(one_tweet(Step(0, "slow_handler", COUNT, 1_000)), keep=True)
    moments = {text: line.at_us for text, line in zip(texts_of(played), played.lines, strict=True)}
    slow_us = moments[f"{HIT}CountTweet is slow"]
    assert moments["message tally CountTweet handled"] - slow_us >= 1_000_000


def test_an_ended_poison_is_none(rehearsal: Rehearsal) -> None:
    """What comes after the end is handled."""
    steps = Step(0, "poison", COUNT), Step(0, "cure", COUNT)
    played = rehearsal.play(one_tweet(*steps), keep=True)
    assert "message tally CountTweet handled" in texts_of(played)
    assert f"{HIT}CountTweet is given poison" not in texts_of(played)


@pytest.mark.parametrize(
    ("poisoned", "calls", "seen"),
    [
        (
            "desk.Refused[DoJob]",
            [WorkshopCall(sort="wanting"), WorkshopCall(sort="letter", count=1)],
            ["deadlettered desk Refused[DoJob]", "message desk DiscardLetter handled"],
        ),
        ("mill.DoJob", [WorkshopCall(sort="many", count=5)], 5 * ["deadlettered mill DoJob"]),
    ],
)
def test_what_is_let_go_is_missing_and_no_trouble(
    workshop: Rehearsal, poisoned: str, calls: list[WorkshopCall], seen: list[str]
) -> None:
    """A request whose answer somebody discards stays open; of five letters only three are kept."""
    asked = tuple(ClientRequest(1_000_000, client, call) for client, call in enumerate(calls))
    schedule = Schedule((Step(0, "poison", poisoned), Step(30_000_000, "cure", poisoned)))
    played = workshop.play(Script(seed=1, workload=asked, schedule=schedule), keep=True)
    assert played.troubles == ()
    lines = iter(texts_of(played))
    assert all(each in lines for each in seen)


# --- What it finds -----------------------------------------------------------------------------


@contextmanager
def poison_is_never_given_up() -> Iterator[None]:
    give_back = LaneServer.give_back

    def forgetful(self: LaneServer, culprit: Any, error: str, *, redelivers: bool) -> None:
        give_back(self, culprit, error, redelivers=redelivers)
        if culprit is not None:
            culprit.attempt = 0

    with patch.object(LaneServer, "give_back", forgetful):
        yield


@contextmanager
def nothing_is_parked() -> Iterator[None]:
    async def restart(self: Supervisor, child: Any, _exit: Any) -> None:
        self._restart_later(child, 0.1)

    with patch.object(Supervisor, "_plan_restart", restart):
        yield


POISON: Final = ("poison", "lock_poison")
LOCKS: Final = ("lock_file", "lock_at", "lock_poison", "flap")


def _is_of_run(played: Played) -> bool:
    """Whether anything is wrong but with what happens to its files afterwards."""
    return any(not each.startswith("files: ") for each in played.troubles)


@pytest.mark.parametrize(
    ("planted", "first"),  # where the search begins, near what it finds
    [
        # That poison runs once too often, an oracle of the engine's finds: test_engine.
        pytest.param(poison_is_never_given_up, 2, marks=pytest.mark.long),
        (nothing_is_parked, 1),
    ],
)
def test_a_planted_bug_is_found(rehearsal: Rehearsal, planted: Any, first: int) -> None:
    """That no other fault shows; and it shrinks to the fault that it takes."""

    def play(script: Script) -> Played:
        with planted():
            return rehearsal.play(script)

    found = next(
        played for seed in range(first, SEEDS) if _is_of_run(played := play(rehearsal.script(seed)))
    )
    minimum = minimise(
        found.script, play, _is_of_run, targets=rehearsal.targets,
        runs_max=20,
    )  # fmt: skip
    faults = [step.fault for step in minimum.script.schedule.steps]
    assert faults[0] in (POISON if planted is poison_is_never_given_up else LOCKS)
    assert set(faults[1:]) <= {"cure", "unlock_file"}
