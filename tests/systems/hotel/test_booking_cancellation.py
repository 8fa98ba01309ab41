"""Cancelling: the nights go back, the refund is the policy's, and it ends whatever is lost."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from actors.kernel.messages import Later, Refusal
from actors.systems.hotel.messages import CancelBooking, GetBooking, Money
from actors.systems.hotel.saga_messages import (
    BookingCancelled,
    CancelPayment,
    HoldReleased,
    PaymentRefunded,
    PursueCancellation,
    RefundAccepted,
    RefundPayment,
    ReleaseHold,
)
from tests.systems.hotel.booking_stage import (
    CREATE,
    DAY,
    PRICE,
    REGISTER,
    begin,
    bookings,
    messages_to,
    state_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.systems.stage import Stage

DAY_S = 86_400.0


def move_to(on: Stage, day: dt.date, *, hour: int = 12) -> None:
    then = dt.datetime.combine(day, dt.time(hour), tzinfo=dt.UTC)
    on.clock.advance(then.timestamp() - on.clock.now_us() / 1_000_000)


def asked(booking_id: str, refund: int) -> list[tuple[str, Any]]:
    wanted: list[tuple[str, Any]] = [("room", ReleaseHold(hold_id=booking_id))]
    if refund:
        wanted.append(("payment", RefundPayment(payment_id=booking_id, amount=refund)))
    return wanted


@pytest.mark.parametrize(
    ("days_left", "refund"),
    [(400, 20_001), (7, 20_001), (6, 10_001), (1, 10_001), (0, 0), (-3, 0)],
)
async def test_cancelling_asks_room_and_payment_and_then_tells(
    tmp_path: Path, days_left: int, refund: int
) -> None:
    """The answer comes when both have taken note; with nothing to refund, when the room has."""
    async with bookings(tmp_path) as on:
        booking_id = await begin(on, "confirmed")
        move_to(on, DAY - dt.timedelta(days=days_left))
        later = await on.ask(CancelBooking(booking_id=booking_id))
        money = Money(amount=refund, currency="EUR")
        assert isinstance(later, Later)
        assert (later.so_far.status, later.so_far.refund) == ("cancelling", money)
        assert on.sent == asked(booking_id, refund)
        assert on.timers == [(30.0, PursueCancellation(booking_id=booking_id))]
        if refund:
            await on.ask(RefundAccepted(payment_id=booking_id, amount=refund))
            assert (on.sent, on.replies) == ([], [])
        await on.ask(HoldReleased(hold_id=booking_id))
        cancelled = await on.ask(GetBooking(booking_id=booking_id))
        assert (cancelled.status, cancelled.refund, cancelled.price) == ("cancelled", money, PRICE)
        assert on.replies == [(later.request, cancelled)]
        told = BookingCancelled(
            booking_id=booking_id,
            customer_id="ada",
            customer_name="Ada",
            customer_email="ada@example.org",
            room_id="r",
            check_in=CREATE.check_in,
            check_out=CREATE.check_out,
            price=PRICE,
            refund=money,
        )
        assert on.sent == [("notification", told)]


@pytest.mark.parametrize(
    ("zone", "refund"), [("UTC", 10_001), ("Pacific/Kiritimati", 0), ("Etc/GMT+12", 10_001)]
)
async def test_the_hotels_own_calendar_counts(tmp_path: Path, zone: str, refund: int) -> None:
    """At noon UTC on the day before, it is the day of check-in fourteen hours to the east."""
    async with bookings(tmp_path, time_zone=zone) as on:
        booking_id = await begin(on, "confirmed")
        move_to(on, DAY - dt.timedelta(days=1))
        later = await on.ask(CancelBooking(booking_id=booking_id))
        assert later.so_far.refund.amount == refund


UNDOES: dict[str, list[tuple[str, Any]]] = {
    "checking": [],
    "holding": [("room", ReleaseHold)],
    "paying": [("room", ReleaseHold), ("payment", CancelPayment)],
    "confirming": [("room", ReleaseHold), ("payment", CancelPayment)],
}


@pytest.mark.parametrize("state", UNDOES)
async def test_a_pending_booking_is_cancelled_at_once(tmp_path: Path, state: str) -> None:
    """What it began is undone, its waiters are told, and nothing that comes later changes it."""
    async with bookings(tmp_path) as on:
        booking_id = await begin(on, state)
        reply = await on.ask(CancelBooking(booking_id=booking_id))
        assert (reply.status, reply.refund) == ("cancelled", None)
        assert await on.ask(GetBooking(booking_id=booking_id)) == reply
        asked = [(to, type(each)) for to, each in on.sent if to != "notification"]
        assert asked == UNDOES[state]
        told = [each for to, each in on.sent if to == "notification"]
        assert [(each.price, each.refund) for each in told] == (
            [] if state == "checking" else [(reply.price, None)]
        )
        ((request, refusal),) = on.replies
        assert request == booking_id
        assert isinstance(refusal, Refusal)
        assert (refusal.kind, "was cancelled" in refusal.detail) == ("conflict", True)
        assert on.rows("SELECT id FROM booking WHERE card_number IS NOT NULL") == []
        for message in messages_to(booking_id).values():
            await on.ask(message)
            assert (on.sent, on.replies, on.timers) == ([], [], [])
        assert await on.ask(CancelBooking(booking_id=booking_id)) == reply


async def test_a_booking_can_be_cancelled_in_the_commit_that_begins_it(tmp_path: Path) -> None:
    """Whoever waits for it is told: its name is given in the same commit."""
    async with bookings(tmp_path) as on:
        later, cancelled = await on.send(REGISTER, CancelBooking(booking_id="1"))
        assert cancelled.status == "cancelled"
        assert [request for request, _ in on.replies] == [later.request]


async def test_what_was_charged_after_all_is_shown_as_refunded(tmp_path: Path) -> None:
    """The charge was under way when the booking was cancelled: all of it goes back."""
    async with bookings(tmp_path) as on:
        booking_id = await begin(on, "paying")
        await on.ask(CancelBooking(booking_id=booking_id))
        await on.ask(PaymentRefunded(payment_id=booking_id, amount=PRICE.amount))
        booking = await on.ask(GetBooking(booking_id=booking_id))
        assert (booking.status, booking.refund) == ("cancelled", PRICE)


async def test_a_rejected_booking_cannot_be_cancelled(tmp_path: Path) -> None:
    """There is nothing to end."""
    async with bookings(tmp_path) as on:
        booking_id = await begin(on, "rejected")
        reply = await on.ask(CancelBooking(booking_id=booking_id))
        assert isinstance(reply, Refusal)
        assert (reply.kind, "rejected" in reply.detail) == ("conflict", True)
        assert state_of(on, booking_id) == "rejected"


async def test_cancelling_again_is_answered_the_same(tmp_path: Path) -> None:
    """While it is under way, it waits too; no second refund is asked for. Afterwards at once."""
    async with bookings(tmp_path) as on:
        booking_id = await begin(on, "confirmed")
        cancel = CancelBooking(booking_id=booking_id)
        first = await on.ask(cancel)
        move_to(on, DAY)  # by now the policy would give nothing
        second = await on.ask(cancel)
        assert (on.sent, on.timers) == ([], [])
        assert second.so_far == first.so_far
        await on.ask(HoldReleased(hold_id=booking_id))
        await on.ask(RefundAccepted(payment_id=booking_id, amount=PRICE.amount))
        cancelled = await on.ask(GetBooking(booking_id=booking_id))
        assert sorted(on.replies) == sorted(
            [(first.request, cancelled), (second.request, cancelled)]
        )
        assert await on.ask(cancel) == cancelled
        assert (on.sent, on.timers, on.replies) == ([], [], [])


async def test_a_cancellation_asks_again_for_what_is_missing(tmp_path: Path) -> None:
    """Until it has it; then its timer finds nothing to do."""
    async with bookings(tmp_path) as on:
        booking_id = await begin(on, "cancelling")
        pursue = PursueCancellation(booking_id=booking_id)
        for _ in range(3):
            await on.ask(pursue)
            assert on.sent == asked(booking_id, PRICE.amount)
            assert on.timers == [(30.0, pursue)]
        await on.ask(HoldReleased(hold_id=booking_id))
        await on.ask(pursue)
        assert on.sent == asked(booking_id, PRICE.amount)[1:]
        await on.ask(RefundAccepted(payment_id=booking_id, amount=PRICE.amount))
        await on.ask(pursue)
        assert (on.sent, on.timers) == ([], [])
