"""The wheel: what is in it, and that it is enough for a system of one's own, from any folder."""

from __future__ import annotations

import email
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import zipfile
from typing import TYPE_CHECKING, Self

import pytest

from actors.config import DEFAULTS
from tests.own_system import write_shop
from tests.system.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

PACKAGES = ("actors", "http_edge")
COMMAND_S_MAX = 250.0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as pip builds it, with the backend at hand if there is one."""
    folder = tmp_path_factory.mktemp("wheel")
    words = ["--no-deps", "--wheel-dir", str(folder)]
    if importlib.util.find_spec("hatchling") is not None:
        words += ["--no-build-isolation", "--no-index"]
    run(sys.executable, "-m", "pip", "wheel", "--quiet", *words, str(ROOT))
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a fresh environment; what the wheel depends on comes from this one."""
    folder = tmp_path_factory.mktemp("fresh") / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    words = ["install", "--quiet", "--no-deps", "--no-index", "--no-warn-script-location"]
    run(sys.executable, "-m", "pip", "--python", str(python), *words, str(wheel))
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return python.with_name("dress-rehearsal")


def run(*words: str, cwd: Path | None = None, code: int = 0) -> str:
    """Run a command that ends with this code; return what it printed."""
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def environment() -> dict[str, str]:
    """What a shell would have that knows nothing of the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


# --- What is in it ---------------------------------------------------------------------------


def test_it_holds_the_two_packages_and_no_more(wheel: Path) -> None:
    """Every file of theirs that the repository has, the configuration among them, as it is."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *PACKAGES)
    files = {each for each in listed.split("\0") if each and (ROOT / each).exists()}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert archive.read("actors/config.toml") == (ROOT / "config.toml").read_bytes()
    assert DEFAULTS == ROOT / "config.toml"
    (about,) = {name.partition("/")[0] for name in names} - set(PACKAGES)
    assert {name for name in names if not name.startswith(about)} == files | {"actors/config.toml"}
    assert {"actors/py.typed", "http_edge/py.typed", f"{about}/licenses/LICENSE"} <= names


def test_it_forces_no_reference_systems_packages(wheel: Path) -> None:
    """tweepy and VADER come with the extra `tweets` alone."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith("/METADATA")]
        about = email.message_from_bytes(archive.read(name))
    needed = about.get_all("Requires-Dist", [])
    ours = [each for each in needed if re.match("tweepy|vadersentiment", each, re.IGNORECASE)]
    assert [each.partition("; ")[2] for each in ours] == ["extra == 'tweets'"] * 2
    assert about["License-Expression"] == "Apache-2.0"


def test_to_build_it_leaves_nothing_behind(wheel: Path) -> None:
    """No build folder, no metadata beside the sources."""
    left = [*ROOT.glob("build"), *ROOT.glob("dist"), *ROOT.glob("*.egg-info")]
    assert left == []


# --- What it can do --------------------------------------------------------------------------


class Life:
    """One life of a system's process, in its folder; killed where nobody ends it."""

    def __init__(self, *words: str, cwd: Path) -> None:
        self.process = subprocess.Popen(
            words, cwd=cwd, env=environment(), stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        events = (json.loads(line) for line in self.process.stdout)
        self.url = next(each for each in events if each["event"] == "ready")["listeners"]["gateway"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with self.process:
            self.process.kill()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A fresh folder with somebody's system."""
    write_shop(tmp_path / "shop")
    return tmp_path / "shop"


def asked(url: str, *options: str) -> str:
    """Return the answer of an address, by another process's client."""
    code = (
        "import sys, urllib.request as r\n"
        "url, *body = sys.argv[1:]\n"
        "print(r.urlopen(r.Request(url, body[0].encode() if body else None)).read().decode())"
    )
    return run(sys.executable, "-c", code, url, *options).strip()


def test_somebodys_system_survives_a_kill(command: Path, shop: Path) -> None:
    """Booted by the installed command, asked over HTTP, killed, booted again."""
    words = (str(command), "run", "shop.py", "--set", "edge.gateway.port=0")
    with Life(*words, cwd=shop) as first:
        assert asked(f"{first.url}/orders", '{"cups": 2}') == "2"
        first.process.kill()
        assert first.process.wait() == -signal.SIGKILL
    with Life(*words, cwd=shop) as second:
        assert asked(f"{second.url}/orders") == "1"
        second.process.terminate()
        assert second.process.wait(COMMAND_S_MAX) == 0


def test_somebodys_system_is_simulated(command: Path, shop: Path) -> None:
    """Twice over, and what fails is played again by the command that is printed."""
    simulate = (str(command), "simulate", "shop:SHOP")
    assert "the same, line by line" in run(*simulate, "--seeds=2", "--check-determinism", cwd=shop)
    told = run(*simulate, "--seed=1", "--set", "log.level=error", cwd=shop, code=1)
    (again,) = re.findall(r"^play it again: (.*)$", told, re.MULTILINE)
    assert again.startswith(f"{command} simulate shop:SHOP ")
    assert "too quiet" in run("bash", "-c", again, cwd=shop, code=1)


def test_a_new_system_works_unchanged(command: Path, tmp_path: Path) -> None:
    """Its test passes, its simulation holds, and it boots: an order is taken from the stock."""
    run(str(command), "new", "system", "tea_house", cwd=tmp_path)
    folder = tmp_path / "tea_house"
    assert "3 passed" in run(str(command.with_name("python")), "-m", "pytest", "-q", cwd=folder)
    told = run(str(command), "simulate", "tea_house.py", "--seeds=3", cwd=folder)
    assert "handlers called: 4 of 4" in told
    words = (str(command), "run", "tea_house.py", "--set", "edge.gateway.port=0")
    with Life(*words, cwd=folder) as life:
        assert asked(f"{life.url}/stock", '{"item": "tea", "count": 5}')
        order = json.loads(asked(f"{life.url}/orders", '{"item": "tea", "count": 2}'))
        seen = order
        while seen["state"] == "placed":  # the stock's answer is on its way
            seen = json.loads(asked(f"{life.url}/orders/{order['order_id']}"))
    assert seen == {**order, "state": "accepted"}


def test_it_has_a_version_and_the_reference_systems(command: Path, tmp_path: Path) -> None:
    """The release's number; and both systems play without a checkout."""
    assert run(str(command), "--version", cwd=tmp_path) == "dress-rehearsal 0.1.0\n"
    assert "handlers called" in run(str(command), "simulate", "--seeds=1", cwd=tmp_path)


def test_somebodys_code_is_checked_against_it(command: Path, shop: Path) -> None:
    """`mypy --strict` reads the types of the installed packages."""
    python = str(command.with_name("python"))
    words = ("--strict", "--follow-imports=silent", "--python-executable", python, "shop.py")
    run(sys.executable, "-m", "mypy", *words, cwd=shop)
