"""What Hypothesis makes of schedules, in a process of its own.

It draws on the constants of whatever is imported: after all of this repository's tests, a search
that takes a second by itself may take minutes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.real_time
@pytest.mark.parametrize("which", ["not long", pytest.param("long", marks=pytest.mark.long)])
def test_schedules_and_workloads_shrink_to_one_minimum(which: str) -> None:
    """All that `searches.py` says of them."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-m",
            which,
            "tests/simulation/script/searches.py",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
