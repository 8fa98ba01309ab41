"""Which lines a campaign runs, of what a simulation can run: the rest is printed, file by file.

`python -m tests.simulation.line_coverage [--seeds N] [--jobs N] [--least PERCENT]` plays seeds 1 to
N, as many under each profile; it ends with 1 where fewer lines than `--least` were run.
What was found is printed, too, and is for `make simulate` to find again: here all is slower, and
a long run comes to the end of its processor time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from actors.simulation.script.profile import PROFILES

ROOT: Final = Path(__file__).parents[2]
SEEDS: Final = 500
# Percent of the lines.
LEAST: Final = 93.0
MEASURED: Final = (
    "actors/kernel",
    "actors/store",
    "actors/service",
    "actors/resilience",
    "actors/systems",
    "http_edge",
)
# What a simulation has something else for, and what judges it instead of being judged.
NOT_MEASURED: Final = (
    # Threads: a simulation's stores and runners work in place.
    "actors/store/aiosqlite_store.py",
    "actors/store/watched_thread.py",
    "actors/store/handler_watch.py",
    "actors/service/stateless/thread_runner.py",
    # Listeners: a simulation's network is in memory.
    "http_edge/listener.py",
    "http_edge/connection_factory.py",
    "http_edge/descriptors.py",
    "http_edge/places.py",
    # Pages.
    "http_edge/endpoints/front_page.py",
    # The judges: most of their lines say what is wrong.
    "actors/systems/*/scenario/*",
    "actors/systems/*/*invariants.py",
    "actors/service/common_invariants.py",
)


def shares(seeds: int) -> dict[str, range]:
    """Return which of the seeds 1 to `seeds` each profile has, as equal in number as may be."""
    names = tuple(PROFILES)
    bounds = [seeds * number // len(names) for number in range(len(names) + 1)]
    return {
        name: range(first + 1, last + 1)
        for name, first, last in zip(names, bounds, bounds[1:], strict=False)
    }


def _play(profile: str, seeds: range, data: Path) -> str:
    """Play one profile's share in a process of its own; returns what it printed where it failed."""
    played = _coverage(
        *("run", "--parallel-mode", f"--data-file={data}", f"--source={','.join(MEASURED)}"),
        *(f"--omit={','.join(NOT_MEASURED)}", "runtime.py", "simulate", "--faults", profile),
        *("--seed", str(seeds.start), "--seeds", str(len(seeds)), "--jobs", "1", "--keep-going"),
        *("--shrink-runs", "1"),
        capture=True,
    )
    return played.stdout + played.stderr if played.returncode else ""


def _coverage(*words: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "coverage", *words)
    return subprocess.run(command, cwd=ROOT, capture_output=capture, text=True, check=False)


def main() -> int:
    """Play, and print which lines no run has reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--least", type=float, default=LEAST, metavar="PERCENT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "lines"
        with ThreadPoolExecutor(options.jobs) as pool:
            each = [
                pool.submit(_play, profile, seeds, data)
                for profile, seeds in shares(options.seeds).items()
                if seeds
            ]
        failed = [future.result() for future in each if future.result()]
        _coverage("combine", "--quiet", f"--data-file={data}", folder)
        least = f"--fail-under={options.least}"
        report = ("report", "--show-missing", "--skip-covered", "--precision=1", least)
        code = _coverage(*report, f"--data-file={data}").returncode
    for printed in failed:
        sys.stderr.write(printed)
    return min(code, 1)


if __name__ == "__main__":
    sys.exit(main())
