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
from typing import TYPE_CHECKING, ClassVar, Final

from actors.kernel.messages import Command, GaveUp, Refusal
from actors.service.service import Service, command, effect, on, outcome
from actors.store.transaction import Transaction
from actors.systems.hotel.card_processor.processor_messages import (
    ChargeApproved,
    ChargeRefused,
    Refunded,
    Voided,
)
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

# The pauses between so many take 3.5 s at most: a guest is told within the deadline.
CHARGE_ATTEMPTS_MAX: Final = 4

BY_ID = "SELECT * FROM payment WHERE id = ?"
IN_STATE = "SELECT * FROM payment WHERE id = ? AND state = ?"
INSERT = "INSERT INTO payment (id, amount, currency, state) VALUES (?, ?, ?, 'charging')"
INSERT_CANCELLED = "INSERT INTO payment (id, state) VALUES (?, 'voided')"
SET_STATE = "UPDATE payment SET state = ? WHERE id = ?"
SET_CHARGED = "UPDATE payment SET state = 'charged', charge_id = ? WHERE id = ?"
SET_REFUNDING = "UPDATE payment SET state = 'refunding', refund_amount = ? WHERE id = ?"
SET_VOIDED = "UPDATE payment SET state = 'voided', refund_amount = ? WHERE id = ?"


# --- Its effects on the card processor ------------------------------------------------------------


class ChargeCard(Command):
    payment_id: str
    card_number: str
    amount: int
    currency: str


class VoidCharge(Command):
    payment_id: str


class RefundCard(Command):
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
        tx.run(charge)

    @effect(attempts_max=CHARGE_ATTEMPTS_MAX)
    async def charge(self, cmd: ChargeCard) -> ChargeApproved | ChargeRefused:
        """Charge the card, under the payment's id. A guest waits for the answer."""
        return await self._processor.charge(
            cmd.payment_id, cmd.card_number, amount=cmd.amount, currency=cmd.currency
        )

    @outcome(charge)
    def charged(
        self, tx: Transaction, cmd: ChargeCard, answer: ChargeApproved | ChargeRefused
    ) -> None:
        """Note the charge, or that there is none; one being voided is the void's to undo."""
        if tx.one(IN_STATE, cmd.payment_id, "charging") is None:
            return
        if isinstance(answer, ChargeApproved):
            tx.execute(SET_CHARGED, answer.charge_id, cmd.payment_id)
            tx.publish(PaymentTaken(payment_id=cmd.payment_id))
        else:
            tx.execute(SET_STATE, "declined", cmd.payment_id)
            tx.publish(PaymentDeclined(payment_id=cmd.payment_id, reason=answer.reason))

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
        tx.run(VoidCharge(payment_id=payment_id))

    @effect(again_s=lambda self: self._settle_retry_s)
    async def void(self, cmd: VoidCharge) -> Voided:
        """Undo the charge; should it come after all, the processor refuses it.

        Somebody's money may be here by mistake: there is no last attempt.
        """
        return await self._processor.void(cmd.payment_id)

    @outcome(void)
    def voided(self, tx: Transaction, cmd: VoidCharge, answer: Voided) -> None:
        """Note that nothing is charged any more."""
        if tx.one(IN_STATE, cmd.payment_id, "voiding") is not None:
            tx.execute(SET_VOIDED, answer.refunded, cmd.payment_id)
            if answer.refunded:
                tx.publish(PaymentRefunded(payment_id=cmd.payment_id, amount=answer.refunded))

    # --- Refunding ---------------------------------------------------------------------------

    @command
    def refund(self, tx: Transaction, cmd: RefundPayment) -> Refusal | None:
        """Give back a part, or all. The same refund again is accepted, and made once."""
        row = tx.one(BY_ID, cmd.payment_id)
        state = None if row is None else row["state"]
        if state == "charged":
            tx.execute(SET_REFUNDING, cmd.amount, cmd.payment_id)
            tx.run(RefundCard(payment_id=cmd.payment_id, amount=cmd.amount))
        elif state not in {"refunding", "refunded"}:
            return Refusal.conflict(f"payment {cmd.payment_id} has nothing to give back")
        tx.publish(RefundAccepted(payment_id=cmd.payment_id, amount=cmd.amount))
        return None

    @effect(again_s=lambda self: self._settle_retry_s)
    async def refund_card(self, cmd: RefundCard) -> Refunded:
        """Give money back to the card, under the payment's id.

        A guest waits for this money: there is no last attempt.
        """
        return await self._processor.refund(cmd.payment_id, amount=cmd.amount)

    @outcome(refund_card)
    def refunded(self, tx: Transaction, cmd: RefundCard, answer: Refunded) -> None:
        """Note that the refund is made."""
        del answer
        if tx.one(IN_STATE, cmd.payment_id, "refunding") is not None:
            tx.execute(SET_STATE, "refunded", cmd.payment_id)
            tx.publish(PaymentRefunded(payment_id=cmd.payment_id, amount=cmd.amount))
