"""How a booking is cancelled: the saga's second half.

    confirmed -> cancelling -> cancelled
    checking, holding, paying or confirming -> cancelled

A confirmed booking gives back what the policy says, and is cancelled when room and payment have
taken note. Of a pending one nothing is owed to anybody: it ends at once, as one that is rejected
does, and what undoes it comes behind what did it. It can be cancelled, too, while a service that it
waits for is down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.kernel.messages import Later, Refusal
from actors.service.service import Service, command, on
from actors.store.transaction import Transaction
from actors.systems.hotel import booking_rows as rows
from actors.systems.hotel.booking_rows import as_booking, price_of, read_booking, told_of
from actors.systems.hotel.messages import Booking, CancelBooking
from actors.systems.hotel.refund_policy import RefundPolicy
from actors.systems.hotel.saga_messages import (
    BookingCancelled,
    CancelPayment,
    HoldReleased,
    PaymentRefunded,
    PursueCancellation,
    RefundAccepted,
    RefundPayment,
    ReleaseHold,
)
from actors.systems.hotel.stay import zone
from actors.systems.hotel.waiting_requests import answer, end_waiting, wait

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3

    from actors.systems.hotel.config import HotelConfig


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
        """Free the nights, and refund by policy what was confirmed; again changes nothing.

        Whoever waits for a booking that was pending is told that it was cancelled.
        """
        row = tx.one(rows.BY_ID, cmd.booking_id)
        if row is None:
            return Refusal.not_found(f"there is no booking {cmd.booking_id}")
        booking = as_booking(row)
        match booking.status:
            case "rejected":
                return Refusal.conflict(
                    f"booking {booking.id} is rejected: there is nothing to end"
                )
            case "cancelled":
                return booking
            case "pending":
                return _withdraw(tx, row)
            case "confirmed":
                refund = self._policy.refund(
                    price_of(row), check_in=booking.check_in, today=self._today(tx)
                )
                # Nothing to give back is nothing to wait for.
                tx.execute(rows.SET_CANCELLING, refund.amount, refund.amount == 0, booking.id)
                self._ask(tx, booking.id)
        return wait(tx, read_booking(tx, booking.id))

    def _today(self, tx: Transaction) -> dt.date:
        """Return the day that it is in the hotel."""
        return tx.now.astimezone(self._zone).date()

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
        _tell(tx, booking)
        answer(tx, booking_id, booking)

    @on(PaymentRefunded)
    def refunded(self, tx: Transaction, event: PaymentRefunded) -> None:
        """Show what went back, also for a booking that was rejected after it had been paid."""
        tx.execute(rows.SET_REFUND, event.amount, event.payment_id)


def was_cancelled(booking_id: str) -> Refusal:
    """Return what the client is told who wanted the booking."""
    return Refusal.conflict(f"booking {booking_id} was cancelled; book anew, under another id")


def undo(tx: Transaction, row: sqlite3.Row, *, release: bool, refund: bool) -> None:
    """Undo what a pending booking may have begun: behind it, on the same way."""
    if release and row["state"] in rows.HAS_HOLD:
        tx.send("room", ReleaseHold(hold_id=row["id"]))
    if refund and row["state"] in rows.HAS_PAYMENT:
        tx.send("payment", CancelPayment(payment_id=row["id"]))


def _withdraw(tx: Transaction, row: sqlite3.Row) -> Booking:
    """Cancel a booking that is pending."""
    tx.execute(rows.SET_WITHDRAWN, row["id"])
    undo(tx, row, release=True, refund=True)
    booking = read_booking(tx, row["id"])
    # Before its customer is known there is nobody to write to.
    if row["state"] not in rows.CHECKING:
        _tell(tx, booking)
    end_waiting(tx, booking.id, was_cancelled(booking.id))
    return booking


def _tell(tx: Transaction, booking: Booking) -> None:
    about = told_of(tx, booking)
    tx.publish(BookingCancelled(**about, price=booking.price, refund=booking.refund))
