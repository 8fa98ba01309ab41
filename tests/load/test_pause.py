"""A real server that pauses, a real generator: its figures against arithmetic; its late sends."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PLAN = '[[request]]\nname = "ask"\npath = "/"\n'
COMMAND_S_MAX = 100.0
# A machine that runs much else is in the figures: then a run does not count, and is made again.
ATTEMPTS = 2
# Who only sleeps, so often, is seldom late where the machine has time for the generator: by the
# generator's own measure, and never by half of what the other figure may be off.
TICK_S = 0.005
LATE_S = 0.01
LATE_SHARE_MAX = 0.01
QUIET_S = 0.025

pytestmark = pytest.mark.real_time


@contextmanager
def server(*words: str) -> Iterator[str]:
    """Have one in a process of its own; its URL."""
    command = [sys.executable, "-m", "tests.load.pausing_server", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def load(folder: Path, url: str, *words: str) -> dict[str, Any]:
    """Return the figures of a load's one phase, as the command writes them."""
    plan, figures = folder / "plan.toml", folder / "figures.json"
    plan.write_text(PLAN)
    command = [sys.executable, "runtime.py", "load", "--plan", str(plan), "--url", url]
    command += ["--constant", "--json", str(figures), *words]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=COMMAND_S_MAX)
    found: dict[str, Any] = json.loads(figures.read_text())["phases"][0]
    return found


class Onlooker:
    """Sleeps beside a run and sees how late it is woken: what the machine alone does to times."""

    def __init__(self) -> None:
        self.late_s = 0.0
        self._late = self._ticks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        due_s = time.monotonic()
        while not self._over.is_set():
            due_s = max(due_s + TICK_S, time.monotonic())
            time.sleep(max(0.0, due_s - time.monotonic()))
            late_s = time.monotonic() - due_s
            self.late_s = max(self.late_s, late_s)
            self._late += late_s > LATE_S
            self._ticks += 1

    @property
    def late_share(self) -> float:
        return self._late / self._ticks


def test_p999_at_a_server_that_pauses_a_second(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    """At a server that pauses 1 s, p99.9 at 2,000 requests/s is within 5 % of the arithmetic truth.

    8,000 requests in 4 s, one each 0.5 ms; the server blocks for 1 s at the 2,000th. The k-th of
    those that are due while it blocks waits 1 s - k * 0.5 ms, however few connections there are;
    when it goes on first come are first answered, so that little is added to the first ones' wait.
    8 of 8,000 are one in a thousand, so that p99.9 is the wait of k = 8: 0.996 s. Over 64
    connections only 64 of the 8,000 are under way meanwhile: the others were sent afterwards, and
    from the actual send have waited for nothing.
    """
    corrected: dict[str, float] = {}
    for _ in range(ATTEMPTS):
        with server("2000", "1.0") as url, Onlooker() as onlooker:
            told = load(tmp_path, url, "--rate", "2000", "--for", "4", "--connections", "64")
        assert told["well"] == told["planned"] == 8000
        corrected = told["corrected_s"]
        report(f"p99.9 {corrected['p99.9']:.3f} s, p50 {corrected['p50'] * 1000:.2f} ms")
        # Whatever else the machine does makes waits longer, and never shorter.
        assert corrected["p99.9"] > 0.996 * 0.95
        if corrected["p99.9"] < 0.996 * 1.05:
            return
        if onlooker.late_s < QUIET_S:
            break  # nothing else is to blame
    else:
        pytest.skip(f"this machine is too busy to measure on: p99.9 is {corrected['p99.9']} s")
    pytest.fail(f"p99.9 is {corrected['p99.9']} s, and 0.996 s is true")


def test_late_sends_stay_below_one_in_a_hundred(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    """At 1,500 requests/s, to a server that does not pause."""
    shares = []
    for _ in range(ATTEMPTS):
        with server("0", "0") as url, Onlooker() as onlooker:
            told = load(tmp_path, url, "--rate", "1500", "--for", "3")
        assert told["well"] == told["planned"] == 4500
        shares.append(told["late"] / told["planned"])
        report(f"late sends {shares[-1]:.2%}, p50 {told['corrected_s']['p50'] * 1000:.2f} ms")
        if shares[-1] <= 0.01:
            return
        if onlooker.late_share <= LATE_SHARE_MAX:
            break  # nothing else is to blame
    else:
        pytest.skip(f"this machine is too busy to measure on: {shares} were late")
    pytest.fail(f"late sends: {shares}")
