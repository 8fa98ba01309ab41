"""The card processor: the simulated outside world, with books of its own.

It stands for somebody else's system, so it knows no booking and no payment: only keys, amounts and
card numbers. Its books are what ours can be checked against after any crash.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from actors.kernel.messages import Refusal
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.hotel.card_processor.processor_messages import (
    AnswerLost,
    Charge,
    ChargeApproved,
    ChargeRefused,
    GetLedger,
    Ledger,
    Refund,
    Refunded,
    Sums,
    Void,
    Voided,
)
from actors.systems.hotel.card_processor.sandbox_cards import SANDBOX_CARDS, CardBehavior

if TYPE_CHECKING:
    import sqlite3

CHARGE = "SELECT * FROM charge WHERE key = ?"
INSERT_CHARGE = (
    "INSERT INTO charge (key, charge_id, amount, currency, taken, refusal)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
REFUND = "SELECT * FROM refund WHERE key = ?"
INSERT_REFUND = "INSERT INTO refund (key, charge_key, amount) VALUES (?, ?, ?)"
VOID = "SELECT refunded FROM void WHERE key = ?"
INSERT_VOID = "INSERT INTO void (key, refunded) VALUES (?, ?)"
KEPT = """
SELECT taken
    - (SELECT coalesce(sum(amount), 0) FROM refund WHERE charge_key = charge.key)
    - (SELECT coalesce(sum(refunded), 0) FROM void WHERE void.key = charge.key) AS kept
FROM charge WHERE key = ?
"""
SUMS = """
SELECT currency, sum(taken) AS taken, sum(
    (SELECT coalesce(sum(amount), 0) FROM refund WHERE charge_key = charge.key)
    + (SELECT coalesce(sum(refunded), 0) FROM void WHERE void.key = charge.key)
) AS refunded
FROM charge GROUP BY currency ORDER BY currency
"""
SUMS_OF_CHARGE = """
SELECT currency, taken,
    (SELECT coalesce(sum(amount), 0) FROM refund WHERE charge_key = charge.key)
    + (SELECT coalesce(sum(refunded), 0) FROM void WHERE void.key = charge.key) AS refunded
FROM charge WHERE key = ?
"""

REFUSALS = {
    CardBehavior.DECLINES: "the card's issuer refuses it",
    CardBehavior.LACKS_FUNDS: "insufficient funds",
}
UNKNOWN_CARD = "there is no such card"
VOIDED = "this charge was voided before it came"


class CardProcessorService(Service):
    """Charges cards as their numbers say (sandbox_cards.py); repeats nothing with a known key."""

    schema: ClassVar[Path] = Path(__file__).parent.parent / "schema" / "card_processor"

    @command
    def charge(
        self, tx: Transaction, cmd: Charge
    ) -> ChargeApproved | ChargeRefused | AnswerLost | Refusal:
        """Take the money, unless the card, or a void that came first, forbids it.

        Whether the answer is lost on its way is decided here as well, so that it is lost as often
        as the card says, whoever crashes meanwhile: the first attempt is the one that finds no
        charge with its key.
        """
        behavior = SANDBOX_CARDS.get(cmd.card_number)
        before = tx.one(CHARGE, cmd.key)
        if before is not None and (before["amount"], before["currency"]) != (
            cmd.amount,
            cmd.currency,
        ):
            return Refusal.conflict(f"the key {cmd.key} belongs to another charge")
        if behavior is CardBehavior.NEVER_ANSWERS:
            return AnswerLost()
        decision = _decide(tx, cmd, behavior) if before is None else _decided(before)
        if behavior is CardBehavior.CHARGES_AND_NEVER_ANSWERS:
            return AnswerLost()
        if behavior is CardBehavior.LOSES_FIRST_ANSWER and before is None:
            return AnswerLost()
        return decision

    @command
    def void(self, tx: Transaction, cmd: Void) -> Voided:
        """Give back all that the charge still keeps, and let no charge come under its key."""
        row = tx.one(VOID, cmd.key)
        if row is not None:
            return Voided(refunded=row["refunded"])
        charge = tx.one(KEPT, cmd.key)
        kept = 0 if charge is None else charge["kept"]
        tx.execute(INSERT_VOID, cmd.key, kept)
        return Voided(refunded=kept)

    @command
    def refund(self, tx: Transaction, cmd: Refund) -> Refunded | Refusal:
        """Give back a part, never more than the charge still keeps."""
        row = tx.one(REFUND, cmd.key)
        if row is not None:
            if (row["charge_key"], row["amount"]) != (cmd.charge_key, cmd.amount):
                return Refusal.conflict(f"the key {cmd.key} belongs to another refund")
            return Refunded(amount=row["amount"])
        charge = tx.one(KEPT, cmd.charge_key)
        if charge is None:
            return Refusal.not_found(f"there is no charge {cmd.charge_key}")
        if cmd.amount > charge["kept"]:
            return Refusal.conflict(f"only {charge['kept']} are left of charge {cmd.charge_key}")
        tx.execute(INSERT_REFUND, cmd.key, cmd.charge_key, cmd.amount)
        return Refunded(amount=cmd.amount)

    @query
    def ledger(self, tx: ReadTransaction, question: GetLedger) -> Ledger:
        """Sum up what was taken and what went back, by currency."""
        key = question.charge_key
        rows = tx.all(SUMS) if key is None else tx.all(SUMS_OF_CHARGE, key)
        return Ledger(
            sums=[
                Sums(currency=row["currency"], taken=row["taken"], refunded=row["refunded"])
                for row in rows
            ]
        )


def _decide(
    tx: Transaction, cmd: Charge, behavior: CardBehavior | None
) -> ChargeApproved | ChargeRefused:
    if tx.one(VOID, cmd.key) is not None:
        return ChargeRefused(reason=VOIDED)
    refusal = UNKNOWN_CARD if behavior is None else REFUSALS.get(behavior)
    charge_id, taken = tx.new_id(), cmd.amount if refusal is None else 0
    tx.execute(INSERT_CHARGE, cmd.key, charge_id, cmd.amount, cmd.currency, taken, refusal)
    if refusal is not None:
        return ChargeRefused(reason=refusal)
    return ChargeApproved(charge_id=charge_id)


def _decided(charge: sqlite3.Row) -> ChargeApproved | ChargeRefused:
    if charge["refusal"] is not None:
        return ChargeRefused(reason=charge["refusal"])
    return ChargeApproved(charge_id=charge["charge_id"])
