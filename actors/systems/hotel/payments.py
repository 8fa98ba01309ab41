"""What the booking and the payment service tell each other. A payment has its booking's id."""

from __future__ import annotations

from actors.kernel.messages import Command, Event
from actors.systems.hotel.messages import Money  # noqa: TC001 - msgspec reads them at run time


class TakePayment(Command, frozen=True, kw_only=True):
    payment_id: str
    card_number: str
    price: Money


class PaymentTaken(Event, frozen=True, kw_only=True):
    payment_id: str


class PaymentDeclined(Event, frozen=True, kw_only=True):
    payment_id: str
    reason: str


class PaymentFailed(Event, frozen=True, kw_only=True):
    """Nobody knows whether the card was charged; payment makes it undone, whichever it was."""

    payment_id: str
    reason: str


class CancelPayment(Command, frozen=True, kw_only=True):
    """Take no money, or give all of it back; one that never was cannot begin any more."""

    payment_id: str


class RefundPayment(Command, frozen=True, kw_only=True):
    """Give `amount` minor units of the payment's currency back, once."""

    payment_id: str
    amount: int


class RefundAccepted(Event, frozen=True, kw_only=True):
    """The refund is on payment's books, and will be made."""

    payment_id: str
    amount: int


class PaymentRefunded(Event, frozen=True, kw_only=True):
    """`amount` minor units went back to the card."""

    payment_id: str
    amount: int
