"""A run that is stopped tells how all stands there, and ends as it would have ended."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.simulation.command.test_command import COUNTING, inside
from tests.simulation.command.test_recording import WRITTEN

if TYPE_CHECKING:
    from pathlib import Path

STATE = re.compile(r"^stopped at .*?(?=^\n)", re.MULTILINE | re.DOTALL)


@pytest.fixture
def written(tmp_path: Path) -> str:
    """A script of two requests and a kill."""
    file = tmp_path / "written.json"
    file.write_text(json.dumps(WRITTEN), encoding="utf-8")
    return str(file)


def test_a_stopped_run_tells_how_all_stands(
    written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Actors, timers, rows; then, with nobody at a terminal, it goes on to the same end."""
    assert inside("--replay", written, "--verbose", systems=COUNTING) == 0
    whole = capsys.readouterr().out
    commit = re.search(r"^ *(\d+) +(\d+\.\d+) s  commit    tally", whole, re.MULTILINE)
    assert commit is not None
    digests = {whole.splitlines()[-1]}
    for words in (("--step", commit[1]), ("--at", f"{commit[2]}s")):
        assert inside("--replay", written, *words, systems=COUNTING) == 0
        printed = capsys.readouterr().out
        digests.add(printed.splitlines()[-1])
        (state,) = STATE.findall(printed)
        assert f" {commit[2]} s " in state.splitlines()[0]
        assert re.search(r"^tally +running +\d/\d+ +2 ", state, re.MULTILINE)
        assert re.search(r"^under way: #\d client-\d: count \d$", state, re.MULTILINE)
        assert re.search(r"^timer of tally: ReviewTweet, due in 0\.\d+ s$", state, re.MULTILINE)
        assert "rows of tally's tally: 1\n  id=1 counted=2 reviewed=0 announced=0\n" in state
    assert len(digests) == 1


def test_pdb_opens_where_somebody_sits(
    written: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At a terminal the debugger of their choice, with the scene at hand."""
    seen: list[str] = []

    def look() -> None:
        scene = sys._getframe(1).f_locals["scene"]
        seen.append(str(scene.machine.actors()[0].name))

    monkeypatch.setattr(sys, "breakpointhook", look)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert inside("--replay", written, "--step", "9", systems=COUNTING) == 0
    assert seen == ["root"]
    assert "all held" in capsys.readouterr().out


def test_a_moment_that_never_comes_is_told(
    written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With where it ended instead."""
    assert inside("--replay", written, "--at", "900000s", systems=COUNTING) == 0
    said = r"^it ended before that, at line \d+, \d+\.\d+ s$"
    assert re.search(said, capsys.readouterr().out, re.MULTILINE)
