"""The hotel's books under faults that an operator puts in: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from actors.faults.lab.fault_order import FaultOrder
from actors.store.inline_store import InlineStore
from actors.systems.hotel.card_processor.sandbox_cards import APPROVED_CARD
from actors.systems.hotel.messages import CancelBooking, CreateBooking
from tests.systems.hotel.whole import Whole, furnish

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng

DAY: Final = dt.date(2023, 11, 24)
ROOMS: Final = 2
BOOKINGS: Final = 12
RECEIVERS: Final = ("room", "payment", "booking", "notification")
# What is done to messages on their way; and at work, where none is tried too often for it.
ON_THE_WAY: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "latency", "of": "messages", "latency_ms": 5, "jitter_ms": 5},
    {"kind": "drop"},
    {"kind": "duplicate"},
    {"kind": "reorder", "latency_ms": 3},
)
AT_WORK: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "kill", "of": "commits"},
    {"kind": "kill", "of": "commits", "when": "after"},
    {"kind": "latency", "of": "commits", "latency_ms": 2},
    {"kind": "error", "first": 1},
    {"kind": "error", "when": "after", "first": 1},
)


async def test_the_books_agree_after_any_of_them(tmp_path: Path, rng: Rng) -> None:
    """Several at once, at any service, while guests book and cancel."""
    furnished = await furnish(tmp_path, rooms=ROOMS)
    hotel = Whole(tmp_path, store=InlineStore)
    await hotel.boot()
    lab = hotel.system.faults
    for said in [*rng.sample(ON_THE_WAY, 3), *rng.sample(AT_WORK, 2)]:
        service, seed = rng.choice(RECEIVERS), rng.getrandbits(32)
        lab.begin(FaultOrder(service=service, percent=rng.choice((10, 30)), seed=seed, **said))
    lab.begin(FaultOrder(kind="error", service="payment", of="effects", first=2))

    async def guest(number: int) -> None:
        day = DAY + dt.timedelta(days=rng.randrange(6))
        booking = CreateBooking(
            customer_id=furnished.customer_id,
            room_id=furnished.room_ids[number % ROOMS],
            check_in=day,
            check_out=day + dt.timedelta(days=2),
            card_number=APPROVED_CARD,
        )
        answer = await hotel.ask("booking", booking, key=f"book {number}")
        if number % 3 == 0 and hasattr(answer, "id"):
            cancel = CancelBooking(booking_id=answer.id)
            await hotel.ask("booking", cancel, key=f"cancel {number}")

    guests = asyncio.gather(*(guest(number) for number in range(BOOKINGS)))
    while not guests.done():
        hotel.clock.advance(0.002)
        await asyncio.sleep(0.001)
    await guests
    ended = lab.mend_all()
    assert sum(each.seen for each in ended) > 0
    await hotel.run_out()
    await hotel.stop()
    hotel.crashes = [each for each in hotel.crashes if "InjectedFault" not in each.error]
    hotel.check()
