"""Which lines a campaign runs: the rest is printed, file by file, or listed with its reason.

`python -m tests.simulation.line_coverage [--seeds N] [--jobs N] [--least PERCENT]` plays seeds 1 to
N, as many under each profile, of the hotel, the brand monitor, the workshop, the depot and the
bakery. It ends with 1
where fewer of all lines than `--least` were run, or where what `unrun_lines.py` lists was run.
What was found is printed, too, and is for `make simulate` to find again: here all is slower, and
a long run comes to the end of its processor time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.simulation.script.profile import PROFILES
from tests.simulation.unrun_lines import REST, UNRUN, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
SEEDS: Final = 500
# Those of the program; what uses of the platform what they do not, of its handlers, its messages,
# its versions, its caches, its shards and its traces; and X as others have it, which sends nothing
# again after a break, and fills gaps by its stream.
PLAYED: Final = (
    (),
    ("tests.simulation.workshop_scenario:WORKSHOP",),
    ("tests.simulation.depot:DEPOT",),
    ("tests.simulation.couriers:COURIERS",),
    ("tests.simulation.bakery.bakery:BAKERY",),
    ("tests.simulation.board:BOARD",),
    ("tests.simulation.cafe:CAFE",),
    ("tests.tracing.traced_hotel:TRACED_HOTEL",),
    ("tweets", "--set", "x.gaps_filled_by=stream", "--set", "x.backfill_minutes_max=0"),
)
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
    "http_edge/sockets/acceptor.py",
    "http_edge/sockets/descriptors.py",
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


def _play(profile: str, system: tuple[str, ...], seeds: range, data: Path) -> str:
    """Play one profile's share in a process of its own; returns what it printed where it failed."""
    played = _coverage(
        *("run", "--parallel-mode", f"--data-file={data}", f"--source={','.join(MEASURED)}"),
        *(f"--omit={','.join(NOT_MEASURED)}", "runtime.py", "simulate", *system),
        *("--faults", profile, "--seed", str(seeds.start), "--seeds", str(len(seeds))),
        *("--jobs", "1", "--keep-going", "--shrink-runs", "1"),
    )
    return played.stdout + played.stderr if played.returncode else ""


def _coverage(*words: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "coverage", *words)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


class Measure:
    """What was run, by file, and what of the rest is listed."""

    def __init__(self, files: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
        """`files` are what coverage has as JSON: lines that were `executed`, and `missing`."""
        self.lines = sum(len(each["executed_lines"]) for each in files.values())
        self.run = self.lines
        self.missing: dict[str, list[int]] = {}
        self.listed: Counter[str] = Counter()
        self.stale: list[str] = []
        missing = {path: set(each["missing_lines"]) for path, each in files.items()}
        self.lines += sum(map(len, missing.values()))
        for reason, places in UNRUN.items():
            for place in places:
                path = place.partition("::")[0]
                found = lines_of(ROOT, place)
                ran = sorted(found & set(files[path]["executed_lines"]))
                if ran and not place.endswith(REST):
                    self.stale.append(f"{place} is listed, and was run: {_shown(ran)}")
                elif not found & missing[path]:
                    self.stale.append(f"{place} is listed, and nothing of it is left")
                self.listed[reason] += len(found & missing[path])
                missing[path] -= found
        self.missing = {path: sorted(lines) for path, lines in sorted(missing.items()) if lines}

    @property
    def percent(self) -> float:
        """Of all lines."""
        return 100 * self.run / self.lines

    def told(self) -> Iterator[str]:
        """Yield it a line each: what was not run and is not listed, then what is."""
        for path, lines in self.missing.items():
            yield f"{len(lines):5d}  {path}: {_shown(lines)}"
        for reason, count in self.listed.most_common():
            yield f"{count:5d}  {reason}"
        unlisted = sum(map(len, self.missing.values()))
        can = self.lines - self.listed.total()
        yield (
            f"{self.percent:.1f} % of {self.lines} lines were run; {self.listed.total()} are "
            f"listed as what a simulation does not run, and {unlisted} of the others were not: "
            f"{100 * self.run / can:.1f} % of those were"
        )
        yield from self.stale


def _shown(lines: Sequence[int]) -> str:
    """Return them as `3-5, 9`."""
    parts: list[list[int]] = []
    for line in lines:
        if parts and line == parts[-1][-1] + 1:
            parts[-1].append(line)
        else:
            parts.append([line])
    return ", ".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)


def main() -> int:
    """Play, and print which lines no run has reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--least", type=float, default=LEAST, metavar="PERCENT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, report = Path(folder) / "lines", Path(folder) / "lines.json"
        with ThreadPoolExecutor(options.jobs) as pool:
            each = [
                pool.submit(_play, profile, system, seeds, data)
                for profile, seeds in shares(options.seeds).items()
                for system in PLAYED
                if seeds
            ]
        failed = [future.result() for future in each if future.result()]
        _coverage("combine", "--quiet", f"--data-file={data}", folder)
        _coverage("json", "--quiet", f"--data-file={data}", "-o", str(report))
        measure = Measure(json.loads(report.read_text())["files"])
    sys.stdout.writelines(f"{line}\n" for line in measure.told())
    sys.stderr.writelines(failed)
    return int(measure.percent < options.least or bool(measure.stale))


if __name__ == "__main__":
    sys.exit(main())
