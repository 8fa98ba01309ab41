"""Cards that never get an answer, beside cards that do."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import pytest

from actors.config import load_config
from actors.kernel.messages import Refusal
from actors.systems.hotel.card_processor.sandbox_cards import (
    APPROVED_CARD,
    SANDBOX_CARDS,
    CardBehavior,
)
from actors.systems.hotel.messages import Booking, CreateBooking
from tests.systems.hotel.whole import Whole, furnish

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2023, 11, 24)
SILENT = 128
GOOD = 60
# Of a booking whose card is fine, in seconds. Without hindrance it takes some milliseconds, some
# hundred on a busy machine, and took 21 s once on one whose disk stalled; behind all those that are
# silent it would take a minute.
P99_S_MAX = 30.0
STEP_S = 0.005


def booking(customer_id: str, room_id: str, day: int, card_number: str) -> CreateBooking:
    check_in = DAY + dt.timedelta(days=day)
    return CreateBooking(
        customer_id=customer_id,
        room_id=room_id,
        check_in=check_in,
        check_out=check_in + dt.timedelta(days=1),
        card_number=card_number,
    )


async def tick(hotel: Whole) -> None:
    """Let the services' clock go with the loop's."""
    while True:
        await asyncio.sleep(STEP_S)
        hotel.clock.advance(STEP_S)


@pytest.mark.real_time
async def test_cards_that_never_answer_hold_up_no_other(tmp_path: Path) -> None:
    """With the shipped numbers: bookings with good cards are confirmed within seconds."""
    (silent,) = [
        number for number, each in SANDBOX_CARDS.items() if each is CardBehavior.NEVER_ANSWERS
    ]
    furnished = await furnish(tmp_path, rooms=2)
    shipped = load_config()
    effect = {name: getattr(shipped.effect, name) for name in ("backoff_s_min", "backoff_s_max")}
    breaker = {"open_s": shipped.breaker.open_s, "probe_s_max": shipped.breaker.probe_s_max}
    hotel = Whole(tmp_path, effect=effect, breaker=breaker)
    await hotel.boot()
    ticking = asyncio.ensure_future(tick(hotel))
    loop = asyncio.get_running_loop()
    try:

        async def book(room: int, day: int, card_number: str) -> tuple[Booking | Refusal, float]:
            begun_s = loop.time()
            wish = booking(furnished.customer_id, furnished.room_ids[room], day, card_number)
            reply = await hotel.ask("booking", wish, key=f"{room} {day}", timeout_s=100.0)
            return reply, loop.time() - begun_s

        bad = [asyncio.ensure_future(book(0, day, silent)) for day in range(SILENT)]
        good = []
        for day in range(GOOD):
            good.append(asyncio.ensure_future(book(1, day, APPROVED_CARD)))
            await asyncio.sleep(0.05)
        answers = [await each for each in good]
        assert {getattr(reply, "status", reply) for reply, _ in answers} == {"confirmed"}
        took_s = sorted(seconds for _, seconds in answers)
        assert took_s[len(took_s) * 99 // 100] < P99_S_MAX, took_s[-10:]
        refused = [reply for reply, _ in await asyncio.gather(*bad)]
        assert {type(reply) for reply in refused} == {Refusal}
        await hotel.settle()
        hotel.check()
    finally:
        ticking.cancel()
        await hotel.stop()
