"""What a handler finds outside and carries into data is refused, or told by two processes apart."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import permutations
from pathlib import Path
from typing import Final, get_args

import msgspec
import pytest

from actors.simulation.command.second_process import other_surroundings
from tests.simulation.sealed.carried_escapes import CARRIED, Carried, Caught
from tests.simulation.sealed.letters import Told
from tests.simulation.sealed.planted_escapes import PLANTED

ROOT: Final = Path(__file__).parents[3]
PROGRAM: Final = (sys.executable, "-m", "tests.simulation.sealed.letters")
PROCESS_S_MAX: Final = 280.0
# Ways of looking outside, in this table and in that of what is refused at once.
WAYS_MIN: Final = 100

# Two processes, half a minute each.
pytestmark = [pytest.mark.real_time, pytest.mark.long]

Outcomes = dict[str, Told]


@pytest.fixture(scope="module")
def told() -> tuple[Outcomes, Outcomes]:
    """What came of every way in two processes, as `--check-determinism` has them."""
    surroundings = ({**os.environ}, other_surroundings(os.environ))
    processes = [
        subprocess.Popen([*PROGRAM, *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        for environment, words in zip(surroundings, ([], ["--warm"]), strict=True)
    ]
    try:
        first, second = [
            msgspec.json.decode(process.communicate(timeout=PROCESS_S_MAX)[0], type=Outcomes)
            for process in processes
        ]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return first, second


@pytest.mark.timeout(2 * PROCESS_S_MAX)
@pytest.mark.parametrize("carried", CARRIED, ids=[each.name for each in CARRIED])
def test_what_is_carried_into_data_is_caught(
    told: tuple[Outcomes, Outcomes], carried: Carried
) -> None:
    """It raises, with its line, or the digests differ; what does neither is documented."""
    here, there = [outcomes[carried.name] for outcomes in told]
    expected = carried.caught if carried.caught in get_args(Caught) else "same"
    assert how_caught(here, there) == expected, here.troubles
    if expected in {"refused", "crashes", "ended"}:
        assert "carried_escapes.py:" in here.troubles[-1]
        assert not any(one in other for one, other in permutations(here.troubles, 2)), "told twice"
    if expected == "same":
        documented = (ROOT / "docs" / "SIMULATION.md").read_text()
        assert carried.caught in " ".join(documented.split())


def how_caught(here: Told, there: Told) -> str:
    """Tell from two runs of one script what became of the letter."""
    text = " ".join(here.troubles)
    if "nothing was done" in text:
        return "ended"
    if "inside a simulation" in text:
        return "refused"
    if here.troubles:
        return "crashes"
    return "same" if here.digest == there.digest else "differs"


def test_many_ways_are_tried() -> None:
    """Each once."""
    assert len({each.name for each in CARRIED}) == len(CARRIED)
    assert len(CARRIED) >= WAYS_MIN
    assert len(PLANTED) + len(CARRIED) >= WAYS_MIN


@pytest.mark.parametrize("system", ["HASHED", "CHOSEN"])
def test_the_command_tells_where_data_differs(system: str) -> None:
    """`--check-determinism` shows what was said around the first difference; exit code 1."""
    entry = f"tests.simulation.sealed.letters:{system}"
    words = ("simulate", entry, "--seeds", "3", "--faults", "calm", "--check-determinism")
    done = subprocess.run(
        [sys.executable, "runtime.py", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=PROCESS_S_MAX,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NOT DETERMINISTIC: seed 1 of" in done.stdout
    here, there = [line for line in done.stdout.splitlines() if line.startswith("  ")][:2]
    assert here.split()[2:6] == there.split()[2:6]
    assert here != there
    if system == "CHOSEN":
        assert " script " in here  # before anything was played
