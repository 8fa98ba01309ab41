"""Plays schedules of the code at hand until one fails: a process of its own for each mutant.

`python -m tests.mutants.search --systems hotel,tweets --schedules 100` writes lines of JSON: one
when all is furnished, one for each schedule that held, and one for what was found.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.command.settled_heap import settled_heap
from actors.simulation.stage.rehearsal import Rehearsal
from tests.simulation.planting import PLANTED, config_of
from tests.simulation.plants import PLANTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PROFILES: Final = ("calm", "kills", "network", "disk", "power", "handlers", "overload", "chaos")


class Heard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`schedules` have been played; the last of them was in trouble if one is told."""

    schedules: int
    trouble: str = ""
    system: str = ""
    profile: str = ""
    seed: int = 0


def search(
    place: Path, *, systems: Sequence[str], profiles: Sequence[str], first: int, schedules: int
) -> Iterator[Heard]:
    """Yield after each schedule. Seeds from `first` on, each in every system and profile."""
    rehearsals = [
        (system, profile, _furnished(place, system, profile))
        for profile in profiles
        for system in systems
    ]
    yield Heard(schedules=0)
    turns = ((seed, *each) for seed in range(first, first + schedules) for each in rehearsals)
    for number, (seed, system, profile, rehearsal) in enumerate(islice(turns, schedules), 1):
        played = rehearsal.play(rehearsal.script(seed))
        if played.troubles:
            yield Heard(
                schedules=number,
                trouble=played.troubles[0],
                system=system,
                profile=profile,
                seed=seed,
            )
            return
        yield Heard(schedules=number)


def _furnished(place: Path, system: str, profile: str) -> Rehearsal:
    folder = place / f"{system}-{profile}"
    folder.mkdir()
    return Rehearsal(PLANTED[system], config_of(system), folder, profile=profile)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.search")
    parser.add_argument("--systems", required=True)
    parser.add_argument("--profiles", default=",".join(PROFILES))
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--schedules", type=int, required=True)
    parser.add_argument("--plant", default="")
    options = parser.parse_args()
    with scratch_folder() as place, without_logs(), settled_heap():
        planted = PLANTS[options.plant].planted() if options.plant else nullcontext()
        with planted:
            for heard in search(
                place,
                systems=options.systems.split(","),
                profiles=options.profiles.split(","),
                first=options.first,
                schedules=options.schedules,
            ):
                sys.stdout.write(msgspec.json.encode(heard).decode() + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
