"""The saga over the hotel's services, a message at a time: how it ends, and who has paid."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from actors.kernel.messages import Refusal
from actors.resilience.background_gate import BackgroundGate
from actors.systems.hotel.card_processor.sandbox_cards import SANDBOX_CARDS
from actors.systems.hotel.messages import Booking, CancelBooking, CreateBooking
from tests.systems.hotel.house import house
from tests.systems.hotel.whole import furnish, whole

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2030, 3, 1)
OUTCOMES = dict(
    zip(
        SANDBOX_CARDS,
        ["confirmed", "rejected", "rejected", "confirmed", "rejected", "rejected"],
        strict=True,
    )
)


@pytest.mark.parametrize(("card_number", "outcome"), OUTCOMES.items())
async def test_each_card_ends_the_booking_as_the_table_says(
    tmp_path: Path, card_number: str, outcome: str
) -> None:
    """Confirmed or rejected, charged at most once, and the answer says which."""
    async with house(tmp_path) as hotel:
        room_id, customer_id = await hotel.room(), await hotel.customer()
        booking_id = await hotel.book(customer_id, room_id, check_in=DAY, card_number=card_number)
        await hotel.run_out()
        await hotel.check()
        booking = await hotel.booking(booking_id)
        assert booking.status == outcome
        if outcome == "confirmed":
            assert hotel.answers[booking_id] == booking
        else:
            assert hotel.answers[booking_id] == Refusal.conflict(str(booking.reason))
            assert card_number not in str(booking)


async def test_the_room_is_sold_once(tmp_path: Path) -> None:
    """Of many who want the same nights, one gets them; the others are told why not."""
    async with house(tmp_path) as hotel:
        room_id, customer_id = await hotel.room(), await hotel.customer()
        ids = [await hotel.book(customer_id, room_id, check_in=DAY) for _ in range(10)]
        await hotel.run_out()
        await hotel.check()
        answers = [hotel.answers[each] for each in ids]
        assert [type(each) for each in answers].count(Booking) == 1
        assert {each.kind for each in answers if isinstance(each, Refusal)} == {"conflict"}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_is_charged_after_a_cancellation_goes_back(tmp_path: Path, when: str) -> None:
    """All of it, whether the charge or what cancels it reaches the card processor first."""
    async with house(tmp_path) as hotel:
        room_id, customer_id = await hotel.room(), await hotel.customer()
        booking_id = await hotel.book(customer_id, room_id, check_in=DAY)
        while not hotel.effects:
            await hotel.moves()[0]()
        (charge,) = hotel.effects
        if when == "before":  # it is made, and its outcome not heard of yet
            await hotel.run_effect(charge, lost=True)
        cancelled = await hotel.ask("booking", CancelBooking(booking_id=booking_id))
        assert (cancelled.status, cancelled.refund) == ("cancelled", None)
        while hotel.channels["booking", "payment"]:
            await hotel.deliver(("booking", "payment"))
        (void,) = [each for each in hotel.effects if each is not charge]
        for effect in [charge, void] if when == "before" else [void, charge]:
            await hotel.run_effect(effect)
        await hotel.run_out()
        await hotel.check()
        booking = await hotel.booking(booking_id)
        assert booking.refund == (booking.price if when == "before" else None)
        assert isinstance(hotel.answers[booking_id], Refusal)


async def test_a_booking_waits_for_nothing_that_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the saga to its answer is urgent, the introduction of a new guest among it."""
    hotel = await furnish(tmp_path)
    async with whole(tmp_path) as run:
        with monkeypatch.context() as shut:
            shut.setattr(BackgroundGate, "take", lambda *_, **__: 0)
            booking = await run.ask(
                "booking",
                CreateBooking(
                    customer_id=hotel.customer_id,
                    room_id=hotel.room_ids[0],
                    check_in=DAY,
                    check_out=DAY + dt.timedelta(days=1),
                    card_number=next(iter(SANDBOX_CARDS)),
                ),
            )
        assert booking.status == "confirmed"
