"""A room's status, rate and number: whoever comes from now on meets them, and nobody before."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from actors.kernel.messages import Refusal
from actors.systems.hotel.messages import (
    ChangeRoom,
    CreateRoom,
    GetRoom,
    ListRooms,
    Money,
    RegisterRoom,
)
from actors.systems.hotel.room import RoomService
from actors.systems.hotel.saga_messages import ConfirmHold, HoldConfirmed, RoomHeld
from tests.systems.hotel.test_room_holds import DAY, RATE, a_hold, new_room, rooms
from tests.systems.stage import Stage, stage

if TYPE_CHECKING:
    from pathlib import Path

DEAR = Money(amount=99_999, currency="CHF")


async def free(on: Stage, **filters: Any) -> list[str]:
    end = DAY.replace(day=3)
    page = await on.ask(ListRooms(limit=10, check_in=DAY, check_out=end, **filters))
    return [room.id for room in page.items]


async def test_what_is_given_is_changed_and_null_takes_the_number_away(tmp_path: Path) -> None:
    """The rest stays; an empty change, and the same again, are answered with the room."""
    async with rooms(tmp_path) as on:
        room = await on.ask(CreateRoom(type="double", rate=RATE, number="7"))
        for change, expected in (
            ({}, ("available", RATE, "7")),
            ({"status": "maintenance"}, ("maintenance", RATE, "7")),
            ({"rate": DEAR}, ("maintenance", DEAR, "7")),
            ({"rate": DEAR, "number": "8"}, ("maintenance", DEAR, "8")),
            ({"number": None, "status": "available"}, ("available", DEAR, None)),
        ):
            changed = await on.ask(ChangeRoom(room_id=room.id, **change))
            assert (changed.status, changed.rate, changed.number) == expected
            assert await on.ask(GetRoom(room_id=room.id)) == changed
            assert await on.ask(ChangeRoom(room_id=room.id, **change)) == changed


async def test_an_unknown_room_cannot_be_changed(tmp_path: Path) -> None:
    """The refusal repeats the id."""
    async with rooms(tmp_path) as on:
        reply = await on.ask(ChangeRoom(room_id="nowhere", number="1"))
        assert reply == Refusal.not_found("there is no room nowhere")


@pytest.mark.parametrize("currency", ["XXX", "XAU", "ABC", "EUX"])
async def test_a_rate_is_in_a_currency_there_is(tmp_path: Path, currency: str) -> None:
    """Of a new room as of an old one: ISO 4217's, but for what has no minor units."""
    async with rooms(tmp_path) as on:
        room_id = await new_room(on)
        rate = Money(amount=1, currency=currency)
        for wish in (CreateRoom(type="x", rate=rate), ChangeRoom(room_id=room_id, rate=rate)):
            refusal = await on.ask(wish)
            assert isinstance(refusal, Refusal)
            assert (refusal.kind, refusal.field) == ("invalid", "rate.currency")
        assert (await on.ask(GetRoom(room_id=room_id))).rate == RATE


async def test_a_room_that_is_not_available_is_neither_listed_as_free_nor_held(
    tmp_path: Path,
) -> None:
    """Until it is again; it stays among the rooms."""
    async with rooms(tmp_path) as on:
        closed, open_ = await new_room(on), await new_room(on)
        await on.ask(ChangeRoom(room_id=closed, status="maintenance"))
        assert await free(on) == await free(on, type="double") == [open_]
        assert len((await on.ask(ListRooms(limit=10))).items) == 2
        refusal = await on.ask(a_hold("h", closed))
        assert isinstance(refusal, Refusal)
        assert (refusal.kind, "maintenance" in refusal.detail) == ("conflict", True)
        await on.ask(ChangeRoom(room_id=closed, status="available"))
        assert await free(on) == [closed, open_]
        assert isinstance(await on.ask(a_hold("h", closed)), RoomHeld)


@pytest.mark.parametrize(
    ("status", "bookable"),
    [
        ("available", True),
        (" Available", True),
        ("", True),
        ("dirty", False),
        ("not available", False),
    ],
)
async def test_the_tutorials_status_counts_too(
    tmp_path: Path, status: str, *, bookable: bool
) -> None:
    """Any text is taken; in any case, and where nothing is said, the room can be booked."""
    async with rooms(tmp_path) as on:
        room = RegisterRoom(id="1", type="suite", status=status)
        await on.ask(room)
        assert (await free(on) == ["1"]) is bookable
        # A change of something else leaves it what its caller wrote.
        await on.ask(ChangeRoom(room_id="1", number="7"))
        assert (await on.ask(room)).status == status
        assert isinstance(await on.ask(a_hold("h", "1")), RoomHeld) is bookable


async def test_what_is_held_stays_held_and_at_its_price(tmp_path: Path) -> None:
    """Only a hold that has not come yet meets the new status and the new rate."""
    async with rooms(tmp_path) as on:
        room_id = await new_room(on)
        held = await on.ask(a_hold("h", room_id))
        await on.ask(ChangeRoom(room_id=room_id, status="maintenance", rate=DEAR))
        assert await on.ask(a_hold("h", room_id)) == held
        await on.ask(ConfirmHold(hold_id="h"))
        assert on.sent == [("booking", HoldConfirmed(hold_id="h"))]
        await on.ask(ChangeRoom(room_id=room_id, status="available"))
        next_ = await on.ask(a_hold("i", room_id, first=10))
        assert next_.price == Money(amount=2 * DEAR.amount, currency=DEAR.currency)


async def test_rooms_of_before_a_status_counted(tmp_path: Path) -> None:
    """Their file opens, and what they were called decides."""
    (tmp_path / "schema").mkdir()
    for number in ("0001", "0002"):
        (file,) = RoomService.schema.glob(f"{number}_*.sql")
        shutil.copy(file, tmp_path / "schema")

    class Before(RoomService):
        schema = tmp_path / "schema"

    async with stage(Before(RATE, nights_max=366), tmp_path, name="room") as on:
        for room_id, status in (("a", "available"), ("b", "broken")):
            await on.ask(RegisterRoom(id=room_id, status=status))
    async with rooms(tmp_path) as on:
        assert await free(on) == ["a"]
