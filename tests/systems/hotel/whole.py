"""The whole hotel, and files of one to begin with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

from actors.systems.hotel import invariants
from actors.systems.hotel.config import HotelConfig
from actors.systems.hotel.messages import CreateCustomer, CreateRoom, Money
from actors.systems.hotel.system import HOTEL
from tests.systems.whole import Whole as WholeSystem
from tests.systems.whole import copy_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from actors.system import System

RATE = Money(amount=10_001, currency="EUR")


class Whole(WholeSystem):
    """The hotel of one folder."""

    def systems(self) -> Sequence[System]:
        return (HOTEL,)

    def violations(self, **known: Any) -> list[str]:
        now_us = self.clock.now_us()
        return invariants.violations(
            self.folder, config=self.config.section(HotelConfig), now_us=now_us, **known
        )


@contextlib.asynccontextmanager
async def whole(folder: Path, **options: Any) -> AsyncIterator[Whole]:
    """Boot a hotel in the folder; stop its last process in the end."""
    hotel = Whole(folder, **options)
    await hotel.boot()
    try:
        yield hotel
    finally:
        await hotel.stop()


class Furnished(msgspec.Struct, frozen=True, kw_only=True):
    """Files of a hotel that has rooms and a guest, to be copied: cheaper than to make them."""

    folder: Path
    room_ids: tuple[str, ...]
    customer_id: str

    def copy_to(self, folder: Path) -> None:
        copy_files(self.folder, folder)


async def furnish(folder: Path, *, rooms: int = 2) -> Furnished:
    """Make a hotel in the folder and stop it."""
    async with whole(folder, seed=0) as hotel:
        room_ids = [
            (await hotel.ask("room", CreateRoom(type="double", rate=RATE))).id for _ in range(rooms)
        ]
        guest = CreateCustomer(name="Ada", email="ada@example.org")
        customer_id = (await hotel.ask("customer", guest)).id
        await hotel.settle()
    return Furnished(folder=folder, room_ids=tuple(room_ids), customer_id=customer_id)
