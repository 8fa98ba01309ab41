"""`make bench`: measure every row of the issue, print the table, write docs/BENCHMARKS.md."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.benchmarks.against.paired import compare
from tests.benchmarks.against.parts import PARTS
from tests.benchmarks.against.verdict import HEAD as VERDICT_HEAD
from tests.benchmarks.cache_suite import run_cache_suite
from tests.benchmarks.edge_suite import EdgeSuite
from tests.benchmarks.effort import QUICK, Effort
from tests.benchmarks.kernel_suite import run_kernel_suite
from tests.benchmarks.machine import describe
from tests.benchmarks.overload.overload_suite import (
    OVERLOAD,
    OVERLOAD_PARTS,
    run_overload_suite,
)
from tests.benchmarks.placement import FREE, one_core_each
from tests.benchmarks.report import markdown, plain, plain_table, write_report
from tests.benchmarks.result import joined
from tests.benchmarks.saga_suite import HAS_RIVAL, SagaSuite
from tests.benchmarks.server_process import ROOT
from tests.benchmarks.shard_suite import run_shard_suite
from tests.benchmarks.simulation_suite import HAS_SIMULATOR, run_simulation_suite
from tests.benchmarks.tracing_suite import TracingSuite
from tests.benchmarks.tweets_suite import TweetsSuite
from tests.benchmarks.wrk import ensure_wrk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.result import Result

SUITES = ("kernel", "caches", "shards", "edge", "saga", "tweets", "tracing", "simulation", OVERLOAD)
ROWS_OF_OVERLOAD = tuple(f"{OVERLOAD}.{part}" for part in OVERLOAD_PARTS)
# Without wrk.
LOADLESS = (
    "kernel",
    "caches",
    "shards",
    "simulation",
    *(each for each in ROWS_OF_OVERLOAD if "chain" not in each),
)
# Of the same tree against itself a single pair differs by some percent; nine pairs' median by one.
PAIRS = 9
REPORT = ROOT / "docs" / "BENCHMARKS.md"


def main() -> int:
    """Return 0 whatever was missed: a figure is noted as it is. Errors end with a traceback."""
    options = _parse()
    if not sys.platform.startswith("linux"):
        print("make bench reads /proc and pins cores: it needs Linux", file=sys.stderr)
        return 2
    whole = options.only is None and not options.quick
    if whole and options.against is None and not (HAS_RIVAL and HAS_SIMULATOR):
        print("for all of it, DBOS and detangle are needed: use `make bench`", file=sys.stderr)
        return 2
    if options.against is not None and options.only not in {None, *PARTS}:
        print(f"--against compares {', '.join(PARTS)}, and not {options.only}", file=sys.stderr)
        return 2
    if options.only not in LOADLESS:
        ensure_wrk()
    effort = QUICK if options.quick else Effort()
    if options.rounds:
        effort = msgspec.structs.replace(effort, rounds=options.rounds)
    # Not the system's folder for temporary files: that may be memory, where a sync costs nothing.
    place = ROOT / "data"
    place.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="benchmarks-", dir=place))
    load_before = os.getloadavg()[0]
    try:
        if options.against is not None:
            _compare(options, effort, folder)
            return 0
        result = _measure(options.only, effort, folder)
        machine = {
            **describe(folder),
            **result.notes,
            "load average before the run": f"{load_before:.2f}",
        }
    finally:
        shutil.rmtree(folder)
    print(plain(result))
    report = options.report or (REPORT if whole else None)
    if report is not None:
        when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        write_report(report, markdown(result, machine, when=when))
    if options.json is not None:
        options.json.write_bytes(msgspec.json.encode(result))
    return 0


def _measure(only: str | None, effort: Effort, folder: Path) -> Result:
    suites: dict[str, Callable[[], Result]] = {
        "kernel": lambda: run_kernel_suite(effort),
        "caches": lambda: run_cache_suite(effort),
        "shards": lambda: run_shard_suite(effort),
        "edge": lambda: EdgeSuite(effort, folder).run(),
        "saga": lambda: SagaSuite(effort, folder).run(),
        "tweets": lambda: TweetsSuite(effort, folder).run(),
        "tracing": lambda: TracingSuite(effort, folder).run(),
        "simulation": lambda: run_simulation_suite(effort),
        OVERLOAD: lambda: run_overload_suite(effort, folder, only),
    }
    suite = None if only is None else only.partition(".")[0]
    return joined([run() for name, run in suites.items() if suite in {None, name}])


def _compare(options: argparse.Namespace, effort: Effort, folder: Path) -> None:
    """Print what has changed since the other tree, part by part as it is known."""
    placement = one_core_each() if options.pinned else FREE
    for name in [options.only] if options.only else PARTS:
        part = PARTS[name](effort, placement)
        pairs = 1 if options.quick else options.rounds or PAIRS
        found = compare(
            part,
            options.against.resolve(),
            ROOT,
            folder / name,
            pairs=pairs,
            warm_up=effort.thorough,
        )
        print(f"\n{name}, {placement.words}, {pairs} pairs")
        print(plain_table(VERDICT_HEAD, [each.cells() for each in found]), flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes; no report"
    )
    parser.add_argument(
        "--only", choices=(*SUITES, *ROWS_OF_OVERLOAD), help="a part of it; no report"
    )
    parser.add_argument(
        "--against", type=Path, help="instead: compare with another checkout, in pairs; no report"
    )
    parser.add_argument("--pinned", action="store_true", help="with --against: on one core")
    parser.add_argument("--rounds", type=int, help="measurements of each candidate")
    parser.add_argument("--report", type=Path, help="write this file (docs/BENCHMARKS.md)")
    parser.add_argument("--json", type=Path, help="write the rows and tables as JSON too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
