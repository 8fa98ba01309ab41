"""`load` as it is typed: its exit codes, what it says where, and a live system under it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors import command_line
from actors.load.load_progress import LoadProgress
from tests.load.test_pause import server
from tests.system.process import SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.testing.live import Live

ROOT = Path(__file__).parents[2]
PLAN = """
[values]
text = { unique = "note " }

[[request]]
name = "note"
method = "POST"
path = "/notes"
body = { text = "{text}" }

[[request]]
name = "look"
path = "/notes"
"""
# The server has nothing of it: it answers {} to all.
READ = PLAN.replace(
    '"{text}" }\n', '"{text}" }\nread = { path = "/notes/{text}", same = { text = "{text}" } }\n'
)

TERMINAL = {"TERM": "xterm", "COLUMNS": "80"}

pytestmark = pytest.mark.real_time


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that answers {} to whatever it is asked."""
    with server() as found:
        yield found


def load(plan: str, folder: Path, url: str, *words: str) -> int:
    """Run the command with that plan; its exit code."""
    (folder / "plan.toml").write_text(plan)
    given = ["--plan", str(folder / "plan.toml"), "--url", url, "--rate", "100", "--for", "0.3s"]
    return command_line.main(["load", *given, *words])


def test_a_phase_is_a_line_where_nobody_watches(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its figures; the file for machines has the same ones."""
    words = ("--constant", "--steps", "100,50", "--json", str(tmp_path / "told.json"))
    given = ["--plan", str(tmp_path / "plan.toml"), "--url", url, "--for", "0.2s", *words]
    (tmp_path / "plan.toml").write_text(PLAN)
    assert command_line.main(["load", *given]) == 0
    first, second, audit, *rest = [
        line for line in capsys.readouterr().out.splitlines() if "were sent late" not in line
    ]
    assert first.startswith("100/s constant, 0.")
    assert "20 requests, " in first
    assert "20 well, 0 failed; corrected p50 " in first
    assert second.startswith("50/s constant, 0.")
    assert audit.startswith("audit: ")
    assert rest == []
    told = json.loads((tmp_path / "told.json").read_text())
    assert [each["well"] for each in told["phases"]] == [20, 10]
    assert told["phases"][0]["statuses"] == {"200": 20}
    assert set(told["phases"][0]["requests"]) <= {"note", "look"}
    assert told["missed"] == []
    assert told["audit"]["unreadable_by_plan"] == told["writes"]["acknowledged"]


def test_a_terminal_has_a_table(
    tmp_path: Path,
    url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And no line a phase; a bar is drawn while it runs."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    assert load(PLAN, tmp_path, url) == 0
    printed = capsys.readouterr().out
    columns = "requests late well failed p50 p90 p99 p99.9 max p99 sent"
    assert columns in " ".join(re.sub(r"\x1b\[[0-9;]*m", "", printed).split())
    assert "100/s poisson, 0." not in printed
    assert "━" in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--p50", "0"], "MISSED: p50 was to be 0 s at most: it is "),
        (["--p99", "10", "--errors", "0"], ""),
    ],
)
def test_a_target_that_is_missed_is_found(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    """One that is met is not."""
    assert load(PLAN, tmp_path, url, *words) == (1 if says else 0)
    printed = capsys.readouterr().out
    assert says in printed
    assert bool(says) == ("MISSED" in printed)


def test_a_load_of_which_nothing_goes_well_is_none(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was to be met: its figures are those of nothing."""
    assert load(PLAN.replace('"/notes"', '"/notes"\nexpect = [204]'), tmp_path, url) == 1
    assert "MISSED: nothing went well" in capsys.readouterr().out


def test_a_load_of_nothing_is_none(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would pass every target, and has shown nothing."""
    told = tmp_path / "told.json"
    assert load(PLAN, tmp_path, url, "--rate", "0.001", "--json", str(told)) == 1
    printed = capsys.readouterr().out
    assert "MISSED: nothing was sent" in printed
    assert "corrected none; uncorrected none" in printed
    (phase,) = json.loads(told.read_text())["phases"]
    assert phase["corrected_s"]["p99"] is None


def test_what_an_audit_finds_is_a_failure(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless it is told to read nothing back."""
    assert load(READ, tmp_path, url) == 1
    printed = capsys.readouterr().out
    assert " contradicted" in printed
    assert "contradicted: 1 note (" in printed
    assert load(READ, tmp_path, url, "--no-audit") == 0


def test_ctrl_c_gives_the_figures_so_far(
    tmp_path: Path,
    url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 3, whatever was asked for."""
    began = LoadProgress.began

    def and_stop(self: LoadProgress, *arguments: Any) -> None:
        began(self, *arguments)
        asyncio.get_running_loop().call_later(0.3, os.kill, os.getpid(), signal.SIGINT)

    monkeypatch.setattr(LoadProgress, "began", and_stop)
    before = signal.getsignal(signal.SIGINT)
    assert load(READ, tmp_path, url, "--for", "1h", "--p50", "0") == 3
    assert signal.getsignal(signal.SIGINT) is before
    phase, *_, last = capsys.readouterr().out.splitlines()
    assert phase.startswith("100/s poisson, ")
    assert last == "stopped: these are the figures so far, and no write was read back"


def test_a_second_ctrl_c_leaves_the_terminal_as_it_was(tmp_path: Path, url: str) -> None:
    """It waits for nothing, and its cursor is there."""
    (tmp_path / "plan.toml").write_text(PLAN)
    words = ["load", "--plan", str(tmp_path / "plan.toml"), "--url", url, "--for", "1h"]
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "runtime.py", *words], cwd=ROOT, stdout=theirs, env=os.environ | TERMINAL
    ) as process:
        os.close(theirs)
        seen = b""
        while b"50/s poisson" not in seen:
            seen += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # it gives what is under way half a second
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the other side is closed
            while more := os.read(ours, 4096):
                seen += more
        assert process.wait() == 3
    os.close(ours)
    assert b"\x1b[?25l" in seen
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--rate", "none"], "'none' is no rate"),
        (["--rate", "5", "--clients", "5"], "one of --rate, --steps, --trace, --clients"),
        (["--think", "1s"], "--think is for --clients"),
        (["--for", "1 day"], "'1 day' is no time"),
        (["--clients", "0"], "no number of them"),
        (["--json", "/nowhere/told.json"], "there is no folder /nowhere"),
        (["--trace", "nowhere.txt"], "the trace nowhere.txt cannot be read"),
        (["--plan", "nowhere.toml"], "the plan nowhere.toml cannot be read"),
        ([], "several systems have a plan of a load: name "),
        (["hotel", "--url", "http://127.0.0.1:1"], "nobody answers at http://127.0.0.1:1"),
        (["hotel", "--url", "http://[::1]:1"], "nobody answers at http://[::1]:1"),
        (["hotel", "--url", "ftp://127.0.0.1"], "is no listener's URL"),
        (["hotel", "--url", "http://a..b"], "is no listener's URL"),
        (["hotel", "--url", "gatway=http://127.0.0.1:1"], "--url: there is no listener 'gatway'"),
        (["--json", "/"], "--json: / is a folder"),
        (["x_platform"], "x_platform has no plan of a load: name one with --plan FILE"),
    ],
)
def test_misuse_is_said(capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    """Exit code 2, before anything is sent."""
    try:
        code: Any = command_line.main(["load", *words])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert says in capsys.readouterr().err


def test_without_its_packages_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server needs none of them."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "hdrh" else found(name)
    )
    assert command_line.main(["load", "hotel"]) == 2
    assert "-m pip install 'dress-rehearsal[load]'" in capsys.readouterr().err


def test_a_server_imports_no_load_generator() -> None:
    """Nor what only that needs, with all systems."""
    code = (
        "import sys, runpy, contextlib; sys.argv = ['runtime.py', 'backup', '--help']\n"
        "with contextlib.suppress(SystemExit): runpy.run_path('runtime.py', run_name='__main__')\n"
        "import actors.serving, actors.systems; "
        "print([each for each in sys.modules if each.startswith(('actors.load', 'hdrh', 'rich'))])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    assert printed.splitlines()[-1] == "[]"


@pytest.mark.long
def test_the_shipped_plans_hold_against_the_shipped_systems(
    live: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bookings and insertions are acknowledged, and each one is read back as it was."""
    # A machine that stalls for seconds is late, and fails nobody: that is not asked here.
    process = live(None, *SILENCE, "edge.deadline_s=60")
    where = ["--url", process.url, "--url", f"tweets={process.listeners['tweets']}"]
    for name in ("hotel", "tweets"):
        told = tmp_path / f"{name}.json"
        words = ["load", name, *where, "--rate", "25", "--for", "2s", "--json", str(told)]
        words += ["--timeout", "70s"]
        code = command_line.main([*words, "--errors", "0"])
        assert code == 0, capsys.readouterr().out
        figures = json.loads(told.read_text())
        assert figures["writes"]["acknowledged"] > 10
        assert figures["audit"]["checked"] == sum(figures["writes"].values())
        assert figures["audit"]["findings"] == []
