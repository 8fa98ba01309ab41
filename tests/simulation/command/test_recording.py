"""Scripts that were written by hand are played, or refused with what is wrong and where."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from actors.errors import ConfigError
from actors.simulation.command.recording import Recording
from actors.systems.hotel.system import HOTEL
from tests.simulation.command.test_command import COUNTING, QUIET, inside

ROOT = Path(__file__).parents[3]
JSON = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# One request of client 0, one of client 1, and a fault in between.
WRITTEN: dict[str, Any] = {
    "system": "tally",
    "script": {
        "workload": [
            {"gap_us": 0, "client": 0, "call": {}},
            {"gap_us": 9, "client": 1, "call": {}},
        ],
        "schedule": {"steps": [{"gap_us": 5, "fault": "kill", "target": "tally"}]},
    },
}


def test_a_script_written_by_hand_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seeds need not be said; what is exported of it is played in the same way."""
    written, exported = tmp_path / "written.json", tmp_path / "exported.json"
    written.write_text(json.dumps(WRITTEN), encoding="utf-8")
    assert inside("--replay", str(written), "--export", str(exported), systems=COUNTING) == 0
    first = capsys.readouterr().out
    assert re.search(r"^\* .* kill tally$", first, re.MULTILINE)
    assert f"the script:    {exported}" in first
    assert inside("--replay", str(exported), systems=COUNTING) == 0
    assert capsys.readouterr().out.splitlines()[-1] == first.splitlines()[-1]


def test_any_seed_can_be_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that held, too; as a script it is the same run."""
    exported = tmp_path / "exported.json"
    assert inside("--seed", "5", "--export", str(exported), systems=COUNTING) == 0
    first = capsys.readouterr().out
    assert Recording.read(exported, {"tally": COUNTING[0]}).seed == 5
    assert inside("--replay", str(exported), systems=COUNTING) == 0
    assert capsys.readouterr().out.splitlines()[-1] == first.splitlines()[-1]


def test_a_script_that_fails_can_be_made_smaller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --shrink: the smaller one, and its page, stand beside it; with --cause it says why."""
    file = tmp_path / "written.json"
    file.write_text(json.dumps(WRITTEN), encoding="utf-8")
    words = ("--replay", str(file), "--shrink", "--shrink-runs", "20", "--cause")
    assert inside(*words, systems=[QUIET]) == 1
    printed = capsys.readouterr().out
    assert "It takes 1 of 2 requests and 0 of 1 faults" in printed
    assert "From line 1 on (0.000000 s script 0) it was inevitable: " in printed
    smaller = Recording.read(tmp_path / "written-smaller.json", {"tally": QUIET})
    assert (len(smaller.script.workload), len(smaller.script.schedule)) == (1, 0)
    assert (tmp_path / "written-smaller.html").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"workload": [{"gap_us": 0, "client": 7, "call": {}}]}, "script.workload[0].client: "),
        ({"workload": [{"gap_us": -1, "client": 0, "call": {}}]}, "script.workload[0].gap_us: "),
        (
            {"workload": [{"gap_us": 0, "client": 0, "call": {"auhtor": 1}}]},
            "script.workload[0].call: there is no 'auhtor' there",
        ),
        (
            {"workload": [{"gap_us": 0, "client": 0, "call": {"author": "me"}}]},
            "Expected `int`, got `str` - at `script.workload[0].call.author`",
        ),
        (
            {"schedule": {"steps": [{"gap_us": 0, "fault": "kill", "target": "tally", "ms": 1}]}},
            "script.schedule.steps[0]: there is no 'ms' there",
        ),
        (
            {"schedule": {"steps": [{"gap_us": 0, "fault": "slow_store", "target": "tally"}]}},
            "slow_store needs an amount_ms: 0 - at `script.schedule.steps[0]`",
        ),
        (
            {"schedule": {"steps": [{"gap_us": 0, "fault": "kill", "target": "taly"}]}},
            "script.schedule.steps[0].target: there is no service 'taly', but: tally",
        ),
        (
            {"schedule": {"steps": [{"gap_us": 0, "fault": "kill_at", "target": "tally.X.after"}]}},
            "script.schedule.steps[0].target: there is no point 'tally.X.after', but: tally.",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(
    change: dict[str, Any], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and nothing is played."""
    file = tmp_path / "written.json"
    script = {**WRITTEN["script"], **change}
    file.write_text(json.dumps({**WRITTEN, "script": script}), encoding="utf-8")
    assert inside("--replay", str(file), systems=COUNTING) == 2
    assert says in capsys.readouterr().err


def test_what_is_no_json_is_told_with_line_and_column(tmp_path: Path) -> None:
    """As an editor counts them."""
    file = tmp_path / "written.json"
    file.write_text('{\n  "system": "tally",\n  "script": {]\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"written\.json: line 3, column 14: .*malformed"):
        Recording.read(file, {"tally": COUNTING[0]})


def test_the_documented_script_is_one(tmp_path: Path) -> None:
    """The example of the page is read as what it says."""
    (text,) = JSON.findall((ROOT / "docs" / "SIMULATION.md").read_text(encoding="utf-8"))
    file = tmp_path / "written.json"
    file.write_text(text, encoding="utf-8")
    recording = Recording.read(file, {"hotel": HOTEL})
    assert [each.call.kind for each in recording.script.workload] == ["book", "cancel"]
    assert [each.fault for each in recording.script.schedule.steps] == ["kill_at", "slow_link"]
