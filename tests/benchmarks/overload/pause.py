"""The generator's own figures, at a server that does nothing for a second."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.benchmarks.overload.generator import Load
from tests.benchmarks.result import Result
from tests.benchmarks.row import Row, Spread
from tests.benchmarks.server_process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.effort import Effort

PLAN: Final = '[[request]]\nname = "ask"\npath = "/"\n'
RATE: Final = 2_000
SECONDS: Final = 4.0
# One in a thousand waits longer: that is due 8 times 0.5 ms after the pause has begun.
P999_S: Final = 0.996
OFF_MAX: Final = 5.0


def measure_pause(effort: Effort, folder: Path) -> Result:
    """Return the row of a server that pauses, as tests/load/test_pause.py reckons it."""
    plan = folder / "pause.toml"
    plan.write_text(PLAN)
    off: list[float] = []
    for _ in range(effort.overload_rounds):
        command = [sys.executable, "-m", "tests.load.pausing_server", str(RATE), "1.0"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                url = f"http://127.0.0.1:{int(server.stdout.readline())}"
                words = ("--rate", str(RATE), "--constant")
                figures = Load(url, plan, *words, seconds=SECONDS, connections=64).figures()
            finally:
                server.kill()
        off.append(max(abs(figures.at("p99.9") / P999_S - 1) * 100, 0.001))
    spread = Spread.of(off)
    row = Row(
        key="overload_pause",
        name=f"the generator's p99.9 at {RATE:,}/s and a pause of 1 s, off the truth",
        sense="at most",
        limit=OFF_MAX,
        unit="%",
        judged=spread.median,
        spread=spread,
    )
    return Result(rows=[row], tables=[])
