"""What must hold in a hotel at rest, read from the services' files, whoever wrote them and crashed.

Each rule yields a sentence for every violation. They compare books that were kept apart: bookings
with the room's nights, payments with the card processor's own ledger, mails with what was
published. "At rest" is: every service up, nothing on its way (`nothing_is_under_way` says so, too).
Nights, prices and refunds are reckoned by the scenario's rules, which the services do not know.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from actors.service.common_invariants import file_is_sound, nothing_is_under_way, read_tables
from actors.systems.hotel.config import HotelConfig
from actors.systems.hotel.scenario import rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from actors.config import Config
    from actors.service.common_invariants import Row

SERVICES = ("customer", "room", "booking", "payment", "card_processor", "notification")
ENDED = {"confirmed", "rejected", "cancelled"}


class HotelFiles:
    """All rows of all tables, as they stand: `books.booking["hold"]` is a list of rows."""

    def __init__(self, folder: Path) -> None:
        self.of = {name: read_tables(folder / f"{name}.db") for name in SERVICES}
        self.bookings: dict[str, Row] = {row["id"]: row for row in self.of["booking"]["booking"]}
        self.payments: dict[str, Row] = {row["id"]: row for row in self.of["payment"]["payment"]}
        # What the card processor's ledger leaves of each charge, in minor units.
        ledger = self.of["card_processor"]
        self.kept = Counter({row["key"]: row["taken"] for row in ledger["charge"]})
        self.kept.subtract({row["key"]: row["refunded"] for row in ledger["void"]})
        for row in ledger["refund"]:
            self.kept[row["charge_key"]] -= row["amount"]

    def in_state(self, state: str) -> list[Row]:
        return [row for row in self.bookings.values() if row["state"] == state]

    def published(self, message_type: str, *, by: str = "booking") -> list[tuple[int, Any]]:
        """Return a service's events of this type in their order, and when each was."""
        return [
            (row["at_us"], msgspec.json.decode(row["message"]))
            for row in sorted(self.of[by]["event"], key=lambda row: row["seq"])
            if row["message_type"] == message_type
        ]

    def withdrawn(self) -> list[Row]:
        """Return the bookings that were cancelled while they were pending."""
        confirmed = {event["booking_id"] for _, event in self.published("BookingConfirmed")}
        return [row for row in self.in_state("cancelled") if row["id"] not in confirmed]

    def kept_bookings(self) -> list[Row]:
        """Return those that are confirmed, or were until they were cancelled."""
        withdrawn = {row["id"] for row in self.withdrawn()}
        ended = self.in_state("confirmed") + self.in_state("cancelled")
        return [row for row in ended if row["id"] not in withdrawn]


def violations(
    folder: Path, *, config: HotelConfig, now_us: int, planted: frozenset[str] = frozenset()
) -> list[str]:
    """Return a sentence for everything that is wrong with the files of a hotel at rest.

    `planted` are the message types of dead letters that a test meant to be there.
    """
    books = HotelFiles(folder)
    return [
        *[each for name in SERVICES for each in file_is_sound(folder / f"{name}.db")],
        *every_booking_has_ended(books),
        *every_night_is_sold_once(books),
        *no_hold_outlives_its_time(books, now_us),
        *every_hold_is_of_an_available_room_at_its_rate(books),
        *every_booking_is_paid_or_costs_nothing(books),
        *every_cancellation_is_refunded(books, config),
        *the_ledger_adds_up(books),
        *every_mail_is_written_once(books),
        *every_request_is_answered(books),
        *nothing_is_under_way(books.of, now_us=now_us, planted=planted),
    ]


def audit(folder: Path, config: Config, now_us: int) -> list[str]:
    """Return what is wrong with the hotel's files, as `System.audit` wants it."""
    return violations(folder, config=config.section(HotelConfig), now_us=now_us)


# --- Bookings and nights -----------------------------------------------------------------------


def every_booking_has_ended(books: HotelFiles) -> Iterator[str]:
    """Confirmed, rejected or cancelled; and nobody's card number is kept beyond that."""
    for row in books.bookings.values():
        if row["state"] not in ENDED:
            yield f"booking {row['id']} is {row['state']}"
        elif row["card_number"] is not None:
            yield f"booking {row['id']} is {row['state']} and keeps a card number"


def every_night_is_sold_once(books: HotelFiles) -> Iterator[str]:
    """The room's nights are those of the confirmed bookings, each night of a room once."""
    wanted = [
        (row["room_id"], night, row["id"])
        for row in books.in_state("confirmed")
        for night in rules.nights_slept(row["check_in"], row["check_out"])
    ]
    for (room, night), count in Counter(each[:2] for each in wanted).items():
        if count > 1:
            yield f"room {room} is sold {count} times for {night}"
    taken = [tuple(row.values()) for row in books.of["room"]["night"]]
    for room, night, booking in set(wanted) - set(taken):
        yield f"booking {booking} is confirmed, and {night} in room {room} is not taken for it"
    for room, night, booking in set(taken) - set(wanted):
        yield f"{night} in room {room} is taken for {booking}, which is not confirmed for it"
    blocks = {row["id"]: (row["seq"] - 1) // 64 for row in books.of["room"]["room"]}
    counted = {(row["block"], row["night"]): row["taken"] for row in books.of["room"]["crowd"]}
    crowd = Counter((blocks[room], night) for room, night, _ in taken)
    if counted != crowd:
        yield f"the crowd is counted as {counted}, and is {crowd}"
    holds = {row["id"] for row in books.of["room"]["hold"] if row["state"] == "confirmed"}
    for booking in holds ^ {row["id"] for row in books.in_state("confirmed")}:
        yield f"booking {booking}: its hold and it do not agree that it is confirmed"


def no_hold_outlives_its_time(books: HotelFiles, now_us: int) -> Iterator[str]:
    """What was not confirmed is free again at the latest when its time is over."""
    room = books.of["room"]
    for row in room["hold"]:
        if row["state"] == "held" and row["expires_us"] <= now_us:
            yield f"hold {row['id']} has outlived its time by {now_us - row['expires_us']} us"
    for key in {row["id"] for row in room["hold"]} & {row["id"] for row in room["ended_hold"]}:
        yield f"hold {key} is over and goes on"


def every_hold_is_of_an_available_room_at_its_rate(books: HotelFiles) -> Iterator[str]:
    """As the room was when its nights were held: its changes stand among the holds, in order."""
    events = sorted(books.of["room"]["event"], key=lambda row: row["seq"])
    told = [(row["message_type"], msgspec.json.decode(row["message"])) for row in events]
    rooms = {
        row["id"]: (row["rate_amount"], row["rate_currency"], row["status"])
        for row in books.of["room"]["room"]
    }
    held: dict[str, tuple[tuple[int, str, str], Any]] = {}
    for message_type, event in reversed(told):  # a hold is told of again, but first when it is made
        if message_type == "RoomChanged":
            before = event["before"]
            rate = before["rate"]
            rooms[before["id"]] = (rate["amount"], rate["currency"], before["status"])
        elif message_type == "RoomHeld":
            held[event["hold_id"]] = (rooms[event["room_id"]], event["price"])
    for key, ((amount, currency, status), price) in held.items():
        row = books.bookings.get(key)
        if row is None:
            yield f"hold {key} is for no booking"
            continue
        if not rules.is_bookable(status):
            yield f"hold {key} is of a room that is {status}"
        rate = {"amount": amount, "currency": currency}
        if price != rules.price(rate, row["check_in"], row["check_out"]):
            yield f"hold {key} costs {price}, and a night {amount}"
        if row["price_amount"] not in {None, price["amount"]}:
            yield f"booking {key} costs {row['price_amount']}, and its nights {price}"


# --- Money -------------------------------------------------------------------------------------


def every_booking_is_paid_or_costs_nothing(books: HotelFiles) -> Iterator[str]:
    """Of a confirmed booking all of its price is kept, of what never was one nothing."""
    for row in books.kept_bookings():
        price = (row["price_amount"], row["price_currency"])
        payment = books.payments.get(row["id"], {})
        if (payment.get("amount"), payment.get("currency")) != price:
            yield f"booking {row['id']} costs {price}, and its payment is {payment}"
    for row in books.in_state("confirmed"):
        state = books.payments.get(row["id"], {}).get("state")
        kept = books.kept[row["id"]]
        if (state, kept) != ("charged", row["price_amount"]):
            yield f"booking {row['id']} is confirmed, its payment {state}, and {kept} are kept"
    for row in books.in_state("rejected") + books.withdrawn():
        state = books.payments.get(row["id"], {}).get("state")
        kept = books.kept[row["id"]]
        if state not in {None, "declined", "voided"} or kept:
            yield f"booking {row['id']} is {row['state']}, its payment {state}, and {kept} are kept"


def every_cancellation_is_refunded(books: HotelFiles, config: HotelConfig) -> Iterator[str]:
    """As the policy says for a day between the confirmation and the cancellation."""
    confirmed = {event["booking_id"]: at for at, event in books.published("BookingConfirmed")}
    cancelled = {event["booking_id"]: at for at, event in books.published("BookingCancelled")}
    for row in books.kept_bookings():
        key, price, refund = row["id"], row["price_amount"], row["refund_amount"]
        if row["state"] == "confirmed":
            continue
        if key not in cancelled:
            yield f"booking {key} is cancelled, and was not published as cancelled"
            continue
        # A clock that was set back may have had the cancellation on the day before.
        first_us, last_us = sorted((confirmed[key], cancelled[key]))
        allowed = rules.refunds(
            price,
            row["check_in"],
            rules.local_days(first_us, last_us, config.time_zone),
            full_days=config.refund_full_days,
            late_percent=config.refund_late_percent,
        )
        if refund not in allowed:
            yield f"booking {key}: {refund} of {price} are refunded, and the policy says {allowed}"
        payment = books.payments.get(key, {})
        state = "refunded" if refund else "charged"
        if payment.get("state") != state or (payment.get("refund_amount") or 0) != refund:
            yield f"booking {key} is refunded {refund}, and its payment is {payment}"
        if books.kept[key] != price - refund:
            yield f"booking {key}: {books.kept[key]} are kept of {price}, {refund} refunded"


def the_ledger_adds_up(books: HotelFiles) -> Iterator[str]:
    """Money in is money kept and money refunded, and every charge has its booking and its price."""
    ledger = books.of["card_processor"]
    taken = sum(row["taken"] for row in ledger["charge"])
    refunded = sum(row["amount"] for row in ledger["refund"])
    refunded += sum(row["refunded"] for row in ledger["void"])
    earned = sum(
        (row["price_amount"] or 0) - (row["refund_amount"] or 0) for row in books.kept_bookings()
    )
    if taken - refunded != earned:
        yield f"{taken} were taken and {refunded} refunded, and the bookings make {earned}"
    for row in ledger["charge"]:
        booking = books.bookings.get(row["key"])
        if booking is None:
            yield f"charge {row['key']} is for no booking"
        elif (row["amount"], row["currency"]) != (
            booking["price_amount"],
            booking["price_currency"],
        ):
            yield f"charge {row['key']} is {row['amount']}, the price {booking['price_amount']}"
    for row in books.payments.values():
        if row["state"] in {"charging", "voiding", "refunding"}:
            yield f"payment {row['id']} is {row['state']}"


# --- Mails and requests ------------------------------------------------------------------------


def every_mail_is_written_once(books: HotelFiles) -> Iterator[str]:
    """Each thing that became of a booking is published once, and its guest has one mail of it."""
    mails = books.of["notification"]["mail"]
    cancelled = books.in_state("cancelled")
    # One that was cancelled before its customer was known has nobody who could be told.
    known = [row for row in cancelled if row["price_amount"] is not None]
    for message_type, kind, least, most in (
        (
            "BookingConfirmed",
            "booking_confirmed",
            books.in_state("confirmed"),
            books.in_state("confirmed") + cancelled,
        ),
        ("BookingCancelled", "booking_cancelled", known, cancelled),
    ):
        events = [event for _, event in books.published(message_type)]
        published = Counter(event["booking_id"] for event in events)
        low, high = (Counter(row["id"] for row in rows) for rows in (least, most))
        if not low <= published <= high:
            yield f"{message_type} was published for {published}, and should be for {low} to {high}"
        # A guest of the tutorial's may have no address.
        expected = Counter(
            (event["booking_id"], event["customer_email"])
            for event in events
            if "@" in event["customer_email"]
        )
        written = Counter(
            (row["booking_id"], row["recipient"]) for row in mails if row["kind"] == kind
        )
        if written != expected:
            yield f"mails of {kind} are {written}, and should be {expected}"


def every_request_is_answered(books: HotelFiles) -> Iterator[str]:
    """No request waits for what becomes of its booking."""
    for row in books.of["booking"]["waiting"]:
        yield f"request {row['request']} waits for booking {row['booking_id']}"
