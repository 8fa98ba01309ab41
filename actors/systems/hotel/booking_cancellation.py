"""How a booking is cancelled: the saga's second half.

confirmed -> cancelling -> cancelled
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.kernel.messages import Later, Refusal
from actors.service.service import Service, command, on
from actors.store.transaction import Transaction
from actors.systems.hotel import booking_rows as rows
from actors.systems.hotel.booking_events import BookingCancelled, PursueCancellation
from actors.systems.hotel.booking_rows import as_booking, guest_of, price_of, read_booking
from actors.systems.hotel.holds import HoldReleased, ReleaseHold
from actors.systems.hotel.messages import Booking, CancelBooking
from actors.systems.hotel.payments import PaymentRefunded, RefundAccepted, RefundPayment
from actors.systems.hotel.refund_policy import RefundPolicy
from actors.systems.hotel.stay import zone
from actors.systems.hotel.waiting import answer, wait

if TYPE_CHECKING:
    from actors.config import HotelConfig


class BookingCancellation(Service):
    """Frees the nights and gives money back by policy; `BookingService` does the rest."""

    def __init__(self, config: HotelConfig) -> None:
        """Take the times and the refund policy from the configuration."""
        self._config = config
        self._zone = zone(config.time_zone)
        self._policy = RefundPolicy(
            full_days=config.refund_full_days, late_percent=config.refund_late_percent
        )

    @command
    def cancel(self, tx: Transaction, cmd: CancelBooking) -> Booking | Refusal | Later:
        """Free the nights and refund by policy; answered when room and payment have taken note."""
        row = tx.one(rows.BY_ID, cmd.booking_id)
        if row is None:
            return Refusal.not_found(f"there is no booking {cmd.booking_id}")
        booking = as_booking(row)
        if booking.status == "cancelled":
            return booking
        if booking.status == "confirmed":
            today = tx.now.astimezone(self._zone).date()
            refund = self._policy.refund(price_of(row), check_in=booking.check_in, today=today)
            # Nothing to give back is nothing to wait for.
            tx.execute(rows.SET_CANCELLING, refund.amount, refund.amount == 0, booking.id)
            self._ask(tx, booking.id)
        elif booking.status != "cancelling":
            return Refusal.conflict(
                f"booking {booking.id} is {booking.status}; only a confirmed one can be cancelled"
            )
        return wait(tx, read_booking(tx, booking.id))

    @command
    def pursue(self, tx: Transaction, cmd: PursueCancellation) -> None:
        """Ask again: a cancellation must not hang on one message that became a dead letter."""
        if tx.one(rows.IN_STATE, cmd.booking_id, "cancelling") is not None:
            self._ask(tx, cmd.booking_id)

    def _ask(self, tx: Transaction, booking_id: str) -> None:
        row = tx.one(rows.BY_ID, booking_id)
        assert row is not None
        if not row["nights_released"]:
            tx.send("room", ReleaseHold(hold_id=booking_id))
        if not row["refund_accepted"]:
            tx.send("payment", RefundPayment(payment_id=booking_id, amount=row["refund_amount"]))
        tx.after(self._config.settle_retry_s, PursueCancellation(booking_id=booking_id))

    @on(HoldReleased)
    def nights_released(self, tx: Transaction, event: HoldReleased) -> None:
        """The nights are free for others."""
        tx.execute(rows.SET_NIGHTS_RELEASED, event.hold_id)
        self._end_cancellation(tx, event.hold_id)

    @on(RefundAccepted)
    def refund_accepted(self, tx: Transaction, event: RefundAccepted) -> None:
        """The refund is payment's to make."""
        tx.execute(rows.SET_REFUND_ACCEPTED, event.payment_id)
        self._end_cancellation(tx, event.payment_id)

    def _end_cancellation(self, tx: Transaction, booking_id: str) -> None:
        row = tx.one(rows.IN_STATE, booking_id, "cancelling")
        if row is None or not (row["nights_released"] and row["refund_accepted"]):
            return
        tx.execute(rows.SET_STATE, "cancelled", booking_id)
        booking = read_booking(tx, booking_id)
        assert booking.refund is not None
        name, email = guest_of(tx, booking)
        cancelled = BookingCancelled(
            booking_id=booking.id,
            customer_id=booking.customer_id,
            customer_name=name,
            customer_email=email,
            room_id=booking.room_id,
            check_in=booking.check_in,
            check_out=booking.check_out,
            price=price_of(row),
            refund=booking.refund,
        )
        tx.publish(cancelled)
        answer(tx, booking_id, booking)

    @on(PaymentRefunded)
    def refunded(self, tx: Transaction, event: PaymentRefunded) -> None:
        """Show what went back, also for a booking that was rejected after it had been paid."""
        tx.execute(rows.SET_REFUND, event.amount, event.payment_id)
