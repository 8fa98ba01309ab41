"""`new system`: what it writes, and where it writes nothing. Installed: test_wheel."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from actors import command_line

RUNTIME = Path(__file__).parent.parent / "runtime.py"


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


def test_its_scenario_finds_a_lie_to_a_client(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that the audit of the files has no fault with."""
    assert command_line.main(["new", "system", "tea_hut"]) == 0
    file = folder / "tea_hut" / "tea_hut.py"
    text = file.read_text(encoding="utf-8")
    lie = text.replace(
        "        return order\n", "        return msgspec.structs.replace(order, count=99)\n"
    )
    assert lie != text
    file.write_text(lie, encoding="utf-8")
    assert command_line.main(["simulate", str(file), "--seeds", "3", "--faults", "calm"]) == 1
    assert "a client was told of order {'count': 99," in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("there", "is there already"),
        ("json", "Python has a module 'json' already"),
        ("actors", "Python has a module 'actors' already"),
        ("class", "cannot be a module's name"),
        ("x" * 300, "cannot be a module's name"),
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


def test_a_folder_that_takes_nothing_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in its place, or a folder that is not ours to write to."""

    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert command_line.main(["new", "system", "tea_house"]) == 2
    told = capsys.readouterr().err
    assert told == (
        f"dress-rehearsal: {folder}/tea_house cannot be written: Permission denied; "
        "go to another folder\n"
    )


@pytest.mark.real_time
@pytest.mark.long
def test_a_checkouts_does_what_its_readme_says(tmp_path: Path) -> None:
    """Its simulation holds and its tests pass, in a folder with a space, with nothing activated."""
    place = tmp_path / "of one's own"
    place.mkdir()
    written = [sys.executable, str(RUNTIME), "new", "system", "tea_house"]
    subprocess.run(written, cwd=place, check=True, capture_output=True)
    readme = (place / "tea_house" / "README.md").read_text(encoding="utf-8")
    *_, plays, tests = re.findall(r"^    (.*)$", readme, re.MULTILINE)
    for words, says in ((f"{plays} --seeds 3", "all held"), (tests, "3 passed")):
        done = subprocess.run(
            ["bash", "-c", words], cwd=place / "tea_house", capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert says in done.stdout
