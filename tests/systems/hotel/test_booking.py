"""The booking service alone: what it sends in each state, and what a late message does not do."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.kernel.messages import Refusal
from actors.systems.hotel.messages import GetBooking, ListBookings
from actors.systems.hotel.saga_messages import (
    BookingConfirmed,
    CancelPayment,
    ConfirmHold,
    HoldRoom,
    IntroduceCustomer,
    PaymentRefunded,
    ReleaseHold,
    TakePayment,
)
from tests.systems.hotel.booking_stage import (
    ADA,
    ALL,
    CARD,
    CREATE,
    DAY,
    PRICE,
    REGISTER,
    WAITS_FOR,
    begin,
    bookings,
    messages_to,
    state_of,
)

if TYPE_CHECKING:
    from pathlib import Path

# --- The way to a confirmed booking ----------------------------------------------------------


async def test_the_saga_sends_one_message_a_state(tmp_path: Path) -> None:
    """Hold, pay, confirm, tell; the answer comes at the end."""
    async with bookings(tmp_path) as on:
        await on.ask(ADA)
        later = await on.ask(CREATE)
        booking = later.so_far
        told = messages_to(booking.id)
        assert later.request == booking.id
        assert (booking.status, booking.price, booking.check_in) == ("pending", None, DAY)
        hold = HoldRoom(
            hold_id=booking.id,
            room_id="r",
            check_in=CREATE.check_in,
            check_out=CREATE.check_out,
            hold_s=300.0,
        )
        assert on.sent == [("room", hold)]
        assert on.timers == [(120.0, told["AbandonBooking"])]
        await on.ask(told["RoomHeld"])
        take = TakePayment(payment_id=booking.id, card_number=CARD, price=PRICE)
        assert on.sent == [("payment", take)]
        await on.ask(told["PaymentTaken"])
        assert on.sent == [("room", ConfirmHold(hold_id=booking.id))]
        await on.ask(told["HoldConfirmed"])
        confirmed = BookingConfirmed(
            booking_id=booking.id,
            customer_id="ada",
            customer_name="Ada",
            customer_email="ada@example.org",
            room_id="r",
            check_in=CREATE.check_in,
            check_out=CREATE.check_out,
            price=PRICE,
        )
        assert on.sent == [("notification", confirmed)]
        found = await on.ask(GetBooking(booking_id=booking.id))
        assert (found.status, found.price, found.reason) == ("confirmed", PRICE, None)
        assert on.replies == [(booking.id, found)]


async def test_an_unknown_customer_is_asked_for_first(tmp_path: Path) -> None:
    """All bookings that wait for it go on once it is introduced; others wait on."""
    async with bookings(tmp_path) as on:
        first, second = await on.send(CREATE, CREATE)
        other = await on.ask(msgspec.structs.replace(CREATE, customer_id="bob"))
        asked = IntroduceCustomer(customer_id="bob", booking_id=other.request)
        assert on.sent == [("customer", asked)]
        await on.ask(ADA)
        assert [(to, message.hold_id) for to, message in on.sent] == [
            ("room", first.request),
            ("room", second.request),
        ]
        assert state_of(on, other.request) == "checking"


async def test_each_introduction_moves_a_bounded_number_on(tmp_path: Path) -> None:
    """None is forgotten: each booking has asked for an introduction of its own."""
    async with bookings(tmp_path) as on:
        await on.send(*[CREATE] * 250)
        sent = 0
        for _ in range(250):
            await on.ask(ADA)
            assert len(on.sent) <= 100
            sent += len(on.sent)
        assert sent == 250


async def test_an_introduction_may_correct_an_earlier_one(tmp_path: Path) -> None:
    """The latest name is the one that is written to."""
    async with bookings(tmp_path) as on:
        await on.ask(ADA)
        await on.ask(msgspec.structs.replace(ADA, email="new@example.org"))
        assert on.rows("SELECT email FROM known_customer") == [{"email": "new@example.org"}]


@pytest.mark.parametrize("nights", [0, -1, 367])
async def test_an_impossible_stay_is_refused_by_its_field(tmp_path: Path, nights: int) -> None:
    """Nothing is kept of it. The tutorial's own name where the tutorial asks."""
    async with bookings(tmp_path) as on:
        check_out = DAY + dt.timedelta(days=nights)
        create = msgspec.structs.replace(CREATE, check_out=check_out)
        register = msgspec.structs.replace(REGISTER, check_out=check_out)
        for message, field in [(create, "check_out"), (register, "CheckOut")]:
            reply = await on.ask(message)
            assert isinstance(reply, Refusal)
            assert (reply.kind, reply.field) == ("invalid", field)
        assert (await on.pages(ListBookings(limit=10))) == [[]]


# --- Rejected --------------------------------------------------------------------------------

RELEASE, REFUND = "ReleaseHold", "CancelPayment"


@pytest.mark.parametrize(
    ("state", "name", "undone"),
    [
        ("checking", "Refused IntroduceCustomer", []),
        ("checking", "AbandonBooking", []),
        ("holding", "Refused HoldRoom", []),
        ("holding", "HoldExpired", []),
        ("holding", "AbandonBooking", [RELEASE]),
        ("paying", "PaymentDeclined", [RELEASE]),
        ("paying", "PaymentFailed", [RELEASE]),
        ("paying", "HoldExpired", [REFUND]),
        ("paying", "AbandonBooking", [RELEASE, REFUND]),
        ("confirming", "Refused ConfirmHold", [REFUND]),
        ("confirming", "HoldExpired", [REFUND]),
        ("confirming", "AbandonBooking", [RELEASE, REFUND]),
    ],
)
async def test_a_rejection_undoes_what_was_begun_and_says_why(
    tmp_path: Path, state: str, name: str, undone: list[str]
) -> None:
    """No more than that: what its own ending has undone is left alone."""
    async with bookings(tmp_path) as on:
        booking_id = await begin(on, state)
        await on.ask(messages_to(booking_id)[name])
        wanted = {
            RELEASE: ("room", ReleaseHold(hold_id=booking_id)),
            REFUND: ("payment", CancelPayment(payment_id=booking_id)),
        }
        assert on.sent == [wanted[each] for each in undone]
        found = await on.ask(GetBooking(booking_id=booking_id))
        assert found.status == "rejected"
        ((request, refusal),) = on.replies
        assert (request, refusal.detail) == (booking_id, found.reason)
        kind = "not_found" if name == "Refused IntroduceCustomer" else "conflict"
        assert refusal.kind == kind
        (row,) = on.rows("SELECT card_number FROM booking")
        assert row["card_number"] is None


async def test_money_that_went_back_is_shown(tmp_path: Path) -> None:
    """Also on a booking that was rejected after it had been paid."""
    async with bookings(tmp_path) as on:
        booking_id = await begin(on, "rejected")
        await on.ask(PaymentRefunded(payment_id=booking_id, amount=PRICE.amount))
        assert (await on.ask(GetBooking(booking_id=booking_id))).refund == PRICE


# --- Late, and twice -------------------------------------------------------------------------


@pytest.mark.sampled
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("state", WAITS_FOR)
async def test_a_message_that_a_state_does_not_wait_for_is_harmless(
    tmp_path: Path, state: str, name: str
) -> None:
    """Late, repeated, or too early: the booking stands as it stood, and nobody is told anything."""
    async with bookings(tmp_path) as on:
        booking_id = await begin(on, state)
        before = on.rows("SELECT * FROM booking")
        await on.ask(messages_to(booking_id)[name])
        if name in WAITS_FOR[state]:
            assert on.rows("SELECT * FROM booking") != before or on.sent
        else:
            assert on.rows("SELECT * FROM booking") == before
            assert (on.sent, on.timers, on.replies) == ([], [], [])


@pytest.mark.parametrize("name", ALL)
async def test_a_message_for_no_booking_is_harmless(tmp_path: Path, name: str) -> None:
    """As after a backup was restored."""
    async with bookings(tmp_path) as on:
        await on.ask(messages_to("nothing")[name])
        assert (on.sent, on.timers, on.replies) == ([], [], [])
