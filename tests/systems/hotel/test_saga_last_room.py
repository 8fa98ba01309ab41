"""Many guests want the last room: one gets it, the others are told no, and nobody pays twice."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import pytest

from actors.kernel.messages import Refusal
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.inline_store import InlineStore
from actors.systems.hotel.invariants import SERVICES
from actors.systems.hotel.messages import Booking, CreateBooking
from tests.systems.hotel.whole import Whole, furnish
from tests.systems.whole import turns

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng

GUESTS = 64
DAY = dt.date(2023, 11, 24)


async def compete(hotel: Whole, wish: CreateBooking, round_: int, *, killed: str | None) -> None:
    """Let all guests ask at once, each with a key of its own, and see who wins."""
    asks = [
        asyncio.ensure_future(hotel.ask("booking", wish, key=f"{round_}-{guest}"))
        for guest in range(GUESTS)
    ]
    if killed is not None:
        await turns(round_ % 60)
        hotel.system.kill(killed)
    answers = await asyncio.gather(*asks)
    (winner,) = [each for each in answers if isinstance(each, Booking)]
    assert winner.status == "confirmed"
    refusals = [each for each in answers if isinstance(each, Refusal)]
    assert len(refusals) == GUESTS - 1
    assert {each.kind for each in refusals} == {"conflict"}


@pytest.mark.sampled
@pytest.mark.slow
@pytest.mark.parametrize(
    ("store", "rounds"),
    [
        (InlineStore, 20),
        (AiosqliteStore, 8),
        pytest.param(InlineStore, 200, marks=pytest.mark.long),
        pytest.param(AiosqliteStore, 75, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("kills", [False, True])
async def test_last_room_is_sold_once(
    tmp_path: Path,
    rng: Rng,
    store: type[InlineStore | AiosqliteStore],
    rounds: int,
    kills: bool,
) -> None:
    """Exactly one is confirmed in every round, and all others are a conflict."""
    furnished = await furnish(tmp_path, rooms=1)
    hotel = Whole(tmp_path, store=store)
    await hotel.boot()
    try:
        for round_ in range(rounds):
            check_in = DAY + dt.timedelta(days=2 * round_)
            wish = CreateBooking(
                customer_id=furnished.customer_id,
                room_id=furnished.room_ids[0],
                check_in=check_in,
                check_out=check_in + dt.timedelta(days=2),
            )
            await compete(hotel, wish, round_, killed=rng.choice(SERVICES) if kills else None)
        await hotel.run_out()
        hotel.check()
    finally:
        await hotel.stop()
