"""Does it help to search where runs have reached something new? In interleaved pairs.

`python -m tests.benchmarks.guided_search [bakery|workshop|hotel] [profile] [runs] [pairs] [n]`

One half plays seed after seed. The other keeps, as AFL does (M. Zalewski, 2013), each script that
has reached a feature which none had, and plays in every second run one of those with some
changes: of 1 respect, or of `n` at most and with another seed. A feature is a line of the
trace without its numbers, or two that follow each other: no line of Python is traced. The bakery's
engine has a bug, to give up what it cannot read; in which run that was found is told.
"""

from __future__ import annotations

import random
import re
import sys
from contextlib import nullcontext
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import msgspec

from actors.config import load_config
from actors.service.directory import Directory
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.chooser import SeededChooser
from actors.simulation.script.profile import assemble, choose_gap, choose_slot, menu_of
from actors.simulation.script.schedule import Schedule
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems import SYSTEMS
from tests.simulation.bakery.bakery import bakery
from tests.simulation.stage.test_previous_version import dropped
from tests.simulation.workshop_scenario import WORKSHOP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.script.script import Script
    from actors.simulation.stage.staging import Played

NUMBERS: Final = re.compile(r"[\w.-]*\d[\w.-]*")
QUIET: Final = frozenset({"table", "generators", "script", "operation", "trouble"})
OURS: Final = {each.name: each for each in (bakery(), WORKSHOP)}
GUIDED_ONE_IN: Final = 2


def features_of(played: Played) -> set[Any]:
    """Return what a run has passed: each line's kind, and each two that follow each other."""
    lines = [
        (each.kind, NUMBERS.sub("#", each.who), NUMBERS.sub("#", each.text))
        for each in played.lines
        if each.kind not in QUIET
    ]
    return {*lines, *pairwise(lines)}


def changed(script: Script, rehearsal: Rehearsal, rng: random.Random) -> Script:
    """Change one thing: chance, a fault more, one less or at another time, two calls swapped."""
    steps, workload = list(script.schedule.steps), list(script.workload)
    what = rng.randrange(5)
    if what == 0:
        return msgspec.structs.replace(script, seed=rng.randrange(1 << 32))
    choose: Any = SeededChooser(rng)  # type: ignore[arg-type]
    if what == 1 or not steps:
        menu = menu_of(rehearsal.playwright.profile, rehearsal.targets)
        slots = [choose_slot(choose, menu, rehearsal.targets) for _ in range(3)]
        moments = [*script.schedule.moments(), *assemble(slots).moments()]
        return msgspec.structs.replace(script, schedule=Schedule.at(moments))
    at = rng.randrange(len(steps))
    if what == 2:
        del steps[at]
    elif what == 3:
        steps[at] = msgspec.structs.replace(steps[at], gap_us=choose_gap(choose))
    elif len(workload) > 1:
        one, other = rng.sample(range(len(workload)), 2)
        calls = workload[one].call, workload[other].call
        workload[one] = msgspec.structs.replace(workload[one], call=calls[1])
        workload[other] = msgspec.structs.replace(workload[other], call=calls[0])
    return msgspec.structs.replace(
        script, workload=tuple(workload), schedule=Schedule(tuple(steps))
    )


def mutated(script: Script, rehearsal: Rehearsal, rng: random.Random, changes: int) -> Script:
    """Change some things; with more than one, chance as well."""
    for _ in range(rng.randrange(changes) + 1):
        script = changed(script, rehearsal, rng)
    if changes > 1:
        script = msgspec.structs.replace(script, seed=rng.randrange(1 << 32))
    return script


def campaign(rehearsal: Rehearsal, first: int, runs: int, changes: int) -> Iterator[Any]:
    """Yield after each run how many features there are, and whether something was found."""
    rng = random.Random(first)
    seen: set[Any] = set()
    pool: list[Script] = []
    for seed in range(first, first + runs):
        script = rehearsal.script(seed)
        if changes and pool and seed % GUIDED_ONE_IN:
            script = mutated(rng.choice(pool), rehearsal, rng, changes)
        played = rehearsal.play(script, keep=True)
        features = features_of(played)
        if features - seen:
            pool.append(script)
        seen |= features
        yield len(seen), bool(played.troubles)


def main(
    name: str = "bakery", profile: str = "chaos", runs: int = 200, pairs: int = 5, changes: int = 1
) -> None:
    """Print a line a pair: features of both, and the run in which something was found."""
    systems = [OURS[name]] if name in OURS else SYSTEMS
    system = next(each for each in systems if each.name == name)
    planted = patch.object(Directory, "decode", dropped) if name == "bakery" else nullcontext()
    ratios, firsts = [], {False: [], True: []}  # type: ignore[var-annotated]
    with scratch_folder() as place, without_logs():
        rehearsal = Rehearsal(system, load_config(systems=systems), place, profile=profile)
        for pair in range(pairs):
            found: dict[bool, list[Any]] = {False: [], True: []}
            for guided in (False, True) if pair % 2 else (True, False):
                with planted:
                    found[guided] = list(
                        campaign(rehearsal, 1 + pair * runs, runs, guided * changes)
                    )
                troubles = [index for index, each in enumerate(found[guided], 1) if each[1]]
                firsts[guided].append(troubles[0] if troubles else runs + 1)
            features = {guided: each[-1][0] for guided, each in found.items()}
            ratios.append(features[True] / features[False])
            print(
                f"features {features[False]:6,} {features[True]:6,}  {ratios[-1]:.2f}   "
                f"found in run {firsts[False][-1]:4} {firsts[True][-1]:4}",
                flush=True,
            )
    print(
        f"guided/unguided: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); found in "
        f"run {median(firsts[False])} unguided, {median(firsts[True])} guided"
    )


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))  # type: ignore[arg-type]
