"""`python -m tests.mutants`: search for each mutant, and say which are found.

The results go into docs/SIMULATION.md, each in its row, with the schedules it took or had.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from tests.mutants import page
from tests.mutants.hunt import Result, Tree, code_digest
from tests.mutants.mutant import ROOT, table
from tests.mutants.operators import sampled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mutants.mutant import Mutant

PAGE: Final = ROOT / "docs" / "SIMULATION.md"
SCHEDULES: Final = 2_000
SECONDS_MAX: Final = 3_600.0
JOBS: Final = 2
STOPPED: Final = 3


def main() -> int:
    options = _parser().parse_args()
    mutants = table()
    marker = "mutants"
    if options.operators:
        mutants, marker = sampled(options.operators, seed=options.seed), "operators"
    only = options.only or [""]
    wanted = [
        each for each in mutants if any(text in each.name or text == each.kind for text in only)
    ]
    rows = page.known_rows(PAGE.read_text(encoding="utf-8"))
    if options.missed:
        wanted = [each for each in wanted if not page.is_found(rows.get(page.cell(each)))]
    if options.machines:  # they run no plants, and add to a row that is there
        wanted = [each for each in wanted if each.file and page.cell(each) in rows]
    if not wanted:
        sys.stderr.write(f"no mutant's name has {' or '.join(map(repr, only))} in it\n")
        return 2
    code = code_digest(ROOT)
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        for mutant, result in _hunted(wanted, Path(place), options):
            name = page.cell(mutant)
            if isinstance(result, Result):
                rows[name] = page.row(
                    mutant, result, rows.get(name), code=code, profiles=options.profiles
                )
            else:
                rows[name] = page.with_machines(rows[name], result)
            sys.stdout.write(f"{rows[name]}\n")
            sys.stdout.flush()
            if not options.dry:
                text = PAGE.read_text(encoding="utf-8")
                # Another search may have written there meanwhile.
                rows = {**page.known_rows(text), name: rows[name]}
                lines = page.section(mutants, rows, code)
                PAGE.write_text(page.replaced(text, marker, lines), encoding="utf-8")
    return 0


def _hunted(
    mutants: list[Mutant], place: Path, options: argparse.Namespace
) -> Iterator[tuple[Mutant, Result | str]]:
    """Yield each as it ends: with its result or, of other machines, with which have found it."""
    trees: SimpleQueue[Tree] = SimpleQueue()
    every = []
    for number in range(options.jobs):
        folder = place / f"tree-{number}"
        folder.mkdir()
        every.append(Tree(folder))
        trees.put(every[-1])
    seconds_max = options.seconds_max

    def hunt(mutant: Mutant) -> tuple[Mutant, Result | str]:
        tree = trees.get()
        try:
            if options.machines:
                found = tree.machines_that_find(mutant, seconds_max=seconds_max)
                return mutant, ", ".join(found) or "none"
            return mutant, tree.hunt(
                mutant,
                schedules=options.schedules,
                seconds_max=seconds_max,
                profiles=options.profiles,
            )
        finally:
            trees.put(tree)

    with ThreadPoolExecutor(options.jobs) as pool:
        hunting = [pool.submit(hunt, each) for each in mutants]
        try:
            for each in as_completed(hunting):
                yield each.result()
        finally:  # stopped, too: nobody waits for what is under way
            pool.shutdown(wait=False, cancel_futures=True)
            for tree in every:
                tree.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    add = parser.add_argument
    text = "those of this kind, or with it in their names; several times: of any of these"
    add("--only", action="append", metavar="TEXT", help=text)
    add("--missed", action="store_true", help="those that the page does not call found")
    add("--schedules", type=int, default=SCHEDULES, metavar="N", help="of each at most")
    add("--seconds-max", type=float, default=SECONDS_MAX, metavar="S", help="for each at most")
    add("--jobs", type=int, default=JOBS, metavar="N", help="side by side")
    text = "under these alone, with commas between them; a row says so"
    add("--profiles", default="", metavar="NAMES", help=text)
    add("--operators", type=int, default=0, metavar="N", help="N mutants that an operator makes")
    add("--seed", type=int, default=1, metavar="N", help="which of the operators' mutants")
    add("--machines", action="store_true", help="have other machines look, and not the simulation")
    add("--dry", action="store_true", help="leave the page as it is")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as by Ctrl-C
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(STOPPED)
