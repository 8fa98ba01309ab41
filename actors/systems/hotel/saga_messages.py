"""What the hotel's services tell each other, and themselves by a timer.

A hold and a payment have their booking's id.
"""

from __future__ import annotations

from actors.kernel.messages import Command, Event
from actors.systems.hotel.messages import Date, Money  # noqa: TC001 - msgspec reads them at run time

# --- Customer: who a customer is -----------------------------------------------------------------


class CustomerIntroduced(Event):
    """A customer was created, or somebody asked again who it is."""

    customer_id: str
    name: str
    email: str


class IntroduceCustomer(Command):
    """Publish CustomerIntroduced again; refused if there is no such customer.

    `booking_id` is the one that asks: it comes back with a refusal, which must not reject the
    booking of somebody who asked later, when the customer was there.
    """

    customer_id: str
    booking_id: str


# --- Room ----------------------------------------------------------------------------------------


class HoldRoom(Command):
    """Hold the room for `hold_s` seconds; refused if a night is taken, or there is no such room."""

    hold_id: str
    room_id: str
    check_in: Date
    check_out: Date
    hold_s: float


class RoomHeld(Event):
    """The nights are taken. `price` is for the whole stay, and fixed."""

    hold_id: str
    room_id: str
    price: Money


class ConfirmHold(Command):
    """Keep the nights for good; refused if the hold is over."""

    hold_id: str


class HoldConfirmed(Event):
    hold_id: str


class ReleaseHold(Command):
    """End the hold, confirmed or not; one that never was cannot begin any more."""

    hold_id: str


class HoldReleased(Event):
    hold_id: str


class ExpireHold(Command):
    """The room service's own timer."""

    hold_id: str


class HoldExpired(Event):
    """Nobody confirmed the hold in time, and its nights are free."""

    hold_id: str


# --- Payment -------------------------------------------------------------------------------------


class TakePayment(Command):
    payment_id: str
    card_number: str
    price: Money


class PaymentTaken(Event):
    payment_id: str


class PaymentDeclined(Event):
    payment_id: str
    reason: str


class PaymentFailed(Event):
    """Nobody knows whether the card was charged; payment makes it undone, whichever it was."""

    payment_id: str
    reason: str


class CancelPayment(Command):
    """Take no money, or give all of it back; one that never was cannot begin any more."""

    payment_id: str


class RefundPayment(Command):
    """Give `amount` minor units of the payment's currency back, once."""

    payment_id: str
    amount: int


class RefundAccepted(Event):
    """The refund is on payment's books, and will be made."""

    payment_id: str
    amount: int


class PaymentRefunded(Event):
    """`amount` minor units went back to the card."""

    payment_id: str
    amount: int


# --- Booking: what it tells whoever cares, and its own timers ------------------------------------


class BookingEvent(Event):
    """What became of a booking, and all that a mail to the guest says."""

    booking_id: str
    customer_id: str
    customer_name: str
    customer_email: str
    room_id: str
    check_in: Date
    check_out: Date


class BookingConfirmed(BookingEvent):
    price: Money


class BookingCancelled(BookingEvent):
    """`refund` is None where the booking was not confirmed yet: nothing stays charged.

    So may its price be, of which nobody had heard by then.
    """

    price: Money | None
    refund: Money | None


class AbandonBooking(Command):
    """Reject the booking and undo what it has done, unless it has ended by now.

    `begun_us` is its own: a later one of the same id has more time.
    """

    booking_id: str
    begun_us: int


class PursueCancellation(Command):
    """Ask again for what the cancellation still waits for, if anything."""

    booking_id: str
