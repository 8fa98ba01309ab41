"""What the hotel's services are asked, and what they answer.

The `Tutorial...` shapes are the published tutorial's own objects, with Go's spelling of the keys.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from actors.kernel.messages import Command, Event, Query
from actors.systems.hotel.card_processor.sandbox_cards import APPROVED_CARD, SANDBOX_PATTERN

MINOR_UNITS_MAX: Final = 1_000_000_000_000

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]*\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Email = Annotated[str, Meta(max_length=254)]  # mail_address.py says which are addresses
RoomType = Annotated[str, Meta(min_length=1, max_length=100)]
RoomNumber = Annotated[str, Meta(min_length=1, max_length=20)]
MinorUnits = Annotated[int, Meta(ge=0, le=MINOR_UNITS_MAX)]
# currency.py says which there are
Currency = Annotated[str, Meta(max_length=3, pattern=r"^[A-Z]{3}\Z")]
# What the API gives a room. The tutorial's callers write what they like; see `RegisterRoom`.
RoomStatus = Literal["available", "cleaning", "maintenance", "out_of_service", "closed"]
# A calendar day in the hotel's own time zone. Stays are half-open: [check_in, check_out).
Date = dt.date
Instant = dt.datetime
# One of the sandbox's test numbers, so that nobody types a real one.
CardNumber = Annotated[str, Meta(max_length=16, pattern=SANDBOX_PATTERN)]
Limit = Annotated[int, Meta(ge=1)]
# A page's cursor is the last item's place in the order of creation; int64, as SQLite's rowid.
After = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Money(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount in minor units (cents) of an ISO 4217 currency. Never a float."""

    amount: MinorUnits
    currency: Currency


# --- Customers -------------------------------------------------------------------------------


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    email: str


class CustomerPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Customer]
    next: str | None


class CreateCustomer(Command):
    name: Name
    email: Email


class GetCustomer(Query):
    customer_id: str


class ListCustomers(Query):
    """Customers in order of creation, after the cursor `after`, at most `limit`."""

    limit: Limit
    after: After = 0


_TUTORIAL_CUSTOMER_KEYS = {"id": "ID", "name": "Name", "email": "Email"}


class TutorialCustomer(msgspec.Struct, frozen=True, kw_only=True, rename=_TUTORIAL_CUSTOMER_KEYS):
    id: str
    name: str
    email: str


class RegisterCustomer(Command, rename=_TUTORIAL_CUSTOMER_KEYS):
    """The tutorial's POST /customer: an empty id gets one, a known one must be the same.

    Without an address the guest gets no mails.
    """

    id: Annotated[str, Meta(max_length=64, pattern=r"^[\x21-\x7e]*\Z")] = ""
    name: Annotated[str, Meta(max_length=200)] = ""
    email: Email = ""


# --- Rooms -----------------------------------------------------------------------------------


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """`rate` is the price of one night; what is not `available` is not booked."""

    id: str
    type: str
    rate: Money
    number: str | None
    status: str


class RoomPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Room]
    next: str | None


class CreateRoom(Command):
    type: RoomType
    rate: Money
    number: RoomNumber | None = None


class ChangeRoom(Command):
    """Change what is given; null takes the number away.

    What is held or booked already stays so, at its price: a new rate or status is for new holds.
    """

    room_id: str
    status: RoomStatus | UnsetType = UNSET
    rate: Money | UnsetType = UNSET
    number: RoomNumber | UnsetType | None = UNSET


class RoomChanged(Event):
    before: Room
    after: Room


class GetRoom(Query):
    room_id: str


class ListRooms(Query):
    """Rooms in order of creation, of one `type` if given, after the cursor, at most `limit`.

    With both dates, those only that are available, and free for every night between them.
    """

    limit: Limit
    after: After = 0
    type: RoomType | None = None
    check_in: Date | None = None
    check_out: Date | None = None


_TUTORIAL_ROOM_KEYS = {"id": "ID", "type": "Type", "status": "Status"}


class TutorialRoom(msgspec.Struct, frozen=True, kw_only=True, rename=_TUTORIAL_ROOM_KEYS):
    id: str
    type: str
    status: str


class RegisterRoom(Command, rename=_TUTORIAL_ROOM_KEYS):
    """The tutorial's POST /room: an empty id gets one, a known id must name the same room.

    It names no rate; the room gets the configured default. Its status is any text: empty or
    `available`, in any case, means that the room can be booked.
    """

    id: Annotated[str, Meta(max_length=64, pattern=r"^[\x21-\x7e]*\Z")] = ""
    type: Annotated[str, Meta(max_length=100)] = ""
    status: Annotated[str, Meta(max_length=100)] = ""


# --- Bookings --------------------------------------------------------------------------------

BookingStatus = Literal["pending", "confirmed", "rejected", "cancelling", "cancelled"]


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """`price` is known once the room is held, and fixed from then on.

    `refund` is what goes back to the card, decided when the booking is cancelled and transferred
    however long that takes. `reason` is why it was rejected.
    """

    id: str
    customer_id: str
    room_id: str
    check_in: Date
    check_out: Date
    status: BookingStatus
    price: Money | None = None
    refund: Money | None = None
    reason: str | None = None


class BookingPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Booking]
    next: str | None


class CreateBooking(Command):
    customer_id: Id
    room_id: Id
    check_in: Date
    check_out: Date
    card_number: CardNumber = APPROVED_CARD


class GetBooking(Query):
    booking_id: str


class ListBookings(Query):
    """Bookings in order of creation, of one customer or one room or both if given."""

    limit: Limit
    after: After = 0
    customer_id: Id | None = None
    room_id: Id | None = None


class CancelBooking(Command):
    """End a booking, pending or confirmed; a pending one costs nothing."""

    booking_id: str


_TUTORIAL_BOOKING_KEYS = {
    "id": "ID",
    "customer_id": "CustomerID",
    "room_id": "RoomID",
    "check_in": "CheckIn",
    "check_out": "CheckOut",
}


class TutorialBooking(msgspec.Struct, frozen=True, kw_only=True, rename=_TUTORIAL_BOOKING_KEYS):
    id: str
    customer_id: str
    room_id: str
    check_in: Date
    check_out: Date


class RegisterBooking(Command, rename=_TUTORIAL_BOOKING_KEYS):
    """The tutorial's POST /booking: an empty id gets one, a known id must be the same booking.

    It names no card; the sandbox's approved one pays. The stay may lie in the past.
    """

    id: Annotated[str, Meta(max_length=64, pattern=r"^[\x21-\x7e]*\Z")] = ""
    customer_id: Id
    room_id: Id
    check_in: Date
    check_out: Date


# --- Mails -----------------------------------------------------------------------------------

MailKind = Literal["booking_confirmed", "booking_cancelled"]


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    booking_id: str
    to: str
    subject: str
    body: str
    kind: MailKind
    created_at: Instant


class MailPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Mail]
    next: str | None


class ListMails(Query):
    """Mails in order of writing, to one customer if given, after the cursor, at most `limit`."""

    limit: Limit
    after: After = 0
    customer_id: Id | None = None
