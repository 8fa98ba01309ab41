"""Rooms: made at a rate, found, listed by type, and registered as the tutorial does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.kernel.messages import Refusal
from actors.systems.hotel.messages import (
    CreateRoom,
    GetRoom,
    ListRooms,
    Money,
    RegisterRoom,
    Room,
    TutorialRoom,
)
from actors.systems.hotel.room import RoomService
from tests.systems.stage import Stage, stage

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

RATE = Money(amount=12_345, currency="EUR")
DEFAULT = Money(amount=10_000, currency="CHF")


def rooms(folder: Path) -> AbstractAsyncContextManager[Stage]:
    return stage(RoomService(DEFAULT, nights_max=366), folder)


async def create(on: Stage, *types: str) -> list[Room]:
    replies: list[Room] = await on.send(*[CreateRoom(type=type_, rate=RATE) for type_ in types])
    return replies


@pytest.mark.parametrize("number", [None, "12a"])
@pytest.mark.parametrize("amount", [0, 1, 1_000_000_000_000])
async def test_created_room_is_found_by_its_id(
    tmp_path: Path, number: str | None, amount: int
) -> None:
    """The reply is the room; so is what a query returns, to the last minor unit."""
    async with rooms(tmp_path) as on:
        rate = Money(amount=amount, currency="JPY")
        room = await on.ask(CreateRoom(type="suite", rate=rate, number=number))
        assert room == Room(id=room.id, type="suite", rate=rate, number=number, status="available")
        assert await on.ask(GetRoom(room_id=room.id)) == room


async def test_unknown_room_is_not_found(tmp_path: Path) -> None:
    """The refusal repeats the id."""
    async with rooms(tmp_path) as on:
        reply = await on.ask(GetRoom(room_id="nowhere"))
        assert reply == Refusal.not_found("there is no room nowhere")


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 100])
async def test_list_shows_each_once_in_order_of_creation(tmp_path: Path, limit: int) -> None:
    """All of them, or those of one type; pages are full but for the last."""
    async with rooms(tmp_path) as on:
        made = await create(on, "a", "b", "a", "c", "a", "b")
        for type_, expected in {
            None: made,
            "a": [room for room in made if room.type == "a"],
            "b": [room for room in made if room.type == "b"],
            "none such": [],
        }.items():
            pages = await on.pages(ListRooms(limit=limit, type=type_))
            assert [room for page in pages for room in page] == expected
            assert {len(page) for page in pages[:-1]} <= {limit}


async def test_registered_room_gets_the_default_rate(tmp_path: Path) -> None:
    """The tutorial names none; its status is kept as it is told."""
    async with rooms(tmp_path) as on:
        own = await on.ask(RegisterRoom(id="1", type="double", status="dirty"))
        assert own == TutorialRoom(id="1", type="double", status="dirty")
        assert await on.ask(GetRoom(room_id="1")) == Room(
            id="1", type="double", rate=DEFAULT, number=None, status="dirty"
        )
        new = await on.ask(RegisterRoom())
        assert new.id not in {"", "1"}
        assert (await on.ask(GetRoom(room_id=new.id))).rate == DEFAULT


async def test_registering_again_is_harmless_and_another_is_a_conflict(tmp_path: Path) -> None:
    """The same room under a known id is that room; a different type or status is refused."""
    async with rooms(tmp_path) as on:
        room = RegisterRoom(id="1", type="double", status="clean")
        others = [
            RegisterRoom(id="1", type="single", status="clean"),
            RegisterRoom(id="1", type="double", status="dirty"),
        ]
        first, *refused, again = await on.send(room, *others, room)
        assert first == again
        for reply in refused:
            assert isinstance(reply, Refusal)
            assert reply.kind == "conflict"
        assert len((await on.pages(ListRooms(limit=10)))[0]) == 1
