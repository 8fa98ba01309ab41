"""What every command says of itself, and of options that name nothing."""

from __future__ import annotations

import tomllib

import pytest

from actors import command_line
from actors.config import DEFAULTS
from actors.simulation.command.options import PROFILE, SEEDS

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
        (["new"], ["new [-h] {system} NAME"]),
        (["backup"], ["backup [-h]", *CONFIGURED]),
        (["restore"], ["restore [-h]", *CONFIGURED]),
        (["accept-loss"], ["accept-loss [-h]", *CONFIGURED]),
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
