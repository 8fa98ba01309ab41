"""One seed plays the same on every Python that the project supports."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
# What `make test-pythons` installs, of those that the machine has.
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
COMMAND_S_MAX = 250.0


@functools.cache
def digest(python: Path | str) -> str:
    """What four chaotic seeds of each system come to, with this interpreter."""
    done = subprocess.run(
        [python, "runtime.py", "simulate", "--seeds", "4", "--faults", "chaos"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=COMMAND_S_MAX,
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.real_time
@pytest.mark.parametrize("version", [each for each in PYTHONS if each != HERE])
def test_a_seed_plays_the_same_on_every_python(version: str) -> None:
    """The digest sees every message, table and generator: none of it depends on the Python."""
    python = ROOT / f".venv-{version}" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python.parent.parent.name} is not installed: make test-pythons does")
    here = digest(sys.executable)
    assert here.startswith("digest ")
    assert digest(python) == here
