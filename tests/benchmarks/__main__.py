"""`make bench`: measure every row of the issue, print the table, write docs/BENCHMARKS.md."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tests.benchmarks.edge_suite import EdgeSuite
from tests.benchmarks.effort import QUICK, Effort
from tests.benchmarks.kernel_suite import run_kernel_suite
from tests.benchmarks.machine import describe
from tests.benchmarks.report import markdown, plain, write_report
from tests.benchmarks.result import Result
from tests.benchmarks.server_process import ROOT
from tests.benchmarks.wrk import ensure_wrk

REPORT = ROOT / "docs" / "BENCHMARKS.md"


def main() -> int:
    """Return 0 whatever was missed: a figure is noted as it is. Errors end with a traceback."""
    options = _parse()
    if not sys.platform.startswith("linux"):
        print("make bench reads /proc and pins cores: it needs Linux", file=sys.stderr)
        return 2
    if options.only != "kernel":
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
        result = _measure(options.only, effort, folder)
        machine = describe(folder) | {"load average before the run": f"{load_before:.2f}"}
    finally:
        shutil.rmtree(folder)
    print(plain(result))
    whole = options.only is None and not options.quick
    report = options.report or (REPORT if whole else None)
    if report is not None:
        when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        write_report(report, markdown(result, machine, when=when))
    if options.json is not None:
        options.json.write_bytes(msgspec.json.encode(result))
    return 0


def _measure(only: str | None, effort: Effort, folder: Path) -> Result:
    rows, tables = [], []
    if only != "edge":
        kernel = run_kernel_suite(effort)
        rows += kernel.rows
        tables += kernel.tables
    if only != "kernel":
        edge = EdgeSuite(effort, folder).run()
        rows += edge.rows
        tables += edge.tables
    return Result(rows=rows, tables=tables)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes; no report"
    )
    parser.add_argument("--only", choices=("kernel", "edge"), help="half of it; no report")
    parser.add_argument("--rounds", type=int, help="measurements of each candidate")
    parser.add_argument("--report", type=Path, help="write this file (docs/BENCHMARKS.md)")
    parser.add_argument("--json", type=Path, help="write the rows and tables as JSON too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
