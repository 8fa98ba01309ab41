"""`breakpoint()` in a handler opens pdb, and what is typed there is not the simulation's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
PROGRAM: Final = """
import asyncio, os, random, time
from actors.simulation.sealed.escapes import forbid
from actors.simulation.stage.watchdog import watchdog
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run

async def main():
    subject = "seen"
    breakpoint()
    subject = subject + " in time"
    await asyncio.sleep(1000)
    return subject

loop = SimulationLoop()
with watchdog(20.0), forbid(loop):
    print(run(main(), loop=loop))
"""


@pytest.mark.real_time
@pytest.mark.parametrize("then", ["continue", "next\ncontinue"])
def test_a_breakpoint_is_no_escape(then: str) -> None:
    """One looks around, at the real time too, and goes on; the run ends as it would have."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        input=f"p subject\np time.time() > 0 and 'real'\np os.getpid() > 0\n{then}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "'seen'" in done.stdout
    assert "'real'" in done.stdout
    assert "Escape" not in done.stdout
    assert done.stdout.splitlines()[-1].endswith("seen in time")


@pytest.mark.real_time
def test_a_debugger_of_ones_own_is_left_alone() -> None:
    """PYTHONBREAKPOINT=0 switches them off, in a simulation too."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"PYTHONBREAKPOINT": "0", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == ["seen in time"]
