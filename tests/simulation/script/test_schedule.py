"""A schedule is a value: drawn alike everywhere, printed, pasted back and kept as JSON."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import pytest
from hypothesis import given

from actors.faults.fault_kinds import FAULTS, FaultName
from actors.kernel.rng import Rng
from actors.simulation.script.profile import PROFILES, draw_schedule
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.strategies import schedules
from actors.simulation.script.targets import Targets, directions
from actors.simulation.script.workload import draw_workload

if TYPE_CHECKING:
    from actors.simulation.script.chooser import Chooser

T = TypeVar("T")

ROOT = Path(__file__).parents[3]
# Of what test_a_seed_draws_the_same_in_every_process draws: a seed in a report stays good.
DIGEST = "35b072ef4b1adecf"
TARGETS = Targets(
    services=("room", "customer", "booking"),
    stores=("room", "customer", "booking"),
    links=("client-1<>edge", "edge>client-1"),
    points=("room.Hold.before", "room.Hold.after"),
    handlers=("room.Hold",),
    effects=("booking.Charge",),
    settings=("mailbox.capacity=2",),
)


# --- As a value ------------------------------------------------------------------------------


def test_a_timeline_can_be_read() -> None:
    """One step a line, at its time, in words."""
    schedule = Schedule(
        (
            Step(1_500, "kill", "room"),
            Step(0, "slow_store", "booking", 100),
            Step(2_000_000, "partition", "client-1<>edge"),
            Step(500, "step_clock", "clock", -60_000),
        )
    )
    assert str(schedule).splitlines() == [
        "      0.001500 s  kill room",
        "      0.001500 s  the store of booking takes 0.1 s more a commit",
        "      2.001500 s  cut client-1<>edge",
        "      2.002000 s  the wall clock steps by -60 s",
    ]
    assert str(Schedule()) == "nothing goes wrong"


def test_a_literal_can_be_pasted_into_a_test() -> None:
    """As ruff would have formatted it."""
    schedule = Schedule((Step(1_500, "kill", "room"), Step(0, "slow_store", "booking", 1_000)))
    assert schedule.literal().splitlines() == [
        "Schedule(",
        "    (",
        '        Step(1_500, "kill", "room"),',
        '        Step(0, "slow_store", "booking", 1_000),',
        "    )",
        ")",
    ]


@given(schedules(TARGETS) | schedules(Targets(services=("'", '"', "\\", "\n", "ä"))))
def test_a_schedule_comes_back_whole(schedule: Schedule) -> None:
    """From its literal, from JSON, and from its own times."""
    assert eval(schedule.literal(), {"Schedule": Schedule, "Step": Step}) == schedule  # noqa: S307
    assert msgspec.json.decode(msgspec.json.encode(schedule), type=Schedule) == schedule
    assert Schedule.at(schedule.moments()) == schedule
    assert len(str(schedule).splitlines()) >= len(schedule)


@pytest.mark.parametrize(
    ("json", "trouble"),
    [
        ('{"steps": [{"gap_us": 1, "fault": "burn", "target": "room"}]}', "burn"),
        ('{"steps": [{"gap_us": -1, "fault": "kill", "target": "room"}]}', "gap_us=-1"),
        ('{"steps": [{"gap_us": 1, "fault": "kill", "target": "room", "amount_ms": 5}]}', "has no"),
        ('{"steps": [{"gap_us": 1, "fault": "slow_link", "target": "a>b"}]}', "needs an"),
        (
            '{"steps": [{"gap_us": 1, "fault": "slow_link", "target": "a>b", "amount_ms": -1}]}',
            "less time",
        ),
        ('{"steps": [{"gap_us": 1}]}', "fault"),
    ],
)
def test_what_is_no_schedule_is_refused(json: str, trouble: str) -> None:
    """And the message names what is wrong."""
    with pytest.raises(msgspec.ValidationError, match=trouble):
        msgspec.json.decode(json, type=Schedule)


def test_what_still_lasts_can_be_ended() -> None:
    """In the order in which it began, each once."""
    schedule = Schedule(
        (
            Step(1, "suspend", "room"),
            Step(1, "partition", "a>b"),
            Step(1, "slow_link", "a>b", 10),
            Step(1, "fill_disk", "room"),
            Step(1, "resume", "room"),
            Step(1, "kill", "room"),
        )
    )
    assert schedule.unended() == (Step(0, "heal", "a>b"), Step(0, "free_disk", "room"))


def test_a_link_has_one_direction_or_two() -> None:
    assert directions("a>b") == (("a", "b"),)
    assert directions("a<>b") == (("a", "b"), ("b", "a"))
    for wrong in ("a", "a>", ">b", "<>", ""):
        with pytest.raises(ValueError, match="a link is named"):
            directions(wrong)


# --- Drawn from a seed -----------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_draws_its_faults_and_their_ends(profile: str, rng: Rng) -> None:
    """Every fault with a weight comes up, no other; some half of the slots stay empty.

    Of kills, which take most, thirty seeds took from 0.578 to 0.605.
    """
    weights = PROFILES[profile].weights
    every = msgspec.structs.replace(TARGETS, versions=("process",), sayings=("a no",))
    found: Counter[FaultName] = Counter()
    for _ in range(500):
        found.update(step.fault for step in draw_schedule(rng, PROFILES[profile], every).steps)
    ends = {FAULTS[name].ended_by for name in weights} - {None}
    assert found.keys() == weights.keys() | ends
    begun = sum(found[name] for name in weights)
    slots = 500 * PROFILES[profile].slots
    assert begun == 0 if profile == "calm" else 0.4 < begun / slots < 0.65


def test_only_what_is_there_is_broken(rng: Rng) -> None:
    """Without links and stores, no fault of links and stores."""
    some = Targets(services=("room",))
    for _ in range(100):
        for step in draw_schedule(rng, PROFILES["chaos"], some).steps:
            assert step.target in some.of(FAULTS[step.fault].scope)
    assert draw_schedule(rng, PROFILES["network"], some) == Schedule()


def test_every_magnitude_of_gap_is_drawn(rng: Rng) -> None:
    """Races within a commit and time-outs alike."""
    drawn_schedules = [draw_schedule(rng, PROFILES["kills"], TARGETS) for _ in range(300)]
    gaps = [step.gap_us for schedule in drawn_schedules for step in schedule.steps]
    magnitudes = Counter(len(str(gap)) for gap in gaps)
    assert all(magnitudes[digits] > len(gaps) / 30 for digits in range(3, 9))


def test_slots_bound_the_faults(rng: Rng) -> None:
    for _ in range(100):
        assert len(draw_schedule(rng, PROFILES["chaos"], TARGETS, slots=3)) <= 6  # with their ends
    assert len(draw_schedule(rng, PROFILES["chaos"], TARGETS, slots=1_000)) > 400


def choose_call(choose: Chooser) -> tuple[str, int]:
    return ("read", "write")[choose(2)], choose(10)


def drawn() -> str:
    """Return the digest of what a seed draws."""
    rng, digest = Rng(4711), hashlib.sha256()
    for number in range(200):
        schedule = draw_schedule(rng, PROFILES[list(PROFILES)[number % len(PROFILES)]], TARGETS)
        digest.update(msgspec.json.encode([schedule, draw_workload(rng, choose_call)]) + b"\n")
    return digest.hexdigest()[:16]


@pytest.mark.real_time
def test_a_seed_draws_the_same_in_every_process() -> None:
    """Whatever the hash seed; and, on every Python, what it has always drawn."""
    printed = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import drawn; print(drawn())"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        check=True,
        timeout=200,
    ).stdout
    assert {drawn(), printed.decode().strip()} == {DIGEST}


@pytest.mark.real_time
def test_product_code_needs_no_hypothesis() -> None:
    """Only the strategies import what only tests have."""
    code = (
        "import sys, actors.simulation.shrink.minimise, actors.simulation.script.workload,"
        " actors.simulation.check.linearizability; print('hypothesis' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, timeout=200
    ).stdout
    assert printed.strip() == b"False"
