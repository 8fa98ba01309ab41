"""A timeline tells a run in order: who asked for what, what was done to whom, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.timeline import Timeline, build_timeline
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal, Script
from actors.systems.hotel.scenario.call import HotelCall
from actors.systems.hotel.system import HOTEL

if TYPE_CHECKING:
    from pathlib import Path

BOOK = ClientRequest(0, 0, HotelCall("book"))
STORY = Schedule(
    (
        Step(0, "suspend", "payment"),
        Step(1_000_000, "kill", "room"),
        Step(1_000_000, "resume", "payment"),
        Step(1_000_000, "fill_disk", "notification"),
        Step(1_000_000, "crash", "process"),
        Step(1_000_000, "partition", "client-0<>edge"),
    )
)


@pytest.fixture
def timeline(tmp_path: Path) -> Timeline:
    """One booking in spite of all that."""
    with without_logs():
        rehearsal = Rehearsal(HOTEL, load_config(systems=[HOTEL]), tmp_path)
        played = rehearsal.play(Script(seed=1, workload=(BOOK,), schedule=STORY), keep=True)
    assert played.troubles == ()
    return build_timeline(played, rehearsal.targets.services)


def told(timeline: Timeline, kind: str) -> list[tuple[str, str]]:
    """Return what of that kind happens, where."""
    return [(each.lane, each.text) for each in timeline.entries if each.kind == kind]


def test_moments_are_in_order_of_time(timeline: Timeline) -> None:
    """Virtual time never goes back from line to line."""
    times = [each.at_us for each in timeline.entries]
    assert times == sorted(times)
    assert str(timeline).count("\n") == len(times) - 1


def test_requests_faults_and_commits_are_told(timeline: Timeline) -> None:
    """Each in its lane: what was asked, what was done, what was committed, what was answered."""
    (asked,) = told(timeline, "request")
    assert asked[0] == "client-0"
    assert asked[1].startswith("#0 book room 0, night 0, 1 nights")
    assert told(timeline, "fault") == [
        ("payment", "suspend payment"),
        ("room", "kill room"),
        ("notification", "the disk of notification is full"),
        ("edge", "crash the process"),
        ("client-0", "cut client-0<>edge"),
    ]
    commits = [text for lane, text in told(timeline, "commit") if lane == "booking"]
    assert commits[:2] == ["commits CreateBooking", "commits RoomHeld"]
    answers = [text for _, text in told(timeline, "answer")]
    assert any(text.startswith("#0 -> ") and "(POST" in text for text in answers)
    assert ("edge", "process 2 is up") in told(timeline, "up")


def test_what_lasts_is_a_span(timeline: Timeline) -> None:
    """From the entry it begins to the entry that ends it."""
    ends = {
        each.text: timeline.entries[each.last].text
        for each in timeline.spans
        if each.kind != "request"
    }
    assert ends == {
        "suspend payment": "resume payment",
        "kill room": "is up again",
        "the disk of notification is full": "the disk of notification has room again",
        "crash the process": "process 2 is up",
        "cut client-0<>edge": "client-0<>edge is whole and fast again",
    }
    (request,) = [each for each in timeline.spans if each.kind == "request"]
    assert timeline.entries[request.last].text.startswith("#0 -> ")


def test_lanes_are_clients_the_edge_and_the_services(timeline: Timeline) -> None:
    """Only those where something happens, in the system's own order."""
    assert timeline.lanes[:2] == ("client-0", "edge")
    assert set(timeline.lanes[2:]) == {
        "room",
        "booking",
        "payment",
        "card_processor",
        "notification",
    }
    assert {each.lane for each in timeline.entries} == set(timeline.lanes)


def test_what_happens_again_is_told_once(timeline: Timeline) -> None:
    """No two neighbours say the same."""
    pairs = zip(timeline.entries, timeline.entries[1:], strict=False)
    assert all((one.lane, one.text) != (other.lane, other.text) for one, other in pairs)
