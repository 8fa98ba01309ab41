"""The saga over all of the hotel's services: however its messages interleave, the books agree."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.kernel.messages import Refusal
from actors.systems.hotel.card_processor.sandbox_cards import SANDBOX_CARDS
from actors.systems.hotel.messages import Booking, CancelBooking
from tests.systems.hotel.house import House, house

DAY = dt.date(2030, 3, 1)
OUTCOMES = dict(
    zip(
        SANDBOX_CARDS,
        ["confirmed", "rejected", "rejected", "confirmed", "rejected", "rejected"],
        strict=True,
    )
)
# What undoes, and what the books are compared by, must not be lost; the rest may be.
LOSABLE = {
    "CustomerIntroduced",
    "IntroduceCustomer",
    "HoldRoom",
    "RoomHeld",
    "ConfirmHold",
    "HoldConfirmed",
    "HoldReleased",
    "HoldExpired",
    "TakePayment",
    "PaymentTaken",
    "PaymentDeclined",
    "PaymentFailed",
    "PaymentRefunded",
    "RefundPayment",
    "RefundAccepted",
    "Refused",
}


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


@st.composite
def scripts(draw: st.DrawFn) -> list[tuple[int, int, str]]:
    """Who books which night with which card: room, day, card."""
    return draw(
        st.lists(
            st.tuples(st.integers(0, 1), st.integers(0, 2), st.sampled_from(sorted(SANDBOX_CARDS))),
            min_size=1,
            max_size=4,
        )
    )


@settings(max_examples=60)
@given(wishes=scripts(), data=st.data())
async def test_any_interleaving_leaves_the_books_in_agreement(
    wishes: list[tuple[int, int, str]], data: st.DataObject
) -> None:
    """Whoever comes first, whatever is lost and replayed, cancelled, late or repeated."""
    with tempfile.TemporaryDirectory() as folder:
        async with house(Path(folder)) as hotel:
            rooms = [await hotel.room(), await hotel.room()]
            customer_id = await hotel.customer()
            ids = [
                await hotel.book(
                    customer_id,
                    rooms[room],
                    check_in=DAY + dt.timedelta(days=day),
                    card_number=card_number,
                )
                for room, day, card_number in wishes
            ]
            for _ in range(data.draw(st.integers(0, 60), label="steps")):
                await step(hotel, data, ids)
            await hotel.run_out()
            for _ in range(len(hotel.letters)):
                await hotel.replay(data.draw(st.integers(0, len(hotel.letters) - 1)))
                await hotel.settle()
            await hotel.run_out()
            await hotel.check()


async def step(hotel: House, data: st.DataObject, ids: list[str]) -> None:
    """Do one thing that could happen next."""
    kinds = ["move"] * 10 + ["bury", "replay", "cancel", "wait", "lose", "wait long"]
    kind = data.draw(st.sampled_from(kinds), label="kind")
    choose: Any = lambda items: items[data.draw(st.integers(0, len(items) - 1))]  # noqa: E731
    losable = [
        channel
        for channel, queue in sorted(hotel.channels.items())
        if queue and type(queue[0]).__name__ in LOSABLE
    ]
    moves = hotel.moves()
    if kind == "move" and moves:
        await choose(moves)()
    elif kind == "bury" and losable:
        hotel.bury(choose(losable))
    elif kind == "replay" and hotel.letters:
        await hotel.replay(data.draw(st.integers(0, len(hotel.letters) - 1)))
    elif kind == "lose" and hotel.effects:
        await hotel.run_effect(choose(hotel.effects), lost=True)
    elif kind == "cancel":
        await hotel.ask("booking", CancelBooking(booking_id=choose(ids)))
    elif kind.startswith("wait"):
        hotel.clock.advance(1000.0 if kind == "wait long" else 40.0)
