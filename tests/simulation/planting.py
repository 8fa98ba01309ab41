"""Plants each bug by itself, finds it, and makes what found it simple, from many starting seeds.

`python -m tests.simulation.planting [--starts N] [NAME ...]` prints a table; it ends with 1 where a
bug was missed, or where two starts ended differently.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.command.settled_heap import settled_heap
from actors.simulation.script.profile import PROFILES
from actors.simulation.shrink.minimise import minimise
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems import SYSTEMS
from tests.simulation.bakery.bakery import BAKERY
from tests.simulation.board import BOARD
from tests.simulation.cafe import CAFE
from tests.simulation.couriers import COURIERS
from tests.simulation.plants import PLANTS
from tests.simulation.tally import TALLY
from tests.simulation.workshop_scenario import WORKSHOP
from tests.tracing.traced_hotel import TRACED_HOTEL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actors.config import Config
    from actors.simulation.script.script import Script
    from actors.simulation.stage.staging import Played
    from tests.simulation.plants import Plant

OURS: Final = {
    each.name: each for each in (TALLY, WORKSHOP, BAKERY, COURIERS, BOARD, CAFE, TRACED_HOTEL)
}
PLANTED: Final = {each.name: each for each in (*SYSTEMS, *OURS.values()) if each.scenario}
SCHEDULES_MAX: Final = 2_000
STARTS: Final = 20
RUNS_MAX: Final = 20_000


def config_of(system: str) -> Config:
    """Return the shipped configuration, for one of them."""
    return load_config(systems=[OURS[system]] if system in OURS else SYSTEMS)


class Stages:
    """The rehearsals of each system: it is furnished once, whatever the profile."""

    def __init__(self, place: Path) -> None:
        """Each has a folder below that place."""
        self._place = place
        self._furnished: dict[str, Rehearsal] = {}

    def rehearsal(self, system: str, profile: str) -> Rehearsal:
        """Return that system's, under that profile."""
        found = self._furnished.get(system)
        if found is None:
            folder = self._place / system
            folder.mkdir()
            found = Rehearsal(PLANTED[system], config_of(system), folder)
            self._furnished[system] = found
        other = copy.copy(found)
        faults = PROFILES[profile]
        other.playwright = msgspec.structs.replace(found.playwright, profile=faults)
        return other


class Nursery:
    """The rehearsals in which plants are looked for; each is furnished before any is planted."""

    def __init__(self, place: Path) -> None:
        self._stages = Stages(place)

    def rehearsal(self, plant: Plant) -> Rehearsal:
        """Return the plant's own."""
        return self._stages.rehearsal(plant.system, plant.profile)

    def failures(self, plant: Plant, *, first: int = 1) -> Iterator[Played]:
        """Play seeds from `first` on with the bug; yield each run in which something is wrong."""
        rehearsal = self.rehearsal(plant)
        seed = first - 1
        while True:
            seed += 1
            with plant.planted():
                played = rehearsal.play(rehearsal.script(seed))
            if played.troubles:
                yield played


class Harvest(msgspec.Struct, kw_only=True):
    """What became of one plant.

    `schedules` is how many it took to find it, `minima` how many starts ended in each script, and
    `runs` how many a start took at most.
    """

    plant: Plant
    schedules: int
    minima: Counter[Script]
    runs: int = 0
    minimal: bool = True
    took_s: float = 0.0


def harvest(nursery: Nursery, plant: Plant, *, starts: int) -> Harvest:
    """Find the bug from `starts` seeds and shrink each.

    Any trouble is this bug: without it there is none. A script that one start has played gives the
    others the same, so it is played once.
    """
    rehearsal = nursery.rehearsal(plant)
    known: dict[Script, Played] = {}

    def play(script: Script) -> Played:
        if script not in known:
            with plant.planted():
                known[script] = rehearsal.play(script)
        return known[script]

    begun_s = time.perf_counter()
    result = Harvest(plant=plant, schedules=0, minima=Counter())
    for number, played in enumerate(nursery.failures(plant), 1):
        result.schedules = result.schedules or played.script.seed
        minimum = minimise(
            played.script, play, _is_wrong, targets=rehearsal.targets, runs_max=RUNS_MAX
        )
        result.minima[minimum.script] += 1
        result.minimal &= minimum.minimal
        result.runs = max(result.runs, minimum.runs)
        if number == starts:
            break
    result.took_s = time.perf_counter() - begun_s
    return result


def _is_wrong(played: Played) -> bool:
    return bool(played.troubles)


def _told(result: Harvest) -> Iterator[str]:
    plant = result.plant
    yield (
        f"{plant.name} ({plant.sentence}): {plant.system} under {plant.profile}; found in "
        f"{result.schedules} schedules, shrunk in {result.runs} runs at most, "
        f"{len(result.minima)} minimal scripts{'' if result.minimal else ' (RUNS WERE SPENT)'}; "
        f"{result.took_s:.0f} s"
    )
    for script, count in result.minima.most_common():
        yield f"  {count} starts, seed {script.seed}:"
        for request in script.workload:
            again = ", twice" if getattr(request.call, "again", False) else ""
            yield f"    {request.gap_us:>8} us  client-{request.client}: {request.call}{again}"
        for step in script.schedule.steps:
            yield f"    {step.gap_us:>8} us  {step}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.planting")
    parser.add_argument("--starts", type=int, default=STARTS, metavar="N")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PLANTS))
    options = parser.parse_args()
    good = True
    with scratch_folder() as place, without_logs(), settled_heap():
        nursery = Nursery(place)
        for name in options.names or PLANTS:
            result = harvest(nursery, PLANTS[name], starts=options.starts)
            schedules = {script.schedule for script in result.minima}
            good &= result.schedules <= SCHEDULES_MAX and len(schedules) == 1
            sys.stdout.write("\n".join(_told(result)) + "\n")
            sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
