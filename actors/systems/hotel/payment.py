"""The payment service: takes a booking's money once, and gives back what is not ours to keep.

    charging -> charged -> refunding -> refunded
    charging -> declined
    charging or charged -> voiding -> voided

Money is never left in doubt: where nobody knows whether a card was charged, the charge is voided,
which by its key is safe before, during and after it. What cannot be settled now is tried again
until it is. The card's number is a sandbox's, and is kept only with a charge that is under way.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from actors.kernel.messages import Command, GaveUp, Refusal
from actors.service.service import Service, command, effect, on
from actors.store.transaction import Transaction
from actors.systems.hotel.card_processor.processor_messages import ChargeApproved
from actors.systems.hotel.saga_messages import (
    CancelPayment,
    PaymentDeclined,
    PaymentFailed,
    PaymentRefunded,
    PaymentTaken,
    RefundAccepted,
    RefundPayment,
    TakePayment,
)

if TYPE_CHECKING:
    from actors.systems.hotel.card_processor.card_processor_client import CardProcessorClient

BY_ID = "SELECT * FROM payment WHERE id = ?"
IN_STATE = "SELECT * FROM payment WHERE id = ? AND state = ?"
INSERT = "INSERT INTO payment (id, amount, currency, state) VALUES (?, ?, ?, 'charging')"
INSERT_CANCELLED = "INSERT INTO payment (id, state) VALUES (?, 'voided')"
SET_STATE = "UPDATE payment SET state = ? WHERE id = ?"
SET_CHARGED = "UPDATE payment SET state = 'charged', charge_id = ? WHERE id = ?"
SET_REFUNDING = "UPDATE payment SET state = 'refunding', refund_amount = ? WHERE id = ?"
SET_VOIDED = "UPDATE payment SET state = 'voided', refund_amount = ? WHERE id = ?"


# --- Its effects on the card processor, and what comes of them -----------------------------------


class ChargeCard(Command):
    payment_id: str
    card_number: str
    amount: int
    currency: str


class CardCharged(Command):
    payment_id: str
    charge_id: str


class CardDeclined(Command):
    payment_id: str
    reason: str


class VoidCharge(Command):
    payment_id: str


class ChargeVoided(Command):
    """No charge stands, or ever will; `refunded` is what had been taken."""

    payment_id: str
    refunded: int


class RefundCard(Command):
    payment_id: str
    amount: int


class CardRefunded(Command):
    payment_id: str
    amount: int


# --- The service ---------------------------------------------------------------------------------


class PaymentService(Service):
    """Settles each payment with the card processor, whatever it takes."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "payment"

    def __init__(self, processor: CardProcessorClient, *, settle_retry_s: float) -> None:
        """`settle_retry_s` is how long to leave the processor alone when it does not answer."""
        self._processor = processor
        self._settle_retry_s = settle_retry_s

    # --- Taking ------------------------------------------------------------------------------

    @command
    def take(self, tx: Transaction, cmd: TakePayment) -> None:
        """Charge the card. The same payment again, or one that was cancelled, changes nothing."""
        if tx.one(BY_ID, cmd.payment_id) is not None:
            return
        amount, currency = cmd.price.amount, cmd.price.currency
        tx.execute(INSERT, cmd.payment_id, amount, currency)
        charge = ChargeCard(
            payment_id=cmd.payment_id,
            card_number=cmd.card_number,
            amount=amount,
            currency=currency,
        )
        tx.send("payment", charge)

    @effect
    async def charge(self, cmd: ChargeCard) -> CardCharged | CardDeclined:
        """Charge the card, under the payment's id."""
        answer = await self._processor.charge(
            cmd.payment_id, cmd.card_number, amount=cmd.amount, currency=cmd.currency
        )
        if isinstance(answer, ChargeApproved):
            return CardCharged(payment_id=cmd.payment_id, charge_id=answer.charge_id)
        return CardDeclined(payment_id=cmd.payment_id, reason=answer.reason)

    @command
    def charged(self, tx: Transaction, cmd: CardCharged) -> None:
        """Note the charge; one that is being voided meanwhile is the void's to undo."""
        if tx.one(IN_STATE, cmd.payment_id, "charging") is not None:
            tx.execute(SET_CHARGED, cmd.charge_id, cmd.payment_id)
            tx.publish(PaymentTaken(payment_id=cmd.payment_id))

    @command
    def declined(self, tx: Transaction, cmd: CardDeclined) -> None:
        """Note that nothing was taken."""
        if tx.one(IN_STATE, cmd.payment_id, "charging") is not None:
            tx.execute(SET_STATE, "declined", cmd.payment_id)
            tx.publish(PaymentDeclined(payment_id=cmd.payment_id, reason=cmd.reason))

    @on(GaveUp[ChargeCard])
    def charge_unknown(self, tx: Transaction, event: GaveUp[ChargeCard]) -> None:
        """Whether there was a charge, nobody knows: there shall be none."""
        payment_id = event.command.payment_id
        if tx.one(IN_STATE, payment_id, "charging") is not None:
            self._void(tx, payment_id)
            reason = "the card processor does not answer"
            tx.publish(PaymentFailed(payment_id=payment_id, reason=reason))

    # --- Cancelling --------------------------------------------------------------------------

    @command
    def cancel(self, tx: Transaction, cmd: CancelPayment) -> None:
        """Leave no charge standing, whatever has become of it; a void undoes it in any state."""
        row = tx.one(BY_ID, cmd.payment_id)
        if row is None:
            tx.execute(INSERT_CANCELLED, cmd.payment_id)
        elif row["state"] in {"charging", "charged"}:
            self._void(tx, cmd.payment_id)

    def _void(self, tx: Transaction, payment_id: str) -> None:
        tx.execute(SET_STATE, "voiding", payment_id)
        tx.send("payment", VoidCharge(payment_id=payment_id))

    @effect
    async def void(self, cmd: VoidCharge) -> ChargeVoided:
        """Undo the charge; should it come after all, the processor refuses it."""
        answer = await self._processor.void(cmd.payment_id)
        return ChargeVoided(payment_id=cmd.payment_id, refunded=answer.refunded)

    @command
    def voided(self, tx: Transaction, cmd: ChargeVoided) -> None:
        """Note that nothing is charged any more."""
        if tx.one(IN_STATE, cmd.payment_id, "voiding") is not None:
            tx.execute(SET_VOIDED, cmd.refunded, cmd.payment_id)
            if cmd.refunded:
                tx.publish(PaymentRefunded(payment_id=cmd.payment_id, amount=cmd.refunded))

    @on(GaveUp[VoidCharge])
    def void_later(self, tx: Transaction, event: GaveUp[VoidCharge]) -> None:
        """Somebody's money may be here by mistake: there is no last attempt."""
        tx.after(self._settle_retry_s, event.command)

    # --- Refunding ---------------------------------------------------------------------------

    @command
    def refund(self, tx: Transaction, cmd: RefundPayment) -> Refusal | None:
        """Give back a part, or all. The same refund again is accepted, and made once."""
        row = tx.one(BY_ID, cmd.payment_id)
        state = None if row is None else row["state"]
        if state == "charged":
            tx.execute(SET_REFUNDING, cmd.amount, cmd.payment_id)
            tx.send("payment", RefundCard(payment_id=cmd.payment_id, amount=cmd.amount))
        elif state not in {"refunding", "refunded"}:
            return Refusal.conflict(f"payment {cmd.payment_id} has nothing to give back")
        tx.publish(RefundAccepted(payment_id=cmd.payment_id, amount=cmd.amount))
        return None

    @effect
    async def refund_card(self, cmd: RefundCard) -> CardRefunded:
        """Give money back to the card, under the payment's id."""
        await self._processor.refund(cmd.payment_id, amount=cmd.amount)
        return CardRefunded(payment_id=cmd.payment_id, amount=cmd.amount)

    @command
    def refunded(self, tx: Transaction, cmd: CardRefunded) -> None:
        """Note that the refund is made."""
        if tx.one(IN_STATE, cmd.payment_id, "refunding") is not None:
            tx.execute(SET_STATE, "refunded", cmd.payment_id)
            tx.publish(PaymentRefunded(payment_id=cmd.payment_id, amount=cmd.amount))

    @on(GaveUp[RefundCard])
    def refund_later(self, tx: Transaction, event: GaveUp[RefundCard]) -> None:
        """A guest waits for this money: there is no last attempt."""
        tx.after(self._settle_retry_s, event.command)
