"""The wheel: what is in it, and that it is enough for a system of one's own, from any folder."""

from __future__ import annotations

import email
import http.client
import importlib.util
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import threading
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Self

import pytest

from actors.config import DEFAULTS
from tests.documented import PAGES, commands_of, write_files
from tests.own_system import write_shop
from tests.system.process import ROOT
from tests.test_commands_as_written import in_checkout
from tests.test_commands_as_written import run as type_in

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

PACKAGES = ("actors", "http_edge")
COMMAND_S_MAX = 250.0


@pytest.fixture(scope="module")
def untouched() -> list[str]:
    """What git does not know in the checkout before anything is built."""
    return untracked()


@pytest.fixture(scope="module")
def wheel(untouched: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as pip builds it, with the backend at hand if there is one."""
    folder = tmp_path_factory.mktemp("wheel")
    words = ["--no-deps", "--wheel-dir", str(folder)]
    if importlib.util.find_spec("hatchling") is not None:
        words += ["--no-build-isolation", "--no-index"]
    run(sys.executable, "-m", "pip", "wheel", "--quiet", *words, str(ROOT))
    (built,) = folder.iterdir()
    return built


# What an installation can do is long; what a checkout can, which is the same, is not.
@pytest.fixture(
    scope="module",
    params=[pytest.param(each, marks=pytest.mark.long) for each in ("beside ours", "by itself")],
)
def command(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    """The command of a fresh environment; what the wheel depends on comes from this one, or pip."""
    folder = tmp_path_factory.mktemp("fresh") / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    words = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    words += ["--no-warn-script-location"]
    if request.param == "by itself":
        run(*words, f"{wheel}[testing,tweets]", "mypy", "pytest")
    else:
        run(*words, "--no-deps", "--no-index", str(wheel))
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


def untracked() -> list[str]:
    """Return the files that git neither knows nor ignores."""
    return run("git", "ls-files", "--others", "--exclude-standard", cwd=ROOT).splitlines()


def environment() -> dict[str, str]:
    """What a shell would have that knows nothing of the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


# --- What is in it ---------------------------------------------------------------------------


def test_it_holds_the_two_packages_and_no_more(wheel: Path) -> None:
    """Every file of theirs that the repository has, the configuration among them, as it is."""
    words = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *PACKAGES)
    listed = run(*words, cwd=ROOT)
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


def test_to_build_it_leaves_nothing_behind(untouched: list[str], wheel: Path) -> None:
    """No build folder, no metadata beside the sources."""
    assert untracked() == untouched
    left = [*ROOT.glob("build"), *ROOT.glob("dist"), *ROOT.glob("*.egg-info")]
    assert left == []


# --- What it can do --------------------------------------------------------------------------


CLIENTS = 4
WRITES = 40


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


def asked(url: str, body: dict[str, Any] | None = None) -> bytes:
    """Return what an address answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data)  # noqa: S310 - our own process's
    with urllib.request.urlopen(request, timeout=COMMAND_S_MAX) as answer:  # noqa: S310 - likewise
        return bytes(answer.read())


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """A fresh folder with the files that the author's page prints, and nothing else."""
    return write_files("docs/SERVICES.md", tmp_path / "of one's own")


def test_what_was_acknowledged_survives_a_kill(command: Path, guide: Path) -> None:
    """Four clients write until the process is killed; its next life has it all, by plain SQL."""
    words = (str(command), "run", "cafe.py", "--set", "edge.gateway.port=0")
    acknowledged: list[tuple[str, str]] = []
    told = threading.Semaphore(0)

    def write(url: str) -> None:
        with suppress(OSError, http.client.HTTPException):
            while True:
                order = json.loads(asked(f"{url}/orders", {"cups": 2}))
                acknowledged.append((order["id"], order["state"]))
                told.release()

    with Life(*words, cwd=guide) as first, ThreadPoolExecutor(CLIENTS) as clients:
        writing = [clients.submit(write, first.url) for _ in range(CLIENTS)]
        for _ in range(WRITES):
            assert told.acquire(timeout=COMMAND_S_MAX)
        first.process.kill()
        assert first.process.wait() == -signal.SIGKILL
        for each in writing:
            each.result()
    with Life(*words, cwd=guide) as second:
        second.process.terminate()
        assert second.process.wait(COMMAND_S_MAX) == 0
    with closing(sqlite3.connect(guide / "data" / "counter.db")) as database:
        kept = dict(database.execute("SELECT id, state FROM orders"))
    # An answer that was put off longer than a request may take is a 202: still brewing.
    done = {order_id for order_id, state in acknowledged if state == "ready"}
    assert done <= {order_id for order_id, state in kept.items() if state == "ready"}
    assert {order_id for order_id, _ in acknowledged} <= set(kept)
    # Of each client one write may have been committed whose answer it did not get.
    assert len(kept) <= len(acknowledged) + CLIENTS


def test_its_simulation_holds(command: Path, guide: Path) -> None:
    """In a second process, too; and it leaves nothing behind."""
    words = ("simulate", "cafe.py", "--seeds", "2", "--check-determinism")
    told = run(str(command), *words, cwd=guide)
    assert "the same, line by line\nall held\n" in told
    assert not (guide / "data").exists()


@pytest.mark.long
def test_its_types_are_right(command: Path, guide: Path) -> None:
    """`mypy --strict` reads the types of the installed packages. That its tests pass: see below."""
    write_files("docs/SIMULATION.md", guide)
    files = sorted(path.name for path in guide.glob("*.py"))
    assert {"cafe.py", "cafe_scenario.py", "test_cafe.py", "test_rehearsal.py"} <= {*files}
    run(str(command.with_name("python")), "-m", "mypy", "--strict", *files, cwd=guide)


def test_what_fails_is_played_again_by_what_is_printed(command: Path, tmp_path: Path) -> None:
    """The installed command, in a folder with a space, named by module."""
    folder = tmp_path / "of one's own"
    write_shop(folder)
    words = ("simulate", "shop:SHOP", "--seed=1", "--set", "log.level=error")
    told = run(str(command), *words, cwd=folder, code=1)
    (again,) = re.findall(r"^play it again: (.*)$", told, re.MULTILINE)
    assert again.startswith(f"{command} simulate shop:SHOP ")
    assert "too quiet" in run("bash", "-c", again, cwd=folder, code=1)


@pytest.mark.long
def test_a_new_system_works_as_its_readme_says(command: Path, tmp_path: Path) -> None:
    """Unchanged, with nothing activated: it boots, an order is taken; and its types are right."""
    run(str(command), "new", "system", "tea_house", cwd=tmp_path)
    folder = tmp_path / "tea_house"
    boots, *_, plays, tests = re.findall(
        r"^    (.*)$", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    files = sorted(each.name for each in folder.glob("*.py"))
    run(str(command.with_name("python")), "-m", "mypy", "--strict", *files, cwd=folder)
    assert boots == f"{command} run tea_house.py"
    assert plays == f"{command} simulate tea_house.py"
    assert "handlers called: 5 of 5" in run("bash", "-c", f"{plays} --seeds 3", cwd=folder)
    assert "3 passed" in run("bash", "-c", tests, cwd=folder)
    words = (*shlex.split(boots), "--set", "edge.gateway.port=0")
    with Life(*words, cwd=folder) as life:
        asked(f"{life.url}/stock", {"item": "tea", "count": 5})
        order = json.loads(asked(f"{life.url}/orders", {"item": "tea", "count": 2}))
        seen = order
        while seen["state"] == "placed":  # the stock's answer is on its way
            seen = json.loads(asked(f"{life.url}/orders/{order['order_id']}"))
    assert seen == {**order, "state": "accepted"}


def test_it_has_a_version_and_the_reference_systems(command: Path, tmp_path: Path) -> None:
    """The release's number; and both systems play without a checkout."""
    assert run(str(command), "--version", cwd=tmp_path) == "dress-rehearsal 0.1.0\n"
    words = ("simulate", "--seeds=1", "--faults=calm")
    assert "handlers called" in run(str(command), *words, cwd=tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_true_of_an_installation(command: Path, tmp_path: Path, page: str) -> None:
    """What it says to type there works, beside the files that it prints and in no checkout."""
    write_files(page, tmp_path)
    for written in commands_of(page):
        if not in_checkout(written):
            type_in(written, tmp_path, command.parent)
