"""The card processor's interface. Every request has a key: sent again, it gets its answer again."""

from __future__ import annotations

import msgspec

from actors.kernel.messages import Command, Query


class Charge(Command):
    """Take `amount` minor units from the card."""

    key: str
    card_number: str
    amount: int
    currency: str


class ChargeApproved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    charge_id: str


class ChargeRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    reason: str


class AnswerLost(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Stands for an answer that the network has lost: whoever asked hears nothing."""


class Void(Command):
    """Undo the charge with this key: give back what it took, and refuse it if it comes later."""

    key: str


class Voided(msgspec.Struct, frozen=True, kw_only=True):
    """`refunded` minor units went back: 0 where nothing had been taken."""

    refunded: int


class Refund(Command):
    """Give back `amount` minor units of the charge whose key is `charge_key`."""

    key: str
    charge_key: str
    amount: int


class Refunded(msgspec.Struct, frozen=True, kw_only=True):
    amount: int


class GetLedger(Query):
    """All there is on the processor's books, or what there is of one charge."""

    charge_key: str | None = None


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Minor units; what the merchant keeps is `taken - refunded`."""

    currency: str
    taken: int
    refunded: int


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    sums: list[Sums]
