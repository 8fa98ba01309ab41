"""`simulate --corpus DIR`: what somebody keeps there is played before any seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.kernel.clock import SystemClock
from actors.simulation.command.command import simulate
from actors.simulation.command.options import Options
from actors.simulation.command.recording import Recording
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.playwright import REQUESTS_MAX
from tests.simulation.command.test_command import RUNTIME
from tests.simulation.tally import TallyCall, TallyScenario, tally

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History


class Overwhelmed(TallyScenario):
    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Complain of what no seed ever asks: it draws so many requests at most."""
        return ["too many tweets"] if len(history.operations) > REQUESTS_MAX else []


SYSTEM = tally(scenario=Overwhelmed)
SEEDS = ("--seed", "1", "--seeds", "2", "--faults", "calm", "--jobs", "1")


def keep(
    folder: Path, name: str, requests: int, *, system: str = "tally", target: str = ""
) -> None:
    workload = tuple([ClientRequest(0, 0, TallyCall(author=0))] * requests)
    steps = (Step(0, "kill", target),) if target else ()
    script = Script(seed=4, workload=workload, schedule=Schedule(steps))
    text = Recording(system=system, seed=4, script=script).to_json()
    (folder / f"{name}.json").write_text(text)


def play(folder: Path, *words: str) -> int:
    data = ("--data-dir", str(folder / "data"), "--corpus", str(folder))
    return simulate(
        [*SEEDS, *data, *words],
        program=RUNTIME,
        fresh_seed=1,
        clock=SystemClock(),
        systems=[SYSTEM],
    )


def test_what_is_kept_is_played_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And then the seeds, as many as without; other systems' scripts and what is none are left."""
    keep(tmp_path, "one", 1)
    keep(tmp_path, "other", 1, system="hotel")
    for name, text in (("one.html", "a page"), ("settings.json", "{}"), ("list.json", "[1]")):
        (tmp_path / name).write_text(text)
    assert play(tmp_path) == 0
    printed = capsys.readouterr().out
    assert f"first, scripts of {tmp_path}: 1\n" in printed
    assert "\n3 schedules in " in printed


def test_what_fails_there_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its file, made small; no seed is played, unless it is to keep going."""
    for name, requests in (("a", 1), ("b", REQUESTS_MAX + 1), ("c", REQUESTS_MAX + 2)):
        keep(tmp_path, name, requests)
    words = ("--shrink-runs", "1")
    assert play(tmp_path, *words) == 1
    printed = capsys.readouterr().out
    assert f"FAILED: {tmp_path / 'b.json'}\n  too many tweets\n" in printed
    assert "\n2 schedules in " in printed
    assert (tmp_path / "data" / "simulations" / "tally-4.json").exists()
    assert play(tmp_path, *words, "--keep-going") == 1
    printed = capsys.readouterr().out
    assert "1 kind of failure in 2 of 5 schedules:" in printed
    assert printed.count("FAILED:") == 1


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (None, "there is no such folder"),
        ('{"script": {}}', "missing required field `system`"),
        ('{"system": "tally"}', "missing required field `script`"),
        ("nowhere", "there is no service 'nowhere'"),
    ],
)
def test_what_is_no_corpus_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, trouble: str
) -> None:
    """With the file, before any seed: exit code 2."""
    folder = tmp_path / "kept"
    if text is not None:
        folder.mkdir()
        if text.startswith("{"):
            (folder / "a.json").write_text(text)
        else:
            keep(folder, "a", 1, target=text)
    assert play(folder) == 2
    printed = capsys.readouterr()
    assert trouble in printed.err
    assert "schedule" not in printed.out


def test_a_second_process_plays_it_too(tmp_path: Path) -> None:
    """It is a campaign's, and no single run's."""
    words = ["--corpus", str(tmp_path), "--check-determinism"]
    options = Options.parse(words, systems=["tally"], fresh_seed=1)
    assert words[:2] == options.for_second_process()[4:6]
    with pytest.raises(SystemExit):
        Options.parse([*words, "--replay", "a.json"], systems=["tally"], fresh_seed=1)
