"""Every command of the documentation runs as it is written, or says why it is not run here.

Those of `python runtime.py` and of make run in a fresh copy of the checkout, the others in
tests/system/test_wheel.py, where the wheel is installed. Only ports are others than they say. Both
are long: what each command does has tests of its own, in one process.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from actors.simulation.command.options import Options
from actors.systems import SYSTEMS
from actors.testing.live_process import LiveProcess
from tests.documented import PAGES, ROOT, Written, commands_of, write_files
from tests.test_docs import LISTENERS

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND_S_MAX = 250.0
STOPPED = 3


class Boots(NamedTuple):
    """It serves until it is told to stop."""


class Ends(NamedTuple):
    """It ends with this exit code."""

    code: int = 0


class Stops(NamedTuple):
    """It says what it begins, and is stopped by Ctrl-C."""


class Parses(NamedTuple):
    """It is read as the command line reads it: only what it plays differs from one that `Stops`."""


class Asks(NamedTuple):
    """It ends well, where this system is served (without one, all of them) on free ports."""

    system: str = ""


class Breaks(NamedTuple):
    """It ends well, beside a process that serves all systems from the same folder."""


class Left(NamedTuple):
    """It is not run, and why."""

    because: str


Way = Boots | Ends | Stops | Parses | Asks | Breaks | Left

# The first that fits a command's beginning. What takes minutes is begun, and stopped; how it ends,
# and with each option, is tried in tests/simulation/command/.
HOW: tuple[tuple[str, Way], ...] = (
    (r"make run", Boots()),
    (r"make test", Left("this is it")),
    (r"make ", Left("a campaign; what it runs has a test of its own beside it")),
    (r"\S+( runtime\.py)? simulate (\S+\.py|--seed 17)", Ends()),
    (r"\S+( runtime\.py)? simulate .*--replay", Left("nothing has failed yet: test_wheel.py")),
    (r"python runtime\.py simulate .", Parses()),
    (r"\S+( runtime\.py)? simulate", Stops()),
    (r"python runtime\.py accept-loss", Ends(2)),  # nothing is lost
    (r"\S+ check-upgrade data", Left("docs/SERVICES.md has it, of a folder that is there")),
    (r"python runtime\.py load hotel", Asks()),
    (r"python runtime\.py load kiosk", Asks("kiosk/kiosk.py")),
    (r"python runtime\.py (break|mend|faults)", Breaks()),
    (r"(dress-rehearsal|python runtime\.py) run", Boots()),
    (r"dress-rehearsal|python (runtime\.py|-m pytest)", Ends()),
    (r"python stock_server\.py", Left("tests/system/test_examples.py runs it, and the shop")),
    (
        r"(GET|PUT|POST) /admin",
        Left("no command, but a request: tests/system/test_instances_live.py"),
    ),
    (r"pip install", Left("tests/system/test_wheel.py builds and installs it")),
    (r"PYTHONPATH=", Left("it is for a folder of the reader's own: test_documentation.py")),
    (r"curl ", Left("tests/test_services_page.py asks the running café")),
    (r"async with ", Left("a line of Python, and no command")),
)
SIMULATE = re.compile(r"python runtime\.py simulate (\S+\.py )?(?P<options>-.*)")
ALL = [written for page in PAGES for written in commands_of(page)]


def how(written: Written) -> Way:
    """Return what becomes of the command. Raises LookupError for one that nobody has thought of."""
    for pattern, found in HOW:
        if re.match(pattern, written.command):
            return found
    raise LookupError(f"{written}: say in HOW whether it boots, ends or is left out")


def test_every_command_is_run_or_has_its_reason() -> None:
    """A page's new command is noticed."""
    ways = [how(written) for written in ALL]
    assert sum(not isinstance(way, Left) for way in ways) > 15


def test_what_is_simulated_is_read_as_it_is_written() -> None:
    """Each option there is, whatever it plays."""
    played = {each.name: each for each in SYSTEMS}
    found = [match["options"] for each in ALL if (match := SIMULATE.match(each.command))]
    assert len(found) > 5
    for options in found:
        assert Options.parse(shlex.split(options), systems=played, fresh_seed=1).systems, options


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh copy of the repository, with this environment as its own."""
    if not (Path(sys.prefix) / "installed").exists():
        pytest.skip("this environment is not the Makefile's, which would install into it")
    copy = tmp_path_factory.mktemp("fresh") / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
            os.utime(copy / name, (0, 0))  # older than the environment: nothing is installed
    (copy / ".venv").symlink_to(sys.prefix)
    return copy


@pytest.mark.real_time
@pytest.mark.long
@pytest.mark.parametrize("page", PAGES)
def test_a_fresh_checkout_does_what_the_page_says(checkout: Path, page: str) -> None:
    """One after the other, as a reader types them; what a page before has is not typed again."""
    before = {each.command for other in PAGES[: PAGES.index(page)] for each in commands_of(other)}
    for written in dict.fromkeys(commands_of(page)):
        if in_checkout(written) and written.command not in before:
            run(written, checkout, checkout / ".venv" / "bin")


def in_checkout(written: Written) -> bool:
    """Whether it is to be typed in a checkout; else where it is installed."""
    return re.match(r"(python runtime\.py|make)\b", written.command) is not None


def run(written: Written, folder: Path, programs: Path) -> None:
    """Run a command there, its programs found first in that folder. Raises AssertionError."""
    way = how(written)
    if isinstance(way, Left):
        return
    if isinstance(way, Parses):
        given = shlex.split(written.command)[3:]
        played = {each.name: each for each in SYSTEMS}
        assert Options.parse(given, systems=played, fresh_seed=1).systems, written
        return
    if isinstance(way, Asks):
        write_files(written.page, folder)
        with serving(way.system, folder, programs) as (urls, _):
            run_to_its_end(f"{written.command} {urls}", written, Ends(), folder, programs)
        return
    if isinstance(way, Breaks):
        with serving("", folder, programs) as (_, data_dir):
            words = f"{written.command} --data-dir {data_dir}"
            run_to_its_end(words, written, Ends(), folder, programs)
        return
    run_to_its_end(written.command, written, way, folder, programs)


@contextmanager
def serving(system: str, folder: Path, programs: Path) -> Iterator[tuple[str, str]]:
    """Have it served; the words that say where, and its data folder."""
    with tempfile.TemporaryDirectory() as data_dir:
        command = [str(programs / "python"), str(folder / "runtime.py"), "run"]
        command += [str(folder / system)] if system else []
        listeners = ["gateway"] if system else LISTENERS.values()
        command += [f"--data-dir={data_dir}", *(f"--set=edge.{each}.port=0" for each in listeners)]
        process = LiveProcess(command).start()
        try:
            found = process.wait_for("listening")["listeners"]
            urls = " ".join(f"--url {name}={url}" for name, url in found.items())
            yield urls, data_dir
        finally:
            process.kill_process()


def run_to_its_end(words: str, written: Written, way: Way, folder: Path, programs: Path) -> None:
    """Run the words; how they end is the command's way. Raises AssertionError."""
    words = words.replace("/backups/", f"{folder}/backups/")
    if isinstance(way, Boots):
        words = on_free_ports(words)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        ["bash", "-c", words],
        cwd=folder,
        env={**environment, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        if isinstance(way, Boots):
            serves(written, process)
            return
        begun = ""
        if isinstance(way, Stops):
            assert process.stdout is not None
            begun = process.stdout.readline()
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: its processes are told, too
        printed, _ = process.communicate(timeout=COMMAND_S_MAX)
        code = way.code if isinstance(way, Ends) else STOPPED
        assert process.returncode == code, f"{written}: {process.returncode}\n{begun}{printed}"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def on_free_ports(words: str) -> str:
    """Return the command with what another process of this machine cannot be in the way of."""
    if words.startswith("make "):
        free = " ".join(f"--set edge.{name}.port=0" for name in LISTENERS.values())
        return f'{words} ARGS="{free}"'
    return f"{words} --set edge.gateway.port=0"


def serves(written: Written, process: subprocess.Popen[str]) -> None:
    """Wait until it is ready, have it stop, and see that it does so in order."""
    assert process.stdout is not None
    printed, told = [], []
    with process.stdout:
        for line in process.stdout:
            printed.append(line)
            if line.startswith("{"):
                told.append(json.loads(line))
                if (
                    told[-1]["event"] == "ready"
                ):  # and not make, which would pass it on a second time
                    os.kill(told[-1]["pid"], signal.SIGTERM)
    process.wait(COMMAND_S_MAX)
    events = [line["event"] for line in told]
    assert {"ready", "stopped"} <= set(events), f"{written}:\n{''.join(printed)}"
    (ready,) = (line for line in told if line["event"] == "ready")
    assert ready["unhealthy"] == [], written
