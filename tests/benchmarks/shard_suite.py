"""Four shards against one, in commands a second, and which bound it was: the disk or the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.benchmarks.placement import FREE
from tests.benchmarks.probe import run_probe
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Row, Spread, ratio

if TYPE_CHECKING:
    from tests.benchmarks.effort import Effort

HEAD: Final = ("disk, shards", "commands/s", "commits/s", "CPU µs a command", "of a core")
# From here on of one core it is that, in a process whose threads take turns at it.
CORE_SHARE: Final = 0.85


def run_shard_suite(effort: Effort) -> Result:
    """Measure them in one process, without HTTP."""
    samples = run_probe(
        "sharded_commits", "uvloop", FREE.server, rounds=effort.rounds, count=effort.asks // 2
    )
    rows, lines = [], []
    for number, (disk, ways) in enumerate(samples.items()):
        one, four = ([each[0] for each in ways[shards]] for shards in ("1", "4"))
        share = ratio(four, one)
        cores = Spread.of([each[3] for each in ways["4"]])
        bound = "the core" if cores.median >= CORE_SHARE else "the disk"
        rows.append(
            Row(
                key=f"shards_{number}",
                name=f"4 shards against 1, {disk} (bound: {bound})",
                sense="at least",
                limit=1.0,
                unit="x",
                judged=share.median,
                spread=share,
            )
        )
        for shards, rounds in ways.items():
            figures = [str(Spread.of(list(column))) for column in zip(*rounds, strict=True)]
            lines.append((f"{disk}, {shards}", *figures))
    return Result(rows=rows, tables=[Table(title="Shards", head=HEAD, lines=lines)])
