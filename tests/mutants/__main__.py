"""`python -m tests.mutants`: search for each mutant, and say which are found.

The results go into docs/SIMULATION.md, each in its row, with the schedules it took or had.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from tests.mutants import page
from tests.mutants.hunt import Tree
from tests.mutants.mutant import ROOT, table
from tests.mutants.operators import sampled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mutants.hunt import Result
    from tests.mutants.mutant import Mutant

PAGE: Final = ROOT / "docs" / "SIMULATION.md"
SCHEDULES: Final = 2_000
SECONDS_MAX: Final = 3_600.0
JOBS: Final = 2


def main() -> int:
    options = _parser().parse_args()
    mutants = table()
    marker = "mutants"
    if options.operators:
        mutants, marker = sampled(options.operators, seed=options.seed), "operators"
    wanted = [each for each in mutants if options.only in each.name]
    if not wanted:
        sys.stderr.write(f"no mutant's name has {options.only!r} in it\n")
        return 2
    rows = {} if options.operators else page.known_rows(PAGE.read_text(encoding="utf-8"))
    results = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        for mutant, result in _hunted(wanted, Path(place), options):
            results.append(result)
            line = page.row(mutant, result)
            rows |= page.known_rows(line)
            where = f"  {result.where}" if result.where else ""
            sys.stdout.write(f"{line}{where}  {result.took_s:.0f} s\n")
            sys.stdout.flush()
            if not options.dry:
                text = PAGE.read_text(encoding="utf-8")
                lines = page.section(mutants, rows)
                PAGE.write_text(page.replaced(text, marker, lines), encoding="utf-8")
    sys.stdout.write(f"{page.sums(results)}\n")
    return 0


def _hunted(
    mutants: list[Mutant], place: Path, options: argparse.Namespace
) -> Iterator[tuple[Mutant, Result]]:
    trees: SimpleQueue[Tree] = SimpleQueue()
    for number in range(options.jobs):
        folder = place / f"tree-{number}"
        folder.mkdir()
        trees.put(Tree(folder))

    def hunt(mutant: Mutant) -> tuple[Mutant, Result]:
        tree = trees.get()
        try:
            return mutant, tree.hunt(
                mutant, schedules=options.schedules, seconds_max=options.seconds_max
            )
        finally:
            trees.put(tree)

    with ThreadPoolExecutor(options.jobs) as pool:
        hunting = [pool.submit(hunt, each) for each in mutants]
        try:
            for each in as_completed(hunting):
                yield each.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    add = parser.add_argument
    add("--only", default="", metavar="TEXT", help="those with this in their names")
    add("--schedules", type=int, default=SCHEDULES, metavar="N", help="of each at most")
    add("--seconds-max", type=float, default=SECONDS_MAX, metavar="S", help="for each at most")
    add("--jobs", type=int, default=JOBS, metavar="N", help="side by side")
    add("--operators", type=int, default=0, metavar="N", help="N mutants that an operator makes")
    add("--seed", type=int, default=1, metavar="N", help="which of the operators' mutants")
    add("--dry", action="store_true", help="leave the page as it is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
