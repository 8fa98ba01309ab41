"""A timeline tells a run in order: who asked for what, what was done to whom, what came of it."""

from __future__ import annotations

import msgspec
import pytest

from actors.config import load_config
from actors.simulation.command.comparison import Comparison
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.timeline import Timeline, build_timeline
from actors.simulation.command.timeline_entry import AT_REST, INDENT, TimelineEntry
from actors.simulation.look.close_look import CloseLook
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems.hotel.scenario.call import HotelCall
from actors.systems.hotel.system import HOTEL

BOOK = ClientRequest(0, 0, HotelCall("book"))
# Two for the same room, once all that is over.
LATER = ClientRequest(10_000_000, 1, HotelCall("book"))
TAKEN = ClientRequest(1_000_000, 2, HotelCall("book"))
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


@pytest.fixture(scope="module")
def timeline(tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    """One booking in spite of all that, and one in vain later."""
    with without_logs():
        folder = tmp_path_factory.mktemp("timeline")
        rehearsal = Rehearsal(HOTEL, load_config(systems=[HOTEL]), folder)
        script = Script(seed=1, workload=(BOOK, LATER, TAKEN), schedule=STORY)
        played = rehearsal.play(script, keep=True, onlooker=CloseLook())
        # Who looks on takes no part.
        assert rehearsal.play(script).digest == played.digest
    assert played.troubles == ()
    return build_timeline(played, rehearsal.targets.services)


def told(timeline: Timeline, kind: str) -> list[tuple[str, str]]:
    """Return what of that kind happens, where."""
    return [(each.lane, each.text) for each in timeline.entries if each.kind == kind]


def test_moments_are_in_order_of_time(timeline: Timeline) -> None:
    """Virtual time never goes back from line to line."""
    times = [each.at_us for each in timeline.entries]
    assert times == sorted(times)
    lines = [line for line in str(timeline).splitlines() if not line.startswith(INDENT)]
    assert len(lines) == len(times)


def test_requests_faults_and_commits_are_told(timeline: Timeline) -> None:
    """Each in its lane: what was asked, what was done, what was committed, what was answered."""
    asked = told(timeline, "request")[0]
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
    request = next(each for each in timeline.spans if each.text.startswith("#0 "))
    assert timeline.entries[request.last].text.startswith("#0 -> ")


def test_lanes_are_clients_the_edge_and_the_services(timeline: Timeline) -> None:
    """Only those where something happens, in the system's own order."""
    assert timeline.lanes[:4] == ("client-0", "client-1", "client-2", "edge")
    assert set(timeline.lanes[4:]) == {
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


def test_a_refusal_says_why(timeline: Timeline) -> None:
    """Where it is refused, and where a client is told of it: in the words of who refuses."""
    taken = "room room-0 is taken for one of these nights"
    assert ("room", f"HoldRoom refused: conflict: {taken}") in told(timeline, "refusal")
    answers = [text for lane, text in told(timeline, "answer") if lane == "client-2"]
    assert any(f"POST /api/v1/bookings 409: {taken}" in text for text in answers)


def test_a_commit_tells_what_was_said_and_which_rows_changed(timeline: Timeline) -> None:
    """Each message with its reply, rows that are new, other or gone, and who has how much to do."""
    room = next(each.details for each in timeline.entries if each.text == "commits HoldRoom")
    assert any("HoldRoom: hold_id=…" in each and " -> hold_id=…" in each for each in room)
    assert any(each.startswith("+ hold id=…") and "state=held" in each for each in room)
    assert any("outbox receiver=booking number=1 message_type=RoomHeld" in each for each in room)
    assert any(each.startswith("queues: ") and "room 1" in each for each in room)
    booking = [each for entry in timeline.entries for each in entry.details]
    assert any(
        each.startswith("~ booking seq=") and "holding -> paying" in each for each in booking
    )
    assert any(each.startswith("- outbox receiver=room number=1") for each in booking)
    told_client = [
        each
        for entry in timeline.entries
        for each in entry.details
        if (entry.lane, entry.kind) == ("client-2", "answer")
    ]
    assert any(each.startswith("asked card_number=") for each in told_client)
    assert any(each.startswith("got detail=room room-0 is taken") for each in told_client)


def test_what_happens_to_files_is_told_and_compared_with_its_like_alone(
    timeline: Timeline,
) -> None:
    """Only to what held something happens: a run that fails is no different for that."""
    lost = TimelineEntry(
        at_us=1, until_us=1, lane="room", kind="fault", text=f"{AT_REST}its file is lost"
    )
    whole = msgspec.structs.replace(timeline, entries=(*timeline.entries, lost))
    script = Script(seed=1, workload=(BOOK,), schedule=STORY)
    assert Comparison.of(script, script, timeline, whole).events == ()
    (event,) = Comparison.of(script, script, whole, timeline).events
    assert event == f"fails   room            {lost.text}"
