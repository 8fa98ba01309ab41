"""The cause of a failure is looked for by going on from the middle of it in other ways."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from actors.config import load_config
from actors.faults.fault_kinds import FLAPS
from actors.simulation.command.log_output import without_logs
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.shrink.inevitable import CONTINUATIONS, Branch, find_inevitable
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.tally import TallyCall, TallyScenario, tally

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History
    from actors.simulation.stage.onlooker import Onlooker
    from actors.simulation.stage.staging import Played


def test_it_is_the_first_line_from_which_on_all_fails() -> None:
    """One continuation that holds is enough; so many runs for each halving are the most."""

    def fails(onlooker: Onlooker) -> bool:
        assert isinstance(onlooker, Branch)
        return onlooker.line >= 37 or (onlooker.line >= 20 and onlooker.chance != 2)

    found = find_inevitable(100, fails)
    assert found.line == 37
    assert found.runs <= CONTINUATIONS * 7
    assert find_inevitable(100, lambda _: True).line == 1


# The furnishing opens and closes the file, and so does a run: an epoch each time.
EPOCHS_MAX = 4


class Mourning(TallyScenario):
    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Complain of a service that lived once more."""
        with closing(sqlite3.connect(folder / "tally.db")) as connection:
            (epoch,) = connection.execute("SELECT value FROM epoch").fetchone()
        return ["it lived once more"] if epoch > EPOCHS_MAX else []


def test_a_fault_without_which_it_holds_is_the_cause(tmp_path: Path) -> None:
    """Before the kill it is not too late, and a trap that has not sprung is disarmed."""
    steps = (Step(10, "kill_at", "tally.ReviewTweet.before"), Step(3_000_000, "kill", "tally"))
    script = Script(
        seed=1, workload=(ClientRequest(0, 0, TallyCall()),), schedule=Schedule(steps[1:])
    )
    system = tally(scenario=Mourning)
    with without_logs():
        rehearsal = Rehearsal(system, load_config(systems=[system]), tmp_path)
        played = rehearsal.play(script, keep=True)
        assert played.troubles == ("it lived once more",)
        (killed,) = [each.number for each in played.lines if each.text == "kill tally"]
        for chance in (0, 1):
            assert rehearsal.play(script, onlooker=Branch(killed - 1, chance)).troubles == ()
            again = rehearsal.play(script, onlooker=Branch(killed, chance))
            assert again.troubles == played.troubles
            # Chance is another from there on, if it is to be.
            assert (again.digest == played.digest) == (chance == 0)
        # A trap is a fault, too: it is too late once it has sprung, and not when it is set.
        trapped = Script(seed=1, workload=script.workload, schedule=Schedule(steps[:1]))
        assert rehearsal.play(trapped).troubles == ("it lived once more",)
        assert rehearsal.play(trapped, onlooker=Branch(1, 0)).troubles == ()


def test_who_flaps_is_steady_where_no_fault_comes(tmp_path: Path) -> None:
    """From there on, and however often he still was to crash."""
    flap = Schedule((Step(0, "flap", "tally", 7_000),))
    script = Script(seed=1, workload=(ClientRequest(0, 0, TallyCall()),), schedule=flap)
    system = tally(scenario=TallyScenario)
    with without_logs():
        rehearsal = Rehearsal(system, load_config(systems=[system]), tmp_path)
        flaps, *crashes = faults_of(rehearsal.play(script, keep=True))
        assert len(crashes) == FLAPS
        lifted = rehearsal.play(script, keep=True, onlooker=Branch(crashes[1], 0))
        assert faults_of(lifted) == [flaps, *crashes[:2]]


def test_what_is_to_strike_a_link_does_not_where_no_fault_comes(tmp_path: Path) -> None:
    """It was set, and what it waits for comes later."""
    truncate = Schedule((Step(0, "truncate", "client-0>edge"),))
    request = ClientRequest(1_000_000, 0, TallyCall())
    script = Script(seed=1, workload=(request,), schedule=truncate)
    system = tally(scenario=TallyScenario)
    with without_logs():
        rehearsal = Rehearsal(system, load_config(systems=[system]), tmp_path)
        struck = faults_of(rehearsal.play(script, keep=True))
        assert len(struck) == 2
        lifted = rehearsal.play(script, keep=True, onlooker=Branch(struck[0] + 1, 0))
        assert faults_of(lifted) == struck[:1]


def faults_of(played: Played) -> list[int]:
    return [each.number for each in played.lines if each.kind == "fault"]
