"""Every commit can be killed on either side, and in time each has its turn."""

from __future__ import annotations

from collections import Counter

from actors.simulation.crash_points import CrashPoints
from tests.simulation.tally import TallyScenario

POINTS = CrashPoints(
    every=tuple([f"room.Hold{number}.before" for number in range(7)]),
    seldom=("room.Hold2.before", "room.Hold5.before"),
)


def test_what_commits_has_two_points() -> None:
    """Commands, events and effects; a query has none. What is said after a failure is seldom."""
    points = CrashPoints.of(TallyScenario().services(None, None))  # type: ignore[arg-type]
    assert points.every[:4] == (
        "tweets.StoreTweet.before",
        "tweets.StoreTweet.after",
        "tally.CountTweet.before",
        "tally.CountTweet.after",
    )
    assert points.seldom == ()


def test_each_point_has_its_turn() -> None:
    """Seed after seed, kills are set at all points alike, and at the seldom ones more often."""
    kills: Counter[str] = Counter()
    for seed in range(14):
        steps = POINTS.traps(seed, count=2, count_seldom=1)
        kills.update(step.target for step in steps if step.fault == "kill_at")
    assert kills == {point: 4 + 7 * (point in POINTS.seldom) for point in POINTS.every}


def test_a_service_is_stopped_before_the_kill() -> None:
    """From the second round on, one point further before it with each."""
    rounds = [list(POINTS.traps(seed, count=7, count_seldom=0)) for seed in range(3)]
    assert {step.fault for step in rounds[0]} == {"kill_at"}
    kill, stall = rounds[2][6:8]
    assert (kill.target, stall.target) == ("room.Hold3.before", "room.Hold1.before")


def test_no_more_traps_than_points() -> None:
    """A system with few points has each once a run; one with none has none."""
    assert len(list(POINTS.traps(0, count=99, count_seldom=99))) == 7 + 2
    assert list(CrashPoints((), ()).traps(3, count=5, count_seldom=5)) == []
