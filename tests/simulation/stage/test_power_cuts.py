"""The power is cut: of what was written and not synced all may be there, or part, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.command.timeline import build_timeline
from actors.simulation.look.close_look import CloseLook
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage import kept_connections
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.files.sqlite_file import open_writer
from tests.simulation.planting import config_of
from tests.simulation.tally import TALLY, TallyCall

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from actors.config import StoreConfig
    from actors.faults.fault_kinds import FaultName
    from actors.simulation.stage.staging import Played

STORED = "tweets.StoreTweet.after"


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(TALLY, config_of("tally"), place)


def one_tweet(*steps: Step) -> Script:
    return Script(seed=1, workload=(ClientRequest(0, 0, TallyCall()),), schedule=Schedule(steps))


def times_of(played: Played, text: str) -> list[int]:
    return [each.at_us for each in played.lines if f"{each.kind} {each.who} {each.text}" == text]


@pytest.mark.parametrize("fault", ["lose_at", "tear_at", "garble_at", "stale_at", "keep_at"])
def test_a_commit_that_nobody_has_heard_of_may_be_lost(
    rehearsal: Rehearsal, fault: FaultName
) -> None:
    """Its client asks again: what is gone is done then, and what is there is not done twice."""
    played = rehearsal.play(one_tweet(Step(0, fault, STORED)), keep=True)
    assert played.troubles == ()
    assert len(times_of(played, "boot edge process 2")) == 1
    lost = [each.who for each in played.lines if each.kind == "lost"]
    assert lost == ([] if fault == "keep_at" else ["tweets"])
    # Under one key: a second run where the first is gone, else its reply.
    assert len(times_of(played, "message tweets StoreTweet handled")) == 2
    assert rehearsal.play(played.script).digest == played.digest


def test_what_was_acknowledged_stays(rehearsal: Rehearsal) -> None:
    """The power is cut when all is over, and nothing is lost of it."""
    played = rehearsal.play(one_tweet(Step(5_000_000, "cut_power", "process")), keep=True)
    assert played.troubles == ()
    assert len(times_of(played, "boot edge process 2")) == 1
    assert [each.who for each in played.lines if each.kind == "lost"] == []


def test_what_was_acknowledged_and_not_synced_is_missed(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that leaves the sync to the next checkpoint loses all since the last one."""

    def open_carelessly(path: Path, config: StoreConfig) -> sqlite3.Connection:
        writer = open_writer(path, config)
        writer.execute("PRAGMA synchronous = NORMAL")
        return writer

    monkeypatch.setattr(kept_connections, "open_writer", open_carelessly)
    assert rehearsal.play(one_tweet(Step(5_000_000, "crash", "process"))).troubles == ()
    played = rehearsal.play(one_tweet(Step(5_000_000, "cut_power", "process")), keep=True)
    assert {each.who for each in played.lines if each.kind == "lost"} >= {"tally", "tweets"}
    assert played.troubles != ()


def test_a_timeline_tells_what_was_lost(rehearsal: Rehearsal) -> None:
    """Where the power went, and of whose log how much is gone."""
    script = one_tweet(Step(0, "tear_at", STORED))
    played = rehearsal.play(script, keep=True, onlooker=CloseLook())
    timeline = build_timeline(played, rehearsal.targets.services)
    told = [(each.lane, each.text) for each in timeline.entries if each.kind == "fault"]
    assert told[:2] == [
        ("tweets", str(script.schedule.steps[0])),
        ("edge", f"the power is cut at {STORED}"),
    ]
    assert told[2][0] == "tweets"
    assert told[2][1].startswith("has lost the last ")
    assert ("edge", "process 2 is up") in [
        (each.lane, each.text) for each in timeline.entries if each.kind == "up"
    ]


def test_who_is_being_stopped_says_no_last_word(rehearsal: Rehearsal) -> None:
    """The power goes while a service ends in order: the folder hears nothing more of its file."""
    steps = (Step(1_000_000, "restart", "tweets"), Step(500, "cut_power", "process"))
    played = rehearsal.play(one_tweet(*steps), keep=True)
    assert played.troubles == ()
    assert len(times_of(played, "boot edge process 2")) == 1
