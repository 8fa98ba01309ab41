"""The kernel's rows: what an ask costs, what an actor weighs, how fast one comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.benchmarks.placement import FREE, Placement, one_core_each
from tests.benchmarks.probe import run_probe
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Row, Spread, at_percentile, ratio

if TYPE_CHECKING:
    from tests.benchmarks.effort import Effort

# What runtime.py runs on; the other loop's figures stand in a table only.
LOOP = "uvloop"
OTHER_LOOP = "asyncio"

# Weighing repeats itself to the byte; more often would only take longer.
WEIGHINGS_MAX = 3


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate -> its (wall, CPU) microseconds a message, round by round."""

    loop: str
    placement: Placement
    samples: dict[str, list[tuple[float, float]]]

    def wall(self, candidate: str) -> list[float]:
        """Return the candidate's microseconds, round by round."""
        return [sample[0] for sample in self.samples[candidate]]


def run_kernel_suite(effort: Effort) -> Result:
    """Measure everything that needs neither store nor HTTP."""
    placements = [FREE, one_core_each()] if effort.thorough else [FREE]
    asks = [_ask(LOOP, placement, effort) for placement in placements]
    weights = [
        run_probe("actor_memory", LOOP, FREE.server, count=effort.actors)
        for _ in range(min(WEIGHINGS_MAX, effort.rounds))
    ]
    restarts = run_probe("actor_restarts", LOOP, FREE.server, kills=effort.actor_kills)
    return Result(
        rows=[
            *(row for measured in asks for row in _ask_rows(measured)),
            _memory_row(weights, effort.actors),
            Row(
                key="actor_restart",
                name="kill → next reply of a bare supervised actor",
                sense="at most",
                limit=1.0,
                unit="ms",
                judged=at_percentile(restarts, 99),
                spread=Spread.of(restarts),
                basis=f"p99 of {len(restarts)}",
            ),
        ],
        tables=[_table(found) for found in (*asks, _ask(OTHER_LOOP, FREE, effort))],
    )


def _ask(loop: str, placement: Placement, effort: Effort) -> Asks:
    samples = run_probe("asks", loop, placement.server, rounds=effort.rounds, count=effort.asks)
    return Asks(loop=loop, placement=placement, samples=samples)


def _ask_rows(asks: Asks) -> list[Row]:
    floor = ratio(asks.wall("floor, awaited"), asks.wall("ours, awaited"))
    share = Spread(*(100 * part for part in (floor.median, floor.low, floor.high)))
    rows = [
        Row(
            key=asks.placement.mark("awaited_floor"),
            name=asks.placement.label("awaited ask, of the raw floor (one task, a deque, futures)"),
            sense="at least",
            limit=60,
            unit="%",
            judged=share.median,
            spread=share,
        )
    ]
    for kind, limit in (("awaited", 3), ("pipelined", 8)):
        times = ratio(asks.wall(f"ThreadingActor, {kind}"), asks.wall(f"ours, {kind}"))
        rows.append(
            Row(
                key=asks.placement.mark(f"{kind}_threads"),
                name=asks.placement.label(f"{kind} ask, to pykka's ThreadingActor"),
                sense="at least",
                limit=limit,
                unit="times the rate",
                judged=times.median,
                spread=times,
            )
        )
    return rows


def _memory_row(weights: list[dict[str, float]], actors: int) -> Row:
    heaviest = [max(weight.values()) / 1e3 for weight in weights]
    return Row(
        key="actor_memory",
        name=f"memory an actor, {actors:,} actors, each asked once",
        sense="at most",
        limit=6,
        unit="KB",
        judged=max(heaviest),
        spread=Spread.of(heaviest),
        basis="most",
    )


def _table(asks: Asks) -> Table:
    lines: list[tuple[str, ...]] = []
    for name, samples in asks.samples.items():
        wall, cpu = zip(*samples, strict=True)
        lines.append((name, str(Spread.of(wall)), str(Spread.of(cpu))))
    return Table(
        title=f"Asks on {asks.loop}, {asks.placement.words}",
        head=("candidate", "µs a message", "CPU µs"),
        lines=lines,
    )
