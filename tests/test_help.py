"""What every command says of itself, and of options that name nothing."""

from __future__ import annotations

import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from actors import command_line
from actors.config import DEFAULTS
from actors.data_commands import COMMANDS
from actors.simulation.command.options import PROFILE, SEEDS

if TYPE_CHECKING:
    from pathlib import Path


SHIPPED = tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
FOLDER = (
    f"(default: the configuration's runtime.data_dir, as shipped: {SHIPPED['runtime']['data_dir']})"
)
CONFIGURED = ["--config FILE", "--data-dir DIR", FOLDER, "--set SECTION.KEY=VALUE"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], ["[run [SYSTEM]] [option ...]", *CONFIGURED]),
        (["run", "nowhere.py"], ["[run [SYSTEM]] [option ...]", *CONFIGURED]),
        (
            ["simulate", "nowhere.py"],
            [
                *CONFIGURED,
                f"(default: {SEEDS} fresh ones)",
                f"(default: {PROFILE})",
                "(default: all)",
                "(default: DIR/simulations/NAME-SEED.html)",
            ],
        ),
        (
            ["load", "nowhere.py"],
            [
                "load [SYSTEM] [option ...]",
                "--config FILE",
                "--set SECTION.KEY=VALUE",
                "Exit codes:",
            ],
        ),
        (["new"], ["new [-h] {system} NAME"]),
        (["break"], ["break [-h]", "--percent P", "TARGET KIND [AMOUNT]", *CONFIGURED]),
        (["mend"], ["mend [-h]", "--all", *CONFIGURED]),
        (["faults"], ["faults [-h]", "--release", *CONFIGURED]),
        (["backup"], ["backup [-h]", *CONFIGURED]),
        (["restore"], ["restore [-h]", *CONFIGURED]),
        (["accept-loss"], ["accept-loss [-h]", *CONFIGURED]),
        (["check-upgrade"], ["check-upgrade [-h]", "--config FILE", "--set SECTION.KEY=VALUE"]),
    ],
    ids=lambda each: each[0] if each and isinstance(each, list) else "",
)
def test_a_commands_help_has_its_defaults(
    capsys: pytest.CaptureFixture[str], words: list[str], says: list[str]
) -> None:
    """Whatever else is wrong: a system that cannot be found, or a configuration."""
    wrong = [] if words == ["new"] else ["--config", "nowhere.toml"]
    with pytest.raises(SystemExit) as ended:
        command_line.main([*words, *wrong, "--help"])
    told = capsys.readouterr()
    assert (ended.value.code, told.err) == (0, "")
    text = " ".join(told.out.split())
    for each in says:
        assert each in text


@pytest.mark.parametrize("command", ["run", "simulate", "backup", "restore"])
def test_a_folder_without_a_name_is_none(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Such as an unset variable's: the folder that is meant must not be another."""
    with pytest.raises(SystemExit) as ended:
        command_line.main([command, "--data-dir", ""])
    assert ended.value.code == 2
    assert "argument --data-dir: a folder has a name" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "simulate", "load"])
def test_a_system_stands_behind_its_command(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Elsewhere it is not taken for one, and that is said."""
    with pytest.raises(SystemExit) as ended:
        command_line.main([command, "--set", "edge.gateway.port=0", "shop.py"])
    assert ended.value.code == 2
    assert "'shop.py' is no option; SYSTEM stands right behind" in capsys.readouterr().err


def test_a_folder_that_is_gone_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing can be found from there, nor written there."""
    monkeypatch.setattr(sys, "argv", ["dress-rehearsal"])  # relative to the folder
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for words in ([], ["simulate"], ["new", "system", "shop"], ["backup", "there"]):
        assert command_line.main(words) == 2
        assert "the folder that you are in is gone" in capsys.readouterr().err


def test_the_commands_about_data_are_those_that_there_are() -> None:
    """The command line knows their names before it imports what they do."""
    assert tuple(COMMANDS) == command_line.ABOUT_DATA
