"""The simulation's rows: how many schedules an hour, and how much faster than time itself."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.placement import one_core_each
from tests.benchmarks.probe import run_probe
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Row, Spread

if TYPE_CHECKING:
    from tests.benchmarks.effort import Effort

SCHEDULES_AN_HOUR = 60_000
VIRTUAL_SECONDS_A_SECOND = 2_000
HAS_SIMULATOR = importlib.util.find_spec("detangle") is not None
HEAD = ("candidate", "schedules an hour", "virtual seconds a second")


def run_simulation_suite(effort: Effort) -> Result:
    """Measure on one core: a simulation uses no more."""
    if not HAS_SIMULATOR:
        print("without detangle: `make bench` installs requirements-bench.txt", file=sys.stderr)
    cores = one_core_each().server
    # The loop is named for the probe's sake; a simulation brings its own.
    samples: dict[str, list[list[float]]] = run_probe(
        "simulations", "asyncio", cores, rounds=effort.rounds, count=effort.schedules
    )
    hotel, sleeping = samples["the hotel, with kills: ours"], samples["timers: ours"]
    return Result(
        rows=[
            _row(
                "simulation_schedules",
                "simulated schedules of the hotel, with kills, on one core",
                SCHEDULES_AN_HOUR,
                "an hour",
                Spread.of([rate for rate, _ in hotel]),
            ),
            _row(
                "simulation_sleep_speed",
                "virtual time of a hundred tasks that sleep a second to a minute, on one core",
                VIRTUAL_SECONDS_A_SECOND,
                "s a second",
                Spread.of([speed for _, speed in sleeping]),
            ),
        ],
        tables=[
            Table(
                title="Simulations, on one core",
                head=HEAD,
                lines=[
                    (
                        name,
                        str(Spread.of([rate for rate, _ in found])),
                        str(Spread.of([speed for _, speed in found])),
                    )
                    for name, found in samples.items()
                ],
            )
        ],
    )


def _row(key: str, name: str, limit: float, unit: str, spread: Spread) -> Row:
    return Row(
        key=key,
        name=name,
        sense="at least",
        limit=limit,
        unit=unit,
        judged=spread.median,
        spread=spread,
    )
