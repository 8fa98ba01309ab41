"""What the booking service tells whoever cares, and its own timers."""

from __future__ import annotations

from actors.kernel.messages import Command, Event
from actors.systems.hotel.messages import Date, Money  # noqa: TC001 - msgspec reads them at run time


class BookingConfirmed(Event, frozen=True, kw_only=True):
    booking_id: str
    customer_id: str
    customer_name: str
    customer_email: str
    room_id: str
    check_in: Date
    check_out: Date
    price: Money


class BookingCancelled(Event, frozen=True, kw_only=True):
    """`refund` is None where the booking was not confirmed yet: nothing stays charged.

    So may its price be, of which nobody had heard by then.
    """

    booking_id: str
    customer_id: str
    customer_name: str
    customer_email: str
    room_id: str
    check_in: Date
    check_out: Date
    price: Money | None
    refund: Money | None


class AbandonBooking(Command, frozen=True, kw_only=True):
    """Reject the booking and undo what it has done, unless it has ended by now.

    `begun_us` is its own: a later one of the same id has more time.
    """

    booking_id: str
    begun_us: int


class PursueCancellation(Command, frozen=True, kw_only=True):
    """Ask again for what the cancellation still waits for, if anything."""

    booking_id: str
