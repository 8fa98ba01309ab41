"""`make bench-growth`: what services, rows and waiting messages cost by their number."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks.growth.deep_outbox import measure_outbox
from tests.benchmarks.growth.grown import cost_rows, marginal_rows, table_of
from tests.benchmarks.growth.many_rows import measure_rows
from tests.benchmarks.growth.many_services import measure_services
from tests.benchmarks.machine import describe
from tests.benchmarks.report import measured_part, plain, write_report
from tests.benchmarks.result import Result
from tests.benchmarks.server_process import ROOT
from tests.benchmarks.wrk import ensure_wrk

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND: Final = "make bench-growth"
REPORT: Final = ROOT / "docs" / "GROWTH.md"
SIZES: Final = {
    "services": (10, 100, 1_000),
    "rows": (10_000, 1_000_000, 10_000_000),
    "outbox": (10_000, 100_000, 1_000_000),
}
QUICK_SIZES: Final = {"services": (2, 4, 8), "rows": (1_000, 10_000), "outbox": (1_000, 2_000)}
METHOD: Final = """\
One process of `runtime.py run` with as many services as the line says, alike: each keeps notes in a
file of its own, a row with a unique id of a UUID's length and a short text. wrk has one thread and
64 connections; figures are medians of the rounds. A row of the first table holds a figure at the
largest size against the same at the smallest: it is met where it has grown no more than the
logarithm of the size has.

- **Services**: booted on no data, then on what that left; idle is what the process takes of a core
  while nobody asks. All busy: requests go to all services in turns; one busy: to the first alone.
- **Rows**: a file of so many, made by one SQL statement after a first boot; GET asks for ids by
  chance, POST adds. CPU until it rests has the boot and the check that reads the file whole.
- **Waiting messages**: the receiver is suspended, so many are sent to it, a thousand a command,
  then more one by one; the process is booted anew, and the receiver takes them all."""


def main() -> int:
    """Return 0 whatever was missed. Errors end with a traceback."""
    options = _parse()
    if not sys.platform.startswith("linux"):
        print(f"{COMMAND} reads /proc: it needs Linux", file=sys.stderr)
        return 2
    ensure_wrk()
    place = ROOT / "data"
    place.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="growth-", dir=place))
    load_before = os.getloadavg()[0]
    try:
        result = _measure(options.only, folder, quick=options.quick)
        machine = {**describe(folder), "load average before the run": f"{load_before:.2f}"}
    finally:
        shutil.rmtree(folder)
    print(plain(result))
    report = options.report or (None if options.quick or options.only else REPORT)
    if report is not None:
        when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        text = measured_part(result, machine, when=when, command=COMMAND, method=METHOD)
        write_report(report, text, command=COMMAND)
    return 0


def _measure(only: str | None, folder: Path, *, quick: bool) -> Result:
    seconds, rounds = (1, 1) if quick else (3, 3)
    sizes = QUICK_SIZES if quick else SIZES
    idle_s = 1.0 if quick else 10.0
    measures: dict[str, Callable[[int, Path], dict[str, float]]] = {
        "services": partial(measure_services, seconds=seconds, rounds=rounds, idle_s=idle_s),
        "rows": partial(measure_rows, seconds=seconds, rounds=rounds),
        "outbox": partial(measure_outbox, seconds=seconds, rounds=rounds),
    }
    judges: dict[str, Callable[[dict[int, dict[str, float]]], Result]] = {
        "services": _of_services,
        "rows": _of_rows,
        "outbox": _of_outbox,
    }
    found = []
    for name in [only] if only else measures:
        grown = {}
        for size in sizes[name]:
            place = folder / f"{name}-{size}"
            grown[size] = measures[name](size, place)
            print(f"{name} {size:,}: {grown[size]}", file=sys.stderr, flush=True)
            shutil.rmtree(place)  # ten million rows are gigabytes
        found.append(judges[name](grown))
    return Result(
        rows=[row for result in found for row in result.rows],
        tables=[table for result in found for table in result.tables],
    )


def _of_services(grown: dict[int, dict[str, float]]) -> Result:
    each = ["CPU s of the boot", "MB idle"]
    costs = ["all busy, CPU µs a request", "one busy, CPU µs a request", "one busy, p99 ms"]
    return Result(
        rows=[
            *marginal_rows("services", "service", grown, each),
            *cost_rows("services", "services", grown, costs),
        ],
        tables=[table_of("Services in one process", "services", grown)],
    )


def _of_rows(grown: dict[int, dict[str, float]]) -> Result:
    costs = [
        "CPU s of the boot",
        "POST, CPU µs a request",
        "POST, p99 ms",
        "GET, CPU µs a request",
        "GET, p99 ms",
    ]
    return Result(
        rows=cost_rows("rows", "rows", grown, costs),
        tables=[table_of("Rows in one service", "rows", grown)],
    )


def _of_outbox(grown: dict[int, dict[str, float]]) -> Result:
    costs = [
        "sent in bulk, CPU µs a message",
        "one more sent, CPU µs a request",
        "one more sent, p99 ms",
        "CPU s of the boot",
        "taken, CPU µs a message",
    ]
    return Result(
        rows=cost_rows("outbox", "waiting", grown, costs),
        tables=[table_of("Messages that wait for one receiver", "waiting", grown)],
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("--quick", action="store_true", help="small numbers, in seconds; no report")
    parser.add_argument("--only", choices=list(SIZES), help="a part of it; no report")
    parser.add_argument("--report", type=Path, help=f"write this file ({REPORT.name})")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
