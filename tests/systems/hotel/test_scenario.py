"""The hotel's guests find its mistakes, and none where there is none."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems.hotel import free_rooms, invariants
from actors.systems.hotel.card_processor.card_processor_client import CardProcessorClient
from actors.systems.hotel.scenario.call import LISTS, HotelCall
from actors.systems.hotel.scenario.scenario import CROWD, HotelScenario, is_roomy
from actors.systems.hotel.system import HOTEL
from tests.systems.hotel.mistakes import MISTAKES

if TYPE_CHECKING:
    from collections.abc import Iterator

HOTEL_FOLDER = Path(invariants.__file__).parent
# What its judges may know of the hotel: how it is asked, and its numbers.
KNOWN = {
    "actors.systems.hotel.card_processor.processor_messages",
    "actors.systems.hotel.card_processor.sandbox_cards",
    "actors.systems.hotel.config",
    "actors.systems.hotel.messages",
}
SCHEDULES_MAX = 200
# Where a search begins, near what it finds.
FIRST = {
    "third_night_is_never_taken": 5,
    "full_refund_ends_a_day_early": 21,
    "day_of_arrival_is_refunded": 7,
    "guest_is_shown_with_another_address": 9,
    "page_skips_a_row": 5,
    "page_repeats_a_row": 5,
    "last_night_is_not_asked_for_in_free_rooms": 22,
    "closed_rooms_are_free": 24,
    "card_without_funds_pays": 33,
}
# A card that is declined; and of rooms only those that nobody has ever held.
DECLINED = 1
NEVER_HELD = free_rooms.FREE.replace(
    "AND seq",
    "AND NOT EXISTS (SELECT 1 FROM event WHERE message_type = 'RoomHeld'"
    " AND CAST(message AS TEXT) LIKE '%' || room.id || '%') AND seq",
    1,
)
HELD = {"calm": 100, "kills": 60, "chaos": 60}
# By other calendars than UTC's: where a day begins first and last, and where a clock is set.
TIME_ZONES = ("Pacific/Kiritimati", "America/Los_Angeles", "Australia/Lord_Howe")


@pytest.fixture(scope="module")
def calm() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(HOTEL, load_config(systems=[HOTEL]), place, profile="calm")


# Each search takes seconds: a third of them in every run, all of them among the long tests.
@pytest.mark.sampled
@pytest.mark.parametrize(
    "name",
    [
        name if number % 3 == 0 else pytest.param(name, marks=pytest.mark.long)
        for number, name in enumerate(MISTAKES)
    ],
)
def test_a_mistake_is_found(calm: Rehearsal, name: str) -> None:
    """Within 200 schedules without a fault; what found it finds nothing without it."""
    first = FIRST.get(name, 1)
    for seed in range(first, first + SCHEDULES_MAX):
        script = calm.script(seed)
        with MISTAKES[name]():
            troubles = calm.play(script).troubles
        if troubles:
            assert not [each for each in troubles if "Error" in each], troubles
            assert calm.play(script).troubles == ()
            return
    pytest.fail(f"not found in {SCHEDULES_MAX} schedules")


class Waiting:
    """Three bookings that have no end, and what was given up."""

    def __init__(self, *letters: tuple[str, str]) -> None:
        self._letters = letters

    async def ask(self, *_: Any, **__: Any) -> Any:
        items = [{"id": f"b-{number}", "status": "pending"} for number in (1, 2, 10)]
        return SimpleNamespace(items=items, next=None)

    async def dead_letters(self, **_: Any) -> Any:
        return [SimpleNamespace(message_type=kind, message=text) for kind, text in self._letters]


@pytest.mark.parametrize(
    ("letters", "hanging"),
    [
        ((), ["b-1", "b-2", "b-10"]),
        ((("AbandonBooking", '{"booking_id":"b-1","begun_us":1}'),), ["b-2", "b-10"]),
        ((("AbandonBooking", '{"booking_id":"b-10","begun_us":1}'),), ["b-1", "b-2"]),
        ((("PursueCancellation", '{"booking_id":"b-2"}'),), ["b-1", "b-10"]),
        ((("SendMail", '{"booking_id":"b-1"}'),), ["b-1", "b-2", "b-10"]),
    ],
)
async def test_a_booking_waits_for_what_was_given_up_of_it(
    letters: tuple[tuple[str, str], ...], hanging: list[str]
) -> None:
    """And for no other's."""
    system: Any = Waiting(*letters)
    found = await HotelScenario().unwell(system)
    assert found == [f"booking {each} is pending" for each in hanging]


async def _never_heard(self: CardProcessorClient, *_: Any, **__: Any) -> Any:
    raise TimeoutError("nobody was asked")


@pytest.mark.parametrize(
    ("card", "second", "planted", "said"),
    [
        (
            DECLINED,
            HotelCall("browse", what=LISTS.index("free rooms")),
            lambda: patch.object(free_rooms, "FREE", NEVER_HELD),
            "is free from",
        ),
        (
            0,
            HotelCall("book"),
            lambda: patch.object(CardProcessorClient, "charge", _never_heard),
            "was refused for no reason",
        ),
    ],
    ids=["what was declined is in the way for ever", "whoever pays is refused"],
)
def test_what_is_long_over_explains_nothing(
    calm: Rehearsal, card: int, second: HotelCall, planted: Any, said: str
) -> None:
    """Neither a booking that came to nothing, nor a fault."""
    first = HotelCall("book", card=card) if card else HotelCall("look")
    script = Script(
        seed=1,
        workload=(ClientRequest(0, 0, first), ClientRequest(120_000_000, 0, second)),
        schedule=Schedule((Step(0, "kill", "payment"),)),
    )
    with planted():
        found = calm.play(script).troubles
    assert said in " ".join(found)
    assert calm.play(script).troubles == ()


@pytest.mark.long
@pytest.mark.parametrize(("profile", "seeds"), HELD.items())
def test_all_holds(profile: str, seeds: int) -> None:
    """Whatever breaks, all is as the rules have it; the first seeds are test_rehearsal's."""
    with scratch_folder() as place, without_logs():
        rehearsal = Rehearsal(HOTEL, load_config(systems=[HOTEL]), place, profile=profile)
        for seed in range(1, seeds + 1):
            assert rehearsal.play(rehearsal.script(seed)).troubles == (), f"seed {seed}"


@pytest.mark.sampled
@pytest.mark.parametrize("seeds", [2, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.parametrize("time_zone", TIME_ZONES)
def test_all_holds_by_every_calendar(time_zone: str, seeds: int) -> None:
    """Days are the hotel's own."""
    config = load_config(None, [f"hotel.time_zone={time_zone}"], [HOTEL])
    with scratch_folder() as place, without_logs():
        explicit = {"hotel": {"time_zone": time_zone}}
        rehearsal = Rehearsal(HOTEL, config, place, profile="chaos", explicit=explicit)
        for seed in range(1, seeds + 1):
            assert rehearsal.play(rehearsal.script(seed)).troubles == (), f"seed {seed}"


@pytest.mark.parametrize(
    "path",
    [HOTEL_FOLDER / "invariants.py", *sorted((HOTEL_FOLDER / "scenario").glob("*.py"))],
    ids=lambda path: path.name,
)
def test_an_oracle_shares_no_code_with_what_it_judges(path: Path) -> None:
    """Audit and scenario reckon nights, prices and refunds by rules of their own."""
    modules = {
        node.module or ""
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    shared = {
        module
        for module in modules
        if module.startswith("actors.systems.hotel")
        and not module.startswith("actors.systems.hotel.scenario")
    }
    assert shared <= KNOWN


def test_a_hotel_is_roomy_that_always_was() -> None:
    """Whoever was put off while a limit was small had to ask again, whatever it is in the end."""
    wide = load_config(systems=[HOTEL])
    small = replace(wide, mailbox=replace(wide.mailbox, capacity=CROWD))
    assert is_roomy([wide, wide])
    assert not is_roomy([wide, small, wide])
