"""Whether everything happened after what it follows from, and in its time; and what was seen so."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from actors.simulation.check.assertions import sometimes
from actors.systems.hotel.scenario import rules
from actors.systems.hotel.scenario.journal import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from actors.systems.hotel.scenario.books import Books

# What happened to a booking, each after the one before.
COURSES: Final = (
    ("RoomHeld", "PaymentTaken", "HoldConfirmed", "BookingConfirmed", "BookingCancelled"),
    ("HoldReleased", "BookingCancelled"),
)
# In a calm hotel: what a message, its commit and a timer take, and more.
LATE_US: Final = 100_000
# Once the processor answers again, a refund that was put off is tried within a turn; the breaker
# may cost another.
REFUND_TURNS_MAX: Final = 3


def judge_events(books: Books) -> Iterator[str]:
    """Judge what the services have told each other, by when they did."""
    firsts = books.firsts()
    _saw(books, firsts)
    for booking, first in firsts.items():
        yield from _of_hold(books, booking, first)
        if not books.stepped_us:  # else the files' times are no order
            if booking in books.stood:
                yield from _of_course(books, booking, first)
            if books.calm:
                yield from _in_time(books, booking, first)


def _of_hold(books: Books, booking: str, first: Mapping[str, int]) -> Iterator[str]:
    """No hold ends of itself before its time, by the clock it goes by."""
    if "HoldExpired" in first:
        lasted_us = first["HoldExpired"] - first["RoomHeld"]
        if lasted_us < books.hotel.hold_s * 1_000_000:
            yield f"the hold of {booking} was over after {lasted_us} us"


def _of_course(books: Books, booking: str, first: Mapping[str, int]) -> Iterator[str]:
    """Of a booking that stood: nothing is told before what it depends on."""
    row = books.bookings.get(booking, {})
    refund = (row.get("refund") or {"amount": 0})["amount"]
    courses = [*COURSES, ("RefundAccepted", "BookingCancelled")] if refund else COURSES
    for course in courses:
        there = [each for each in course if each in first]
        last = there[-1] if there else ""
        if last not in {"BookingConfirmed", "BookingCancelled"}:
            continue
        missing = [each for each in course[: course.index(last)] if each not in first]
        if missing:
            yield f"{last} is told of {booking}, and {missing} never"
        for earlier, later in pairwise(there):
            if first[earlier] > first[later]:
                yield (
                    f"{later} is told of {booking} {first[earlier] - first[later]} us before "
                    f"{earlier}"
                )


def _in_time(books: Books, booking: str, first: Mapping[str, int]) -> Iterator[str]:
    """What has its time ends with it, as long as nobody has stopped who sees to that."""
    hotel = books.hotel
    begun_us = books.begun_us.get(booking)
    for begun, ended, lasts_s, services in (
        ("RoomHeld", "HoldConfirmed", hotel.hold_s, {"room"}),
        ("BookingBegun", "BookingConfirmed", hotel.booking_s_max, {"booking"}),
    ):
        from_us = begun_us if begun == "BookingBegun" else first.get(begun)
        if from_us is None or ended not in first:
            continue
        took_us = first[ended] - from_us
        if took_us > lasts_s * 1_000_000 + LATE_US and not books.was_stopped(
            services, books.monotonic_us(from_us), books.monotonic_us(first[ended])
        ):
            yield f"{ended} is told of {booking} after {took_us} us, and {lasts_s} s are allowed"
    if "PaymentRefunded" in first and "RefundAccepted" in first:
        refunded_us = books.monotonic_us(first["PaymentRefunded"])
        since_us = books.last_trouble_us(refunded_us, books.monotonic_us(first["RefundAccepted"]))
        if refunded_us - since_us > REFUND_TURNS_MAX * hotel.settle_retry_s * 1_000_000:
            yield f"the refund of {booking} was put off for {refunded_us - since_us} us"
    if "HoldExpired" not in first:
        return
    expired_us = books.monotonic_us(first["HoldExpired"])
    wishes = books.wishes_for(booking)
    for wish in wishes if len(wishes) == 1 else ():  # else it may be another's
        answered_us = wish.exchange.ended_us
        if answered_us + LATE_US < expired_us and not books.was_stopped(
            {"booking", "room"}, answered_us - LATE_US, expired_us
        ):
            yield f"{booking}: its nights were held {expired_us - answered_us} us after its answer"


# --- What should sometimes be so -----------------------------------------------------------------


def _saw(books: Books, firsts: Mapping[str, Mapping[str, int]]) -> None:
    charged = {row["key"] for row in books.files["charge"]}
    rows = books.bookings.values()
    sometimes(
        "a hold ran out while its payment was under way",
        any("HoldExpired" in first and id_ in charged for id_, first in firsts.items()),
    )
    sometimes(
        "a refund was put off",
        any(
            first["PaymentRefunded"] - first["RefundAccepted"] >= books.hotel.settle_retry_s * 1e6
            for first in firsts.values()
            if "PaymentRefunded" in first and "RefundAccepted" in first
        ),
    )
    closed = [
        (message["after"]["id"], at_us)
        for kind, at_us, message in books.events("held")
        if kind == "RoomChanged" and not rules.is_bookable(message["after"]["status"])
    ]
    sometimes(
        "a room was closed while it was held for who has it",
        any(
            books.bookings[id_]["room_id"] == room
            and first["RoomHeld"] <= at_us <= first["HoldConfirmed"]
            for id_, first in firsts.items()
            if id_ in books.bookings and first.keys() >= {"RoomHeld", "HoldConfirmed"}
            for room, at_us in closed
        ),
    )
    sometimes("a charge was undone", any(row["refunded"] for row in books.files["void"]))
    sometimes(
        "a pending booking was cancelled",
        any(row["status"] == "cancelled" and row["id"] not in books.stood for row in rows),
    )
    details = [str(row["reason"]) for row in rows if row["reason"]]
    for text, words in (
        ("a room was wanted that was taken", "is taken for one of these nights"),
        ("a room was wanted that was closed", "cannot be booked"),
        ("a stay was too dear to be paid", "a payment takes"),
        ("a booking was given up when its time was over", "could not be completed in time"),
    ):
        sometimes(text, any(words in each for each in details))
    full = books.hotel.refund_full_days
    left = {
        rules.date(books.bookings[id_]["check_in"]).toordinal() - day.toordinal()
        for id_, asked in books.cancels.items()
        if id_ in books.stood and id_ in books.bookings
        for each in asked
        if each.status and each.ended != NEVER
        for day in books.days(each)
    }
    for text, days in (
        ("on the last day of a full refund", full),
        ("on the first day of a part of it", full - 1),
        ("on the last day of a part of it", 1),
        ("on the day of arrival", 0),
    ):
        sometimes(f"a stay was cancelled {text}", days in left)
    sometimes(
        "a stay was as long as may be",
        any(
            len(rules.nights_slept(row["check_in"], row["check_out"])) == books.hotel.nights_max
            for row in rows
            if row["status"] == "confirmed"
        ),
    )
    sometimes(
        "two guests of one name had mails",
        len({row["recipient"] for row in books.files["mail"]}) > 1,
    )
