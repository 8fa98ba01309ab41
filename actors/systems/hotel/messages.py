"""What the hotel's services are asked, and what they answer.

The `Tutorial...` shapes are the published tutorial's own objects, with Go's spelling of the keys.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from actors.kernel.messages import Command, Query

Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]*\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Email = Annotated[str, Meta(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\Z")]
RoomType = Annotated[str, Meta(min_length=1, max_length=100)]
RoomNumber = Annotated[str, Meta(min_length=1, max_length=20)]
MinorUnits = Annotated[int, Meta(ge=0, le=1_000_000_000_000)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
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


class CreateCustomer(Command, frozen=True, kw_only=True):
    name: Name
    email: Email


class GetCustomer(Query, frozen=True, kw_only=True):
    customer_id: str


class ListCustomers(Query, frozen=True, kw_only=True):
    """Customers in order of creation, after the cursor `after`, at most `limit`."""

    limit: Limit
    after: After = 0


_TUTORIAL_CUSTOMER_KEYS = {"id": "ID", "name": "Name", "email": "Email"}


class TutorialCustomer(msgspec.Struct, frozen=True, kw_only=True, rename=_TUTORIAL_CUSTOMER_KEYS):
    id: str
    name: str
    email: str


class RegisterCustomer(Command, frozen=True, kw_only=True, rename=_TUTORIAL_CUSTOMER_KEYS):
    """The tutorial's POST /customer: an empty id gets one, a known one must be the same."""

    id: Annotated[str, Meta(max_length=64, pattern=r"^[\x21-\x7e]*\Z")] = ""
    name: Annotated[str, Meta(max_length=200)] = ""
    email: Annotated[str, Meta(max_length=254)] = ""


# --- Rooms -----------------------------------------------------------------------------------


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """`rate` is the price of one night."""

    id: str
    type: str
    rate: Money
    number: str | None
    status: str


class RoomPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Room]
    next: str | None


class CreateRoom(Command, frozen=True, kw_only=True):
    type: RoomType
    rate: Money
    number: RoomNumber | None = None


class GetRoom(Query, frozen=True, kw_only=True):
    room_id: str


class ListRooms(Query, frozen=True, kw_only=True):
    """Rooms in order of creation, of one `type` if given, after the cursor, at most `limit`."""

    limit: Limit
    after: After = 0
    type: RoomType | None = None


_TUTORIAL_ROOM_KEYS = {"id": "ID", "type": "Type", "status": "Status"}


class TutorialRoom(msgspec.Struct, frozen=True, kw_only=True, rename=_TUTORIAL_ROOM_KEYS):
    id: str
    type: str
    status: str


class RegisterRoom(Command, frozen=True, kw_only=True, rename=_TUTORIAL_ROOM_KEYS):
    """The tutorial's POST /room: an empty id gets one, a known id must name the same room.

    It names no rate; the room gets the configured default.
    """

    id: Annotated[str, Meta(max_length=64, pattern=r"^[\x21-\x7e]*\Z")] = ""
    type: Annotated[str, Meta(max_length=100)] = ""
    status: Annotated[str, Meta(max_length=100)] = ""
