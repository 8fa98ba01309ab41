"""`new system`: what it writes, and where it writes nothing. That it works: test_wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors import command_line

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_everything_has_the_new_name(folder: Path) -> None:
    """Files and what is in them; the name of what it was made from is nowhere."""
    assert command_line.main(["new", "system", "tea_house"]) == 0
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*")}
    assert {"tea_house/tea_house.py", "tea_house/README.md", "tea_house/test_tea_house.py"} <= {
        *files
    }
    texts = [path.read_text(encoding="utf-8") for path in files.values()]
    assert [each for each in (*files, *texts) if "shop" in each.lower()] == []
    assert "TEA_HOUSE = System(" in files["tea_house/tea_house.py"].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("there", "is there already"),
        ("json", "Python has a module 'json' already"),
        ("actors", "Python has a module 'actors' already"),
        ("class", "cannot be a module's name"),
        ("../up", "cannot be a module's name"),
        ("Shop", "cannot be a module's name"),
    ],
)
def test_what_could_not_work_is_not_written(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, says: str
) -> None:
    """One sentence, and nothing is touched."""
    (folder / "there").mkdir()
    assert command_line.main(["new", "system", name]) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in folder.rglob("*")] == ["there"]
