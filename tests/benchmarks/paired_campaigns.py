"""Schedules an hour of two trees of this repository, in interleaved pairs.

`python -m tests.benchmarks.paired_campaigns OLD NEW [hotel kills 60] [pairs]`, from either tree. Of
a machine that does something else as well, both halves of a pair have the same share. By core: the
processor time of a campaign in one process; by the wall: one of `--jobs 1` and one of `--jobs 2`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Final

PAIRS: Final = 9
HOUR_S: Final = 3600.0


def campaign(tree: Path, words: list[str]) -> tuple[float, float] | None:
    """Return the processor's and the wall's seconds of a campaign; None where words are unknown."""
    began_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "runtime.py", "simulate", *words],
        cwd=tree,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return None
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began_s


def one_process(tree: Path) -> list[str]:
    """Return the words that keep a tree's campaign in one process."""
    has_jobs = (tree / "actors/simulation/command/workers.py").exists()
    return ["--jobs", "1"] if has_jobs else []


def compare(old: Path, new: Path, words: list[str], seeds: int, pairs: int) -> None:
    """Print the rates of both, and the ratio of each pair."""
    ratios: list[float] = []
    rates: dict[Path, list[float]] = {old: [], new: []}
    for number in range(pairs):
        # Who is first has the cooler machine: they take turns.
        for tree in (old, new) if number % 2 else (new, old):
            took = campaign(tree, [*words, *one_process(tree)])
            if took is None:
                sys.exit(f"{tree}: it did not hold")
            rates[tree].append(seeds / took[0] * HOUR_S)
        ratios.append(rates[new][-1] / rates[old][-1])
        print(f"{rates[old][-1]:8,.0f} {rates[new][-1]:8,.0f}  {ratios[-1]:.2f}", flush=True)
    for name, tree in (("old", old), ("new", new)):
        print(f"{name}: {median(rates[tree]):8,.0f} schedules an hour and core")
    print(f"new/old: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    walls = {jobs: campaign(new, [*words, "--jobs", jobs]) for jobs in ("1", "2")}
    for jobs, took in walls.items():
        if took is not None:
            print(f"new, --jobs {jobs}: {seeds / took[1] * HOUR_S:8,.0f} schedules an hour")


def main(arguments: list[str]) -> None:
    """Read what to compare."""
    old, new = (Path(each).absolute() for each in arguments[:2])
    system, faults, seeds = [*arguments[2:5], *("hotel", "kills", "60")[len(arguments[2:5]) :]]
    pairs = int(arguments[5]) if len(arguments) > 5 else PAIRS
    words = ["--seed", "1", "--seeds", seeds, "--system", system, "--faults", faults]
    print(f"{system}, {faults}, {seeds} seeds, {pairs} pairs")
    compare(old, new, words, int(seeds), pairs)


if __name__ == "__main__":
    main(sys.argv[1:])
