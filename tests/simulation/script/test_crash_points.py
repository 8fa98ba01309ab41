"""Every commit can be killed on either side, and in time each has its turn."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from actors.config import load_config
from actors.simulation.script.crash_points import CrashPoints
from actors.system import services_of, unbooted
from actors.systems.tweets.system import TWEETS
from actors.systems.x_platform.system import X_PLATFORM

POINTS = CrashPoints(
    every=tuple([f"room.Hold{number}.before" for number in range(7)]),
    seldom=("room.Hold2.before", "room.Hold5.before"),
)


def points_of_the_monitor() -> CrashPoints:
    systems = (TWEETS, X_PLATFORM)
    wiring = unbooted(systems, load_config(systems=systems), Path())
    return CrashPoints.of(services_of(systems, wiring))


def test_what_commits_has_two_points() -> None:
    """Commands, events and effects; a query has none. What is said after a failure is seldom."""
    points = points_of_the_monitor()
    assert points.every[:2] == ("tweets.StoreTweet.before", "tweets.StoreTweet.after")
    assert "tweets.EffectOutcome[ScoreTweet].after" in points.every
    assert {"tweets.ScoreTweet.before", "flagger.TweetScored.after"} <= set(points.every)
    assert not any("ListTweets" in point for point in points.every)
    assert "responder.GaveUp[PostReply].after" in points.seldom
    off = {"tweets.ScoreTweet put off.before", "tweets.ScoreTweet put off.after"}
    assert off <= set(points.seldom)
    assert all("GaveUp[" in point or "put off" in point for point in points.seldom)


def test_a_replica_dies_by_itself() -> None:
    """What has no store is killed before and after it answers, each replica under its own name."""
    points = points_of_the_monitor()
    assert [each for each in points.every if "ScoreTexts." in each] == [
        f"sentiment-{number}.ScoreTexts.{phase}"
        for number in (1, 2)
        for phase in ("before", "after")
    ]


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
