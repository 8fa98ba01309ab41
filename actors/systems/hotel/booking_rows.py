"""The booking service's statements, and a row as the API shows it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from actors.kernel.messages import Refusal
from actors.systems.hotel.messages import Booking, BookingStatus, Money

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from actors.store.transaction import ReadTransaction

CHECKING, HOLDING = frozenset({"checking"}), frozenset({"holding"})
PAYING, CONFIRMING = frozenset({"paying"}), frozenset({"confirming"})
# What a booking in such a state has begun elsewhere.
HAS_HOLD = HOLDING | PAYING | CONFIRMING
HAS_PAYMENT = PAYING | CONFIRMING
PENDING = CHECKING | HAS_HOLD

INSERT = (
    "INSERT INTO booking"
    " (id, customer_id, room_id, check_in, check_out, card_number, begun_us, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, 'checking')"
)
BY_ID = "SELECT * FROM booking WHERE id = ?"
IN_STATE = "SELECT * FROM booking WHERE id = ? AND state = ?"
# Each asks for its customer to be introduced: what this leaves over, a later introduction finds.
WAITS_FOR_CUSTOMER = (
    "SELECT * FROM booking WHERE customer_id = ? AND state = 'checking' ORDER BY seq LIMIT 100"
)
PAGE = "SELECT * FROM booking WHERE seq > ? ORDER BY seq LIMIT ?"
PAGE_OF_CUSTOMER = "SELECT * FROM booking WHERE customer_id = ? AND seq > ? ORDER BY seq LIMIT ?"
PAGE_OF_ROOM = "SELECT * FROM booking WHERE room_id = ? AND seq > ? ORDER BY seq LIMIT ?"
PAGE_OF_BOTH = (
    "SELECT * FROM booking WHERE customer_id = ? AND room_id = ? AND seq > ? ORDER BY seq LIMIT ?"
)

SET_STATE = "UPDATE booking SET state = ? WHERE id = ?"
SET_PAYING = (
    "UPDATE booking SET state = 'paying', card_number = NULL, price_amount = ?, price_currency = ?"
    " WHERE id = ?"
)
SET_REJECTED = (
    "UPDATE booking SET state = 'rejected', card_number = NULL, refusal_kind = ?, reason = ?,"
    " untouched = ? WHERE id = ?"
)
FORGET_UNTOUCHED = "DELETE FROM booking WHERE id = ? AND untouched = 1"
SET_CANCELLING = (
    "UPDATE booking SET state = 'cancelling', refund_amount = ?, refund_accepted = ? WHERE id = ?"
)
SET_WITHDRAWN = "UPDATE booking SET state = 'cancelled', card_number = NULL WHERE id = ?"
SET_NIGHTS_RELEASED = "UPDATE booking SET nights_released = 1 WHERE id = ? AND state = 'cancelling'"
SET_REFUND_ACCEPTED = "UPDATE booking SET refund_accepted = 1 WHERE id = ? AND state = 'cancelling'"
SET_REFUND = "UPDATE booking SET refund_amount = ? WHERE id = ?"

KNOW_CUSTOMER = (
    "INSERT INTO known_customer (id, name, email) VALUES (?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email"
)
KNOWN_CUSTOMER = "SELECT * FROM known_customer WHERE id = ?"

STATUS: Final[Mapping[str, BookingStatus]] = {
    "checking": "pending",
    "holding": "pending",
    "paying": "pending",
    "confirming": "pending",
    "confirmed": "confirmed",
    "rejected": "rejected",
    "cancelling": "cancelling",
    "cancelled": "cancelled",
}


def as_booking(row: sqlite3.Row) -> Booking:
    """Return the booking as the API shows it."""
    currency, refund = row["price_currency"], row["refund_amount"]
    return Booking(
        id=row["id"],
        customer_id=row["customer_id"],
        room_id=row["room_id"],
        check_in=dt.date.fromisoformat(row["check_in"]),
        check_out=dt.date.fromisoformat(row["check_out"]),
        status=STATUS[row["state"]],
        price=None if currency is None else price_of(row),
        refund=None if refund is None else Money(amount=refund, currency=currency),
        reason=row["reason"],
    )


def price_of(row: sqlite3.Row) -> Money:
    """Return the price, of a booking whose room was held."""
    return Money(amount=row["price_amount"], currency=row["price_currency"])


def refusal_of(row: sqlite3.Row) -> Refusal:
    """Return what the client of a rejected booking is told, however often it asks."""
    return Refusal(kind=row["refusal_kind"], detail=row["reason"])


def read_booking(tx: ReadTransaction, booking_id: str) -> Booking:
    """Return a booking that there is."""
    row = tx.one(BY_ID, booking_id)
    assert row is not None
    return as_booking(row)


def told_of(tx: ReadTransaction, booking: Booking) -> dict[str, Any]:
    """Return the fields of a BookingEvent: whose booking it is, and of what."""
    row = tx.one(KNOWN_CUSTOMER, booking.customer_id)
    assert row is not None, "no booking leaves the state checking before its customer is known"
    return {
        "booking_id": booking.id,
        "customer_id": booking.customer_id,
        "customer_name": row["name"],
        "customer_email": row["email"],
        "room_id": booking.room_id,
        "check_in": booking.check_in,
        "check_out": booking.check_out,
    }
