"""What clients ask of bookings: the tutorial's registrations, lists, and what is not there."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.kernel.messages import Later, Refusal
from actors.systems.hotel.messages import (
    Booking,
    CancelBooking,
    CreateBooking,
    GetBooking,
    ListBookings,
)
from tests.systems.hotel.booking_stage import ADA, CREATE, DAY, REGISTER, bookings, messages_to

if TYPE_CHECKING:
    from pathlib import Path

# --- The tutorial ----------------------------------------------------------------------------


async def test_a_registered_booking_keeps_its_id(tmp_path: Path) -> None:
    """An empty one gets a new one."""
    async with bookings(tmp_path) as on:
        assert (await on.ask(REGISTER)).so_far.id == "1"
        new = await on.ask(msgspec.structs.replace(REGISTER, id=""))
        assert new.so_far.id not in {"", "1"}


async def test_registering_again_waits_for_the_same_end(tmp_path: Path) -> None:
    """All that asked are answered together, and whoever asks afterwards gets the same."""
    async with bookings(tmp_path) as on:
        await on.ask(ADA)
        laters = await on.send(REGISTER, REGISTER, REGISTER)
        assert len({later.request for later in laters}) == 3
        told = messages_to("1")
        for name in ("RoomHeld", "PaymentTaken", "HoldConfirmed"):
            await on.ask(told[name])
        confirmed = await on.ask(GetBooking(booking_id="1"))
        assert sorted(on.replies) == sorted((later.request, confirmed) for later in laters)
        assert await on.ask(REGISTER) == confirmed


@pytest.mark.parametrize("why", ["Refused IntroduceCustomer", "Refused HoldRoom"])
async def test_a_registration_refused_before_anything_was_begun_can_be_tried_again(
    tmp_path: Path, why: str
) -> None:
    """The tutorial's client chooses the id: to have asked too early must not use it up."""
    async with bookings(tmp_path) as on:
        if why == "Refused HoldRoom":
            await on.ask(ADA)
        await on.ask(REGISTER)
        await on.ask(messages_to("1")[why])
        ((_, refusal),) = on.replies
        assert isinstance(refusal, Refusal)
        if why == "Refused IntroduceCustomer":
            await on.ask(ADA)
        assert isinstance(await on.ask(REGISTER), Later)
        told = messages_to("1")
        for name in ("RoomHeld", "PaymentTaken", "HoldConfirmed"):
            await on.ask(told[name])
        booking = await on.ask(GetBooking(booking_id="1"))
        assert booking.status == "confirmed"


async def test_a_registration_may_begin_anew_in_the_commit_that_refuses_the_one_before(
    tmp_path: Path,
) -> None:
    """Two clients with one id: the first gets its refusal, and the second waits for its own."""
    async with bookings(tmp_path) as on:
        await on.ask(ADA)
        first = await on.ask(REGISTER)
        told = messages_to("1")
        _, second = await on.send(told["Refused HoldRoom"], REGISTER)
        ((request, refusal),) = on.replies
        assert (request, type(refusal)) == (first.request, Refusal)
        assert second.request != first.request
        for name in ("RoomHeld", "PaymentTaken", "HoldConfirmed"):
            await on.ask(told[name])
        assert (second.request, await on.ask(GetBooking(booking_id="1"))) in on.replies


async def test_a_second_try_is_not_ended_by_the_timer_of_the_first(tmp_path: Path) -> None:
    """It has as much time as any other booking."""
    async with bookings(tmp_path) as on:
        await on.ask(REGISTER)
        await on.ask(messages_to("1")["Refused IntroduceCustomer"])
        on.clock.advance(1.0)
        assert isinstance(await on.ask(REGISTER), Later)
        await on.ask(messages_to("1")["AbandonBooking"])  # of the first
        assert (await on.ask(GetBooking(booking_id="1"))).status == "pending"


async def test_a_registration_that_was_held_and_rejected_stays_rejected(tmp_path: Path) -> None:
    """With the words of the first time: its hold and its payment have its id."""
    async with bookings(tmp_path) as on:
        await on.ask(ADA)
        await on.ask(REGISTER)
        told = messages_to("1")
        await on.ask(told["RoomHeld"])
        await on.ask(told["PaymentDeclined"])
        ((_, refusal),) = on.replies
        assert await on.ask(REGISTER) == refusal


@pytest.mark.parametrize(
    "change",
    [
        {"customer_id": "bob"},
        {"room_id": "other"},
        {"check_in": DAY + dt.timedelta(days=1)},
        {"check_out": DAY + dt.timedelta(days=1)},
    ],
)
async def test_another_booking_under_a_known_id_is_a_conflict(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """Whatever it differs in."""
    async with bookings(tmp_path) as on:
        await on.ask(REGISTER)
        reply = await on.ask(msgspec.structs.replace(REGISTER, **change))
        assert reply == Refusal.conflict("booking 1 exists, and is another")


@pytest.mark.parametrize("state", ["cancelling", "cancelled", "withdrawn"])
async def test_a_cancelled_booking_is_not_registered_again(tmp_path: Path, state: str) -> None:
    """A 201 would say that it stands: the id is used up, and another one books anew."""
    async with bookings(tmp_path) as on:
        await on.ask(ADA)
        await on.ask(REGISTER)
        told = messages_to("1")
        if state != "withdrawn":
            for name in ("RoomHeld", "PaymentTaken", "HoldConfirmed"):
                await on.ask(told[name])
        await on.ask(CancelBooking(booking_id="1"))
        if state == "cancelled":
            await on.ask(told["HoldReleased"])
            await on.ask(told["RefundAccepted"])
        reply = await on.ask(REGISTER)
        assert isinstance(reply, Refusal)
        assert (reply.kind, "was cancelled" in reply.detail) == ("conflict", True)
        assert isinstance(await on.ask(msgspec.structs.replace(REGISTER, id="2")), Later)


# --- Days ------------------------------------------------------------------------------------


def from_day(day: dt.date) -> CreateBooking:
    return msgspec.structs.replace(CREATE, check_in=day, check_out=day + dt.timedelta(days=1))


@pytest.mark.parametrize(
    ("zone", "today"), [("UTC", 14), ("Pacific/Kiritimati", 15), ("Etc/GMT+12", 14)]
)
async def test_nobody_arrives_on_a_day_that_is_over(tmp_path: Path, zone: str, today: int) -> None:
    """The hotel's own day counts: on the stage it is 2023-11-14, 22:13 UTC."""
    async with bookings(tmp_path, time_zone=zone) as on:
        first = dt.date(2023, 11, today)
        for day in (first - dt.timedelta(days=1), dt.date(1999, 1, 1), dt.date.min):
            refusal = await on.ask(from_day(day))
            assert isinstance(refusal, Refusal)
            assert (refusal.kind, refusal.field) == ("invalid", "check_in")
        assert on.rows("SELECT * FROM booking") == []
        assert isinstance(await on.ask(from_day(first)), Later)


async def test_the_tutorials_bookings_may_lie_in_the_past(tmp_path: Path) -> None:
    """As the tutorial takes them; cancelled, such a stay gives nothing back."""
    async with bookings(tmp_path) as on:
        await on.ask(ADA)
        past = {"check_in": dt.date.min, "check_out": dt.date.min + dt.timedelta(days=2)}
        await on.ask(msgspec.structs.replace(REGISTER, **past))
        told = messages_to("1")
        for name in ("RoomHeld", "PaymentTaken", "HoldConfirmed"):
            await on.ask(told[name])
        await on.ask(CancelBooking(booking_id="1"))
        await on.ask(told["HoldReleased"])
        booking = await on.ask(GetBooking(booking_id="1"))
        assert (booking.status, booking.refund.amount) == ("cancelled", 0)


# --- Lists -----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
async def test_lists_filter_and_keep_the_order_of_creation(tmp_path: Path, limit: int) -> None:
    """By customer, by room, by both, by none."""
    async with bookings(tmp_path) as on:
        pairs = [("a", "r"), ("b", "r"), ("a", "s"), ("a", "r"), ("b", "s")]
        made: list[Booking] = []
        for customer_id, room_id in pairs:
            create = msgspec.structs.replace(CREATE, customer_id=customer_id, room_id=room_id)
            made.append((await on.ask(create)).so_far)
        for customer_id_, room_id_ in [
            (None, None),
            ("a", None),
            (None, "s"),
            ("a", "r"),
            ("c", "r"),
        ]:
            pages = await on.pages(
                ListBookings(limit=limit, customer_id=customer_id_, room_id=room_id_)
            )
            assert [each for page in pages for each in page] == [
                each
                for each in made
                if customer_id_ in {None, each.customer_id} and room_id_ in {None, each.room_id}
            ]
            assert {len(page) for page in pages[:-1]} <= {limit}


async def test_an_unknown_booking_is_not_found(tmp_path: Path) -> None:
    """To read, and to cancel."""
    async with bookings(tmp_path) as on:
        for message in (GetBooking(booking_id="x"), CancelBooking(booking_id="x")):
            assert await on.ask(message) == Refusal.not_found("there is no booking x")
