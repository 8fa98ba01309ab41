"""A next version with a mistake is told so in a sentence, changes no file, and loses nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import msgspec
import pytest

from actors import app
from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.deploys import broken_deploy
from actors.simulation.deploys.handler_slips import SLIPS
from actors.simulation.deploys.mistakes import MISTAKES
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.stage.rehearsal import Rehearsal
from actors.simulation.stage.scenario import scenario_of
from actors.store.files import migrations
from actors.store.sqlite_store import SqliteStore
from actors.systems.hotel.system import HOTEL
from tests.simulation.depot import DEPOT
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, under_load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.stage.staging import Played
    from actors.system import System

DEPLOY: Final = "broken_deploy"
ALTERED: Final = "a migration that was altered"
FAILING: Final = "a migration that fails on what is there"
NO_GROUP: Final = "a group of nobody"
# Told by whoever starts, and by who opens its file.
LATE: Final = (
    ALTERED,
    "a migration that was taken back",
    FAILING,
    "a migration that leaves what refers to none",
)
open_for_writing = SqliteStore._open_for_writing


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TALLY, config_of("tally"), place)


def deploying(*mistakes: str) -> Script:
    return under_load(*[Step(20_000, DEPLOY, each) for each in mistakes])


def lines_of(played: Played, kind: str) -> list[str]:
    return [each.text for each in played.lines if each.kind == kind]


@pytest.mark.parametrize(
    "system",
    [DEPOT, *(pytest.param(each, marks=pytest.mark.long) for each in (TALLY, HOTEL))],
    ids=lambda each: each.name,
)
def test_each_mistake_is_told(system: System) -> None:
    """And the version that is right goes on with all that was there."""
    with scratch_folder() as place, without_logs():
        systems = scenario_of(system)().systems(system)
        rehearsal = Rehearsal(system, load_config(systems=systems), place)
        workload = rehearsal.script(1).workload
        possible = rehearsal.targets.mistakes
        assert len(possible) > 3 * len(MISTAKES) // 4
        told = []
        for first in range(0, len(possible), 12):
            steps = [Step(20_000, DEPLOY, each) for each in possible[first : first + 12]]
            script = Script(seed=1, workload=workload, schedule=Schedule(tuple(steps)))
            played = rehearsal.play(script, keep=True)
            assert played.troubles == ()
            told += lines_of(played, "deploy")
    refused = [each.removesuffix(": refused") for each in told if each.endswith(": refused")]
    assert refused == [each for each in possible if each not in {*LATE, *SLIPS}]
    assert len(told) == len(possible)


def test_what_only_a_file_tells_parks_its_service(rehearsal: Rehearsal) -> None:
    """The rest serves; then the version that is right finds the file as it was."""
    played = rehearsal.play(deploying(ALTERED, FAILING), keep=True)
    assert played.troubles == ()
    boots = ["process 1", "process 2, of the next version,", "process 3"]
    boots += ["process 4, of the next version,", "process 5"]
    assert lines_of(played, "boot") == boots
    assert len(lines_of(played, "parked")) == 2
    assert rehearsal.play(played.script).digest == played.digest


@pytest.mark.sampled
@pytest.mark.parametrize("mistake", [*SLIPS])
def test_what_a_handler_does_wrong_loses_nothing(rehearsal: Rehearsal, mistake: str) -> None:
    """Its crash says what, and its message is done by the version that is right."""
    script = under_load(Step(0, DEPLOY, mistake))
    first = msgspec.structs.replace(script.workload[0], gap_us=1_000_000)  # while it serves
    workload = (first, *script.workload[1:])
    played = rehearsal.play(msgspec.structs.replace(script, workload=workload), keep=True)
    assert played.troubles == ()
    assert any(each.endswith("has a mistake") for each in lines_of(played, "fault"))
    excused = [each for each in lines_of(played, "crashed") if "Wished" not in each]
    assert excused


def _raise(*_: Any) -> Any:
    raise KeyError("nobody")


def _write(*_: Any) -> Any:
    folder = _[2]
    (folder / "note").write_text("a file more", encoding="utf-8")
    return look_through(*_)


look_through = app.look_through


def _touch(self: SqliteStore, *arguments: Any, **options: Any) -> Any:
    """Who cannot open a file as it is writes something into it."""
    try:
        return open_for_writing(self, *arguments, **options)
    except Exception:
        with self._spec.path.open("ab") as file:
            file.write(bytes(512))
        raise


PLANTS: Final = (
    (NO_GROUP, patch.object(app, "check_groups", lambda *_: None), "nobody has told it"),
    (NO_GROUP, patch.object(app, "check_groups", _raise), "it was told by KeyError"),
    (NO_GROUP, patch.object(broken_deploy, "look_through", _write), "a file was changed"),
    (ALTERED, patch.object(migrations, "pending_migrations", lambda *_: ()), "its service runs"),
    (ALTERED, patch.object(SqliteStore, "_open_for_writing", _touch), "was changed"),
)


@pytest.mark.parametrize(("mistake", "planted", "words"), PLANTS)
def test_what_is_not_told_is_found(
    rehearsal: Rehearsal, mistake: str, planted: Any, words: str
) -> None:
    """Or is told by whoever chokes on it, or after something was done."""
    script = deploying(mistake)
    with planted:
        found = rehearsal.play(script).troubles
    assert [each for each in found if each.startswith("deploy: ") and words in each], found


def test_some_ends_of_the_process_are_deploys(rehearsal: Rehearsal) -> None:
    """In place of another, and so no run is the longer; another seed has another mistake."""
    drawn = [step for seed in range(300) for step in rehearsal.script(seed).schedule.steps]
    deploys = [each.target for each in drawn if each.fault == DEPLOY]
    ends = [each for each in drawn if each.fault in {"crash", "terminate"}]
    left = Counter(each.fault for each in ends)
    assert left["crash"] > 2 * left["terminate"] > 0
    assert len(ends) / 2 < len(deploys) < 2 * len(ends)
    assert len({*deploys}) > len(deploys) // 2
