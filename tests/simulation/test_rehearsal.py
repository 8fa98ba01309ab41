"""Whole systems under faults: nothing is wrong, it happens again, and kills strike everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from actors.config import load_config
from actors.simulation.place import place_for_files
from actors.simulation.profile import PROFILES
from actors.simulation.rehearsal import Rehearsal
from actors.simulation.scenarios import SCENARIOS
from actors.simulation.silence import silence
from tests.simulation.planting import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Rehearse = Callable[[str, str], Rehearsal]

ROOT: Final = Path(__file__).parent.parent.parent
FIXED_SEEDS: Final = 8
FRESH_SEEDS: Final = 8
# `make simulate-coverage` wants all of them hit, by 500.
COVERAGE_SEEDS: Final = 60
COVERED_MIN: Final = 0.9


@pytest.fixture(scope="module")
def rehearse() -> Iterator[Rehearse]:
    """Return a rehearsal of a system under a profile; each is furnished once."""
    made: dict[tuple[str, str], Rehearsal] = {}
    with place_for_files() as place, silence():

        def rehearsal(system: str, profile: str) -> Rehearsal:
            if (system, profile) not in made:
                folder = place / f"{system}-{profile}"
                folder.mkdir()
                made[system, profile] = Rehearsal(
                    SYSTEMS[system], load_config(), folder, profile=profile
                )
            return made[system, profile]

        yield rehearsal


# --- Nothing is wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_fixed_seeds_find_nothing(rehearse: Rehearse, system: str, profile: str) -> None:
    """The same each time: what a change breaks, it has broken."""
    rehearsal = rehearse(system, profile)
    for seed in range(1, FIXED_SEEDS + 1):
        assert rehearsal.play(rehearsal.script(seed)).troubles == (), f"--seed {seed}"


@pytest.mark.parametrize("profile", ["kills", "chaos"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_fresh_seeds_find_nothing(rehearse: Rehearse, system: str, profile: str, seed: int) -> None:
    """Others each time, from the run's seed on: what is found, its number finds again."""
    rehearsal = rehearse(system, profile)
    for number in range(seed, seed + FRESH_SEEDS):
        troubles = rehearsal.play(rehearsal.script(number)).troubles
        assert troubles == (), f"simulate --system {system} --faults {profile} --seed {number}"


# --- It happens again --------------------------------------------------------------------------


@pytest.mark.parametrize("system", SCENARIOS)
def test_a_seed_plays_the_same_twice(rehearse: Rehearse, system: str) -> None:
    """Trace by trace, whatever was played before it."""
    rehearsal = rehearse(system, "chaos")
    digests = [rehearsal.play(rehearsal.script(seed)).digest for seed in (1, 2, 3, 3, 2, 1)]
    assert digests[:3] == digests[:2:-1]
    assert len(set(digests)) == 3


@pytest.mark.real_time
def test_a_seed_plays_the_same_in_every_process() -> None:
    """Whatever the hash seed; `make simulate-determinism` compares 1,000."""
    digests = set()
    for hash_seed in ("0", "4711"):
        printed = subprocess.run(
            [sys.executable, "runtime.py", "simulate", "--seeds", "8", "--faults", "chaos"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            timeout=250,
        ).stdout
        digests.add(printed.splitlines()[-1])
    (digest,) = digests
    assert digest.startswith(b"digest ")


# --- Kills strike everywhere -------------------------------------------------------------------


def test_kills_strike_everywhere(rehearse: Rehearse) -> None:
    """Every handler runs, and most crash points are hit, in few seeds."""
    for system in SCENARIOS:
        rehearsal = rehearse(system, "kills")
        passed: Counter[str] = Counter()
        hit: Counter[str] = Counter()
        for seed in range(1, COVERAGE_SEEDS + 1):
            played = rehearsal.play(rehearsal.script(seed))
            passed.update(played.passed)
            hit.update(played.hit)
        assert passed.keys() <= set(rehearsal.points)
        assert [point for point in rehearsal.points if not passed[point]] == []
        assert len(hit) >= COVERED_MIN * len(rehearsal.points)
