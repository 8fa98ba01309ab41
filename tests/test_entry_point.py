"""Somebody's own systems on the command line: found by file, module or name, or one sentence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors import command_line
from actors.config import listed_systems
from actors.entry_point import load_listed, load_named
from actors.errors import ConfigError, EntryPointError
from tests.own_system import write_shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.system import System

RUNTIME = Path(__file__).parent.parent / "runtime.py"
LISTED = ("actors.systems:SYSTEMS",)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is nobody's, to be in; what is imported from there is forgotten again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def names(systems: list[System]) -> list[str]:
    return [each.name for each in systems]


@pytest.mark.parametrize(
    "name", ["shop.py", "shop", "shop:SHOP", "shop.py:SHOP", "./shop.py", "{here}/shop.py:SHOP"]
)
def test_a_system_is_found_as_file_and_as_module(elsewhere: Path, name: str) -> None:
    """With what it is called there, or without where there is one."""
    write_shop(elsewhere)
    assert names(load_named(name.format(here=elsewhere), LISTED)) == ["shop"]


def test_a_file_of_a_package_is_imported_as_such(elsewhere: Path) -> None:
    """So that it may import what stands beside it by the package's name, or relatively."""
    write_shop(elsewhere / "tea" / "shop")
    (elsewhere / "tea" / "__init__.py").touch()
    (elsewhere / "tea" / "shop" / "__init__.py").write_text("from .shop import SHOP")
    (elsewhere / "tea" / "both.py").write_text(
        "from dataclasses import replace\nfrom tea.shop import SHOP\n"
        "OTHER = replace(SHOP, name='other')\nBOTH = (SHOP, OTHER)\n"
    )
    assert names(load_named("tea/shop/shop.py", LISTED)) == ["shop"]
    assert names(load_named("tea.shop", LISTED)) == ["shop"]
    # What holds all that is declared there says it for the rest.
    assert names(load_named("tea/both.py", LISTED)) == ["shop", "other"]
    assert names(load_named("tea.both:OTHER", LISTED)) == ["other"]


def test_a_listed_system_is_found_by_its_name() -> None:
    """One of those that the configuration lists."""
    assert names(load_named("hotel", LISTED)) == ["hotel"]


def test_the_configuration_lists_what_boots(elsewhere: Path) -> None:
    """Laid over as all of it is; what is no list is named."""
    write_shop(elsewhere)
    (elsewhere / "own.toml").write_text('[runtime]\nsystems = ["shop.py"]\n')
    assert listed_systems() == LISTED
    assert names(load_listed(listed_systems(elsewhere / "own.toml"))[0]) == ["shop"]
    with pytest.raises(ConfigError, match=r"runtime\.systems is a list"):
        listed_systems(None, ["runtime.systems=shop"])
    (elsewhere / "own.toml").write_text("runtime = 3\n")
    with pytest.raises(ConfigError, match=r"runtime is a table.* such as runtime\.systems"):
        listed_systems(elsewhere / "own.toml")


def test_what_lacks_a_package_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a list, with one line that names pip's command; named by itself it is an error."""
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "tweepy" else find(name))
    systems, (line,) = load_listed(LISTED)
    assert names(systems) == ["hotel", "x_platform"]
    assert line.startswith("tweets is left out: it needs tweepy; type ")
    assert line.endswith("-m pip install 'dress-rehearsal[tweets]'")
    with pytest.raises(EntryPointError, match="tweets cannot run: it needs tweepy"):
        load_named("tweets", LISTED)


@pytest.mark.parametrize("package", ["tweepy", "vaderSentiment"])
def test_a_declaration_is_read_without_the_extra(package: str) -> None:
    """Else nobody could say what is missing."""
    code = f"import sys; sys.modules['{package}'] = None; import actors.systems"
    subprocess.run([sys.executable, "-c", code], cwd=RUNTIME.parent, check=True)


# --- What is wrong ---------------------------------------------------------------------------

SYSTEM = "from actors.system import System\n"
ONE = SYSTEM + "A = System(name='a', services=lambda _: {})\n"
WRONG = [
    ("there.py", {}, ["there is no file {here}/there.py", "name the one that declares"]),
    ("there", {}, ["there is no module 'there' in {here}", "path/to/shop.py"]),
    ("there.or.not:X", {}, ["there is no module 'there.or.not' in {here}"]),
    ("shops/", {}, ["'shops/' names no system", "shop:SHOP"]),
    ("s.py", {"s.py": "X = 1"}, ["s.py declares no System", "SHOP = System(...)"]),
    ("s.py:X", {"s.py": "X = 1"}, ["s.py:X is a int", "a System is wanted there"]),
    ("s.py:Y", {"s.py": ONE}, ["s.py has no 'Y': s.py:A"]),
    (
        "s.py",
        {"s.py": ONE + "B = System(name='b', services=lambda _: {})"},
        ["s.py has several: say which, s.py:A or s.py:B"],
    ),
    (
        "s.py",
        {"s.py": "import nowhere.at.all"},
        ["No module named 'nowhere'", "{here}/s.py, line 1", "-m pip install"],
    ),
    ("s", {"s.py": "import t", "t.py": "1/0"}, ["ZeroDivisionError", "mend {here}/t.py, line 1"]),
    ("s.py", {"s.py": "def f(:"}, ["SyntaxError", "mend {here}/s.py, line 1"]),
    ("s.py", {"s.py": "import actors.nothing"}, ["'actors.nothing'; mend {here}/s.py, line 1"]),
    ("json.py", {"json.py": ONE}, ["module 'json' already", "another name"]),
    ("s.py", {"s.py": ONE + "raise SystemExit(0)"}, ["ends the program", "if __name__ =="]),
    (
        "s.py",
        {"s.py": "raise GeneratorExit"},
        ["imported: GeneratorExit; mend {here}/s.py, line 1"],
    ),
    ("s.py", {"s.py": "raise KeyboardInterrupt"}, ["KeyboardInterrupt; mend {here}/s.py, line 1"]),
    (
        "s.py",
        {"s.py": "class No(BaseException):\n  def __str__(self): 1/0\nraise No"},
        ["No: (it cannot even be printed); mend {here}/s.py, line 3"],
    ),
    ("s.t", {"s.py": "1/0"}, ["s.t cannot be imported: ZeroDivisionError", "mend {here}/s.py"]),
    ("s.py", {"s.py": "\0"}, ["null bytes; mend {here}/s.py"]),
    (f"{'s' * 300}.py", {}, ["cannot look for {here}/sss", "File name too long; name a file in a"]),
    ("no.tes.py", {"no.tes.py": ONE}, ["the dot in 'no.tes'", "a name without one"]),
    (".py", {".py": ONE}, ["the dot in '.py'", "a name without one"]),
    ("\udcff.py", {}, ["'\\udcff.py' is not UTF-8: use another name"]),
    (
        "s.py",
        {"s.py": ONE, "actors/mine.py": ""},
        ["{here}/actors has the name of a package of Dress Rehearsal's", "another name"],
    ),
    ("s:A", {"s.py": ONE, "http_edge.py": ""}, ["{here}/http_edge.py has the name"]),
]


@pytest.mark.parametrize("command", ["run", "simulate"])
@pytest.mark.parametrize(("name", "files", "says"), WRONG)
def test_what_is_wrong_is_one_sentence(
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    name: str,
    files: dict[str, str],
    says: list[str],
) -> None:
    """Exit code 2, the place at fault, and what to do; no traceback, and no data folder."""
    for file, text in files.items():
        (elsewhere / file).parent.mkdir(exist_ok=True)
        (elsewhere / file).write_text(text)
    assert command_line.main([command, name], program=RUNTIME) == 2
    told = capsys.readouterr().err
    assert re.fullmatch(r"dress-rehearsal: .*\n", told), told
    for each in says:
        assert each.format(here=elsewhere) in told
    assert not (elsewhere / "data").exists()


def test_a_file_that_cannot_be_read_is_one_sentence(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one in a folder without rights. Tests may be root, who may read everything but this."""
    (elsewhere / "s.py").symlink_to("/proc/self/mem")
    assert command_line.main(["run", "s.py"], program=RUNTIME) == 2
    told = capsys.readouterr().err
    assert "s.py cannot be imported: OSError: " in told
    assert "make it readable for this user" in told

    def is_file(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", is_file)
    assert command_line.main(["run", "locked/s.py"], program=RUNTIME) == 2
    told = capsys.readouterr().err
    assert f"cannot look for {elsewhere}/locked/s.py: Permission denied; name a file in a" in told


@pytest.mark.parametrize(
    "words",
    [
        ["run", "s.py", "--data-dir", "d\udcff"],
        ["run", "s.py", "--set", "runtime.data_dir=d\udcff"],
        ["check-upgrade", "d\udcff"],
        ["backup", "d\udcff"],
    ],
)
def test_what_is_no_text_is_refused_before_anything_is_made(
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    """It could stand neither in the log nor in the lock. Nor could the folder one is in."""
    (elsewhere / "s.py").write_text(ONE)
    before = {*elsewhere.iterdir()}
    assert command_line.main(words, program=RUNTIME) == 2
    assert "d\\udcff' is not UTF-8: use another name" in capsys.readouterr().err
    assert {*elsewhere.iterdir()} == before
    place = elsewhere / "e\udcff"
    place.mkdir()
    monkeypatch.chdir(place)
    assert command_line.main(["run", "../s.py"], program=RUNTIME) == 2
    assert "e\\udcff' is not UTF-8: use another name" in capsys.readouterr().err
    assert not [*place.iterdir()]


def test_what_has_no_scenario_is_not_simulated(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, and what to give it."""
    (elsewhere / "s.py").write_text(ONE)
    assert command_line.main(["simulate", "s.py"], program=RUNTIME) == 2
    assert "a cannot be simulated: give it a scenario" in capsys.readouterr().err
    assert command_line.main(["simulate", "--set", "runtime.systems=[]"], program=RUNTIME) == 2
    assert "no system that is booted has a scenario" in capsys.readouterr().err


# --- As a process, from a folder of one's own ---------------------------------------------------


@pytest.fixture
def runtime(elsewhere: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call the command line, from this folder."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(RUNTIME), *words]
        return subprocess.run(
            command, cwd=elsewhere, capture_output=True, text=True, timeout=200, check=False
        )

    return call


@pytest.mark.real_time
def test_somebodys_own_system_boots(elsewhere: Path) -> None:
    """With their configuration laid over, and without a reference system beside it."""
    write_shop(elsewhere / "shop")
    (elsewhere / "own.toml").write_text('[edge.gateway]\nport = 0\n[runtime]\ndata_dir = "kept"\n')
    command = [sys.executable, str(RUNTIME), "run", "shop/shop.py", "--config", "own.toml"]
    events = []
    with subprocess.Popen(command, cwd=elsewhere, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            events.append(json.loads(line))
            if events[-1]["event"] == "ready":
                process.terminate()
    assert process.returncode == 0
    (ready,) = [each for each in events if each["event"] == "ready"]
    assert (list(ready["listeners"]), ready["unhealthy"]) == (["gateway"], [])
    assert (elsewhere / "kept" / "counter.db").is_file()


@pytest.mark.real_time
@pytest.mark.long
def test_its_simulation_is_played_again_in_a_second_process(
    elsewhere: Path, runtime: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Which finds it as the first one did."""
    write_shop(elsewhere / "shop")
    done = runtime("simulate", "shop/shop.py", "--seeds", "3", "--check-determinism")
    assert done.returncode == 0, done.stderr
    assert "seeds 1 to 3; shop; faults: kills" in done.stdout
    assert "in a second process" in done.stdout


@pytest.mark.real_time
@pytest.mark.long
def test_its_failure_is_played_again_by_what_is_printed(
    elsewhere: Path, runtime: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Pasted where it was printed, and it stands on the page, too."""
    write_shop(elsewhere / "shop")
    found = runtime("simulate", "shop/shop.py", "--seed", "3", "--set", "log.level=error")
    assert found.returncode == 1, found.stderr
    (again,) = re.findall(r"^play it again: (.*)$", found.stdout, re.MULTILINE)
    assert "simulate shop/shop.py --set log.level=error --replay data/simulations/" in again
    page = (elsewhere / "data" / "simulations" / "shop-3.html").read_text()
    assert "too quiet" in page
    assert again in page
    played = subprocess.run(
        ["bash", "-c", again], cwd=elsewhere, capture_output=True, text=True, check=False
    )
    assert (played.returncode, played.stderr) == (1, "")
    assert "too quiet" in played.stdout


def test_a_listed_system_is_played_by_its_name(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with `--system`: what it needs of the others is there."""
    words = [
        "simulate",
        "tweets",
        "--seed",
        "4",
        "--faults",
        "calm",
        "--set",
        f"runtime.data_dir={elsewhere}",
    ]
    assert command_line.main([*words, "--traces"], program=RUNTIME) == 0
    (by_name,) = capsys.readouterr().out.splitlines()
    words[1:2] = ["--system", "tweets"]
    assert command_line.main([*words, "--traces"], program=RUNTIME) == 0
    assert capsys.readouterr().out.splitlines() == [by_name]


def test_a_file_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Who forgets `run` is told of it."""
    assert command_line.main(["shop.py"], program=RUNTIME) == 2
    told = capsys.readouterr().err
    assert "there is no command 'shop.py': there are run, simulate, load, new, " in told
    assert "; `runtime.py run shop.py` boots a system that is called so" in told


def test_the_version_is_the_projects(capsys: pytest.CaptureFixture[str]) -> None:
    """It stands in one place."""
    assert command_line.main(["--version"]) == 0
    project = (RUNTIME.parent / "pyproject.toml").read_text()
    told = capsys.readouterr().out.strip()
    assert f'version = "{told.removeprefix("dress-rehearsal ")}"' in project.splitlines()
