"""A backup of a running system holds what was there at its moment, whatever happens beside it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import pytest

from actors.service.assembly import ServiceSystem
from actors.service.common_invariants import all_at_rest
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.files.simulated_aside import SimulatedHold
from actors.simulation.script.schedule import Step
from actors.simulation.stage import mishaps
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.files import backup
from actors.store.files.snapshot import Snapshot
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, under_load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actors.config import Config
    from actors.simulation.script.script import Script
    from actors.simulation.stage.staging import Played

BACK_UP: Final = "back_up"
BUSY_US: Final = 20_000


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TALLY, config_of("tally"), place, profile="chaos")


def backing_up_beside(*steps: Step) -> Script:
    return under_load(Step(2_000, BACK_UP, "process"), *steps)


def said(played: Played) -> list[str]:
    return [each.text for each in played.lines if each.kind == "backup"]


def test_what_is_put_back_goes_on(rehearsal: Rehearsal) -> None:
    """Amid writes: it comes to rest, and its audit finds nothing."""
    audited: list[Any] = []

    def at_rest() -> Any:
        audited.append(1)
        return all_at_rest()

    with patch.object(mishaps, "all_at_rest", at_rest):
        played = rehearsal.play(backing_up_beside(), keep=True)
    assert played.troubles == ()
    assert said(played) == ["201"]
    assert audited == [1]
    assert rehearsal.play(played.script).digest == played.digest


def _letters(folder: Path, _config: Config, _now_us: int) -> list[str]:
    with closing(sqlite3.connect(folder / "tally.db")) as connection:
        rows = connection.execute("SELECT message_type FROM dead_letter").fetchall()
    return [f"a dead letter: {message_type}" for (message_type,) in rows]


def test_what_poison_has_made_of_a_message_by_then_is_replayed() -> None:
    """As it was where the backup was made: a letter that was wished for is nobody's trouble."""
    poison, cure = (Step(0, fault, "tally.CountTweet") for fault in ("poison", "cure"))
    audited = replace(TALLY, audit=lambda: _letters)
    with scratch_folder() as place, without_logs():
        rehearsal = Rehearsal(audited, config_of("tally"), place, profile="handlers")
        script = under_load(poison, Step(2_000_000, BACK_UP, "process"), cure)
        played = rehearsal.play(script, keep=True)
    assert [each for each in played.lines if each.kind == "deadlettered"]
    assert said(played) == ["201"]
    assert played.troubles == ()


@pytest.mark.sampled
@pytest.mark.parametrize("fault", ["crash", "cut_power", "terminate"])
@pytest.mark.parametrize("after_us", [500, 3_000, 6_000, 9_000])
def test_what_was_not_finished_is_none(rehearsal: Rehearsal, fault: Any, after_us: int) -> None:
    """Its process ends while it is made: then it was made all the same, or is refused."""
    played = rehearsal.play(backing_up_beside(Step(after_us, fault, "process")), keep=True)
    assert played.troubles == ()


def test_a_full_disk_is_told(rehearsal: Rehearsal) -> None:
    """There is no room for a copy; once there is, another is made."""
    full = Step(0, "fill_disk", "tally")
    again = (Step(30_000_000, "free_disk", "tally"), Step(1_000_000, BACK_UP, "process"))
    played = rehearsal.play(under_load(full, Step(2_000, BACK_UP, "process"), *again), keep=True)
    assert played.troubles == ()
    assert said(played)[-1] == "201"
    assert said(played)[0] != "201"


def test_some_seeds_have_backups(rehearsal: Rehearsal) -> None:
    """Beside a request, and shortly before a fault."""
    drawn = [rehearsal.script(seed).schedule.steps for seed in range(400)]
    backups = [sum(each.fault == BACK_UP for each in steps) for steps in drawn]
    assert 5 < sum(map(bool, backups)) < 40
    assert 2 in backups


def _hold_nothing(self: Snapshot) -> None:
    """What is copied is what is there when it is copied."""


def _take_at_once(self: SimulatedHold, steps: Any) -> Any:
    """Nobody is waited for."""
    self._awaited = 0
    return take(self, steps)


async def _acknowledge_nothing(_self: ServiceSystem, target: Any) -> dict[str, str]:
    target.mkdir()
    return {}


take = SimulatedHold.take
PLANTS: Final = (
    (patch.object(Snapshot, "begin", _hold_nothing), "not what was there at its moment"),
    (patch.object(SimulatedHold, "take", _take_at_once), "not what was there at its moment"),
    (patch.object(ServiceSystem, "backup", _acknowledge_nothing), "acknowledged, and is none"),
    (patch.object(backup, "_contradicts", lambda *_: "is another"), "is missing: "),
)


@pytest.mark.sampled
@pytest.mark.parametrize(("planted", "words"), PLANTS)
def test_what_is_not_held_is_found(rehearsal: Rehearsal, planted: Any, words: str) -> None:
    """And what is acknowledged, and is not there."""
    found: set[str] = set()
    for us in range(0, 12_000, 400):
        with planted:
            script = under_load(Step(us, BACK_UP, "process"))
            found |= {*rehearsal.play(script).troubles}
        if any(words in each for each in found):
            break
    assert [each for each in found if each.startswith("backups: ") and words in each], found
