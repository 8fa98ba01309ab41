"""A signal at any moment of a start ends the process in order; any Python is told what to type."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.own_system import write_shop

pytestmark = pytest.mark.real_time

ROOT = Path(__file__).parent.parent
RUNTIME = ROOT / "runtime.py"
INSTALLED = "import sys; from actors.launch import launch; sys.exit(launch())"
COMMAND_S_MAX = 200.0

STRIKE = """
import atexit, os, signal
from dataclasses import replace

def strike(*_):
    os.kill(os.getpid(), signal.{signal})

"""
# What is added to somebody's system, and when its process is struck by that.
IMPORTED = "strike()\n"
LOOKED_AT = "SHOP = replace(SHOP, services=lambda _: strike() or {'counter': Counter})\n"
MADE = "SHOP = replace(SHOP, lay_out=strike)\n"
TWICE = "SHOP = replace(SHOP, lay_out=lambda _: strike() or strike())\n"
AT_THE_END = MADE + "atexit.register(strike)\n"
ONCE_UP = """
class Ending(Counter):
    async def run(self):
        os.kill(os.getpid(), signal.SIGTERM)

SHOP = replace(SHOP, services={"counter": Ending})
"""


def run(*words: str, folder: Path, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run this Python in a folder."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
        start_new_session=True,  # without a terminal
    )


# Each command, moment and signal with each other once.
@pytest.mark.sampled
@pytest.mark.parametrize(
    ("command", "when", "code", "signal"),
    [
        ("run", IMPORTED, 0, "SIGINT"),
        ("run", LOOKED_AT, 0, "SIGTERM"),
        ("run", MADE, 0, "SIGINT"),
        ("simulate", IMPORTED, 3, "SIGTERM"),
        ("simulate", LOOKED_AT, 3, "SIGINT"),
        ("simulate", MADE, 3, "SIGTERM"),
    ],
)
def test_a_signal_during_the_start_ends_it(
    tmp_path: Path, command: str, when: str, code: int, signal: str
) -> None:
    """Without a word, as an end in order: with 3 where there was an end to come."""
    with write_shop(tmp_path / "shop").open("a") as file:
        file.write(STRIKE.format(signal=signal) + when)
    words = ("shop.py", "--set", "edge.gateway.port=0", "--set", "log.level=error")
    done = run(str(RUNTIME), command, *words, folder=tmp_path / "shop")
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("again", [TWICE, AT_THE_END])
def test_a_second_signal_ends_it_at_once(tmp_path: Path, again: str) -> None:
    """Also when the interpreter is about to end: with the signal's number, as a shell says it."""
    with write_shop(tmp_path / "shop").open("a") as file:
        file.write(STRIKE.format(signal="SIGINT") + again)
    words = ("run", "shop.py", "--set", "edge.gateway.port=0")
    done = run(str(RUNTIME), *words, folder=tmp_path / "shop")
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize(
    ("program", "words", "code"),
    [
        ([str(RUNTIME)], [], 0),
        ([str(RUNTIME)], ["simulate"], 3),
        (["-c", INSTALLED], ["run", "shop.py"], 0),
        (["-c", INSTALLED], ["backup", "there"], 3),
    ],
)
def test_a_signal_before_anything_is_imported_ends_it(
    tmp_path: Path, program: list[str], words: list[str], code: int
) -> None:
    """Half a second of imports is most of a start."""
    # Takes the place of a package that is imported early.
    (tmp_path / "pykka.py").write_text(STRIKE.format(signal="SIGINT") + IMPORTED)
    done = run(*program, *words, folder=tmp_path, path=Path(f"{tmp_path}:{ROOT}"))
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.skipif(
    signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, reason="nohup has it ignored"
)
def test_a_hangup_during_the_start_waits_until_there_is_something_to_read_anew(
    tmp_path: Path,
) -> None:
    """Whoever has changed the file just then is heard, and ends nothing."""
    with write_shop(tmp_path / "shop").open("a") as file:
        file.write(STRIKE.format(signal="SIGHUP") + IMPORTED + ONCE_UP)
    words = ("run", "shop.py", "--set", "edge.gateway.port=0")
    done = run(str(RUNTIME), *words, folder=tmp_path / "shop")
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events.count("configuration reloaded") == 1


# --- What is imported ----------------------------------------------------------------------


LIGHT = """
import sys
from actors.launch import command_line
try:
    command_line()(sys.argv[1:])
except SystemExit:
    pass
loaded = {each.split(".")[0] for each in sys.modules}
print(sorted(loaded & {"aiohttp", "asyncio", "http_edge", "msgspec", "sqlite3", "structlog"}))
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["new", "system", "tea"], ["rum"], ["run", "--colour"]]
)
def test_what_boots_nothing_imports_next_to_nothing(tmp_path: Path, words: list[str]) -> None:
    """Whoever is told how it is called, or has made a slip, does not wait for half a second."""
    done = run("-c", LIGHT, *words, folder=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


LATE = """
import contextlib, ssl, sys
from actors.launch import command_line
with contextlib.suppress(SystemExit):
    command_line()(["backup", "--help"])
from aiohttp import connector
for context, like in (
    (connector._SSL_CONTEXT_VERIFIED, ssl.create_default_context()),
    (connector._SSL_CONTEXT_UNVERIFIED, connector._make_ssl_context(False)),
):
    assert type(context) is not ssl.SSLContext
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    assert type(context) is type(like) is ssl.SSLContext
    assert context.cert_store_stats() == like.cert_store_stats()
    print(context.cert_store_stats()["x509_ca"])
"""


@pytest.mark.skipif(
    not os.path.exists(ssl.get_default_verify_paths().openssl_cafile),  # noqa: PTH110 - a str
    reason="this machine has no certificates in a file",
)
def test_certificates_are_read_by_who_first_needs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And then they are those that aiohttp would have read when it was imported."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    done = run("-c", LATE, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    verified, unverified = done.stdout.splitlines()[-2:]
    assert int(verified) == int(unverified) > 0


# --- Which Python ----------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder with a space in its name, in which nothing is installed."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in ("actors", "http_edge", "config.toml", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(RUNTIME, folder)
    return folder


def test_a_python_without_the_packages_says_what_to_type(checkout: Path) -> None:
    """One line, which can be pasted once `make run` has done its part; no traceback."""
    done = run("-S", "runtime.py", "accept-loss", "a room", folder=checkout)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith(f"dress-rehearsal: {sys.executable} has no ")
    assert "type `make run`, or what works after it: " in line
    assert line.endswith(f"'{checkout}/.venv/bin/python' runtime.py accept-loss 'a room'")


@pytest.mark.parametrize("words", [["new", "--help"], ["run"]])
def test_a_python_with_half_of_the_packages_says_so(checkout: Path, words: list[str]) -> None:
    """Where what is asked for needs what lacks, which is imported late."""
    (checkout / "aiohttp.py").write_text("raise ModuleNotFoundError(name='aiohttp')")
    done = run("runtime.py", *words, folder=checkout, path=checkout)
    if words == ["run"]:
        assert f"dress-rehearsal: {sys.executable} has no aiohttp; type" in done.stderr
    assert done.returncode == (2 if words == ["run"] else 0)


def test_it_goes_on_with_the_one_that_has_them(checkout: Path) -> None:
    """So `python runtime.py` works with nothing activated, as the documentation writes it."""
    (checkout / ".venv" / "bin").mkdir(parents=True)
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    done = run("-S", str(checkout / "runtime.py"), "--version", folder=checkout.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("dress-rehearsal ")


OLD = sorted(Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python"))
OLD += sorted(Path.home().glob(".pyenv/versions/3.10.*/bin/python"))


@pytest.mark.skipif(not OLD, reason="this machine has no old Python")
@pytest.mark.parametrize("python", OLD, ids=lambda path: path.parts[-3])
def test_an_old_python_says_what_to_type(checkout: Path, python: Path) -> None:
    """It can read runtime.py, and names itself."""
    command = [str(python), "runtime.py", "--version"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{python} is Python {'.'.join(python.parts[-3].split('.')[:2])}, and 3.11" in line
    assert line.endswith(f"'{checkout}/.venv/bin/python' runtime.py --version")
