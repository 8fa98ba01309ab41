"""The payment service's effects on the card processor, and what comes of them."""

from __future__ import annotations

from actors.kernel.messages import Command


class ChargeCard(Command, frozen=True, kw_only=True):
    payment_id: str
    card_number: str
    amount: int
    currency: str


class CardCharged(Command, frozen=True, kw_only=True):
    payment_id: str
    charge_id: str


class CardDeclined(Command, frozen=True, kw_only=True):
    payment_id: str
    reason: str


class VoidCharge(Command, frozen=True, kw_only=True):
    payment_id: str


class ChargeVoided(Command, frozen=True, kw_only=True):
    """No charge stands, or ever will; `refunded` is what had been taken."""

    payment_id: str
    refunded: int


class RefundCard(Command, frozen=True, kw_only=True):
    payment_id: str
    amount: int


class CardRefunded(Command, frozen=True, kw_only=True):
    payment_id: str
    amount: int
