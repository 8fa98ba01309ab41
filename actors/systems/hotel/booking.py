"""The booking service: a saga over the room's nights and the guest's money.

    checking -> holding -> paying -> confirming -> confirmed -> ... (booking_cancellation.py)
    any of the first four -> rejected or cancelled, and everything undone

Each state waits for one answer. An answer to a booking that has moved on changes nothing: it comes
late, or twice, or is to something that is being undone already. Whatever answer never comes, a
timer ends the booking; what undoes it goes the way of what did it, so it arrives behind it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from actors.kernel.messages import Later, Refusal, Refused
from actors.service.service import command, on, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.hotel import booking_rows as rows
from actors.systems.hotel.booking_cancellation import (
    BookingCancellation,
    undo,
    was_cancelled,
)
from actors.systems.hotel.booking_rows import (
    CHECKING,
    CONFIRMING,
    HAS_HOLD,
    HOLDING,
    PAYING,
    PENDING,
    as_booking,
    price_of,
    read_booking,
    refusal_of,
    told_of,
)
from actors.systems.hotel.card_processor.sandbox_cards import APPROVED_CARD
from actors.systems.hotel.messages import (
    Booking,
    BookingPage,
    CreateBooking,
    GetBooking,
    ListBookings,
    RegisterBooking,
)
from actors.systems.hotel.saga_messages import (
    AbandonBooking,
    BookingConfirmed,
    ConfirmHold,
    CustomerIntroduced,
    HoldConfirmed,
    HoldExpired,
    HoldRoom,
    IntroduceCustomer,
    PaymentDeclined,
    PaymentFailed,
    PaymentTaken,
    RoomHeld,
    TakePayment,
)
from actors.systems.hotel.stay import refuse_past, refuse_stay
from actors.systems.hotel.waiting_requests import end_waiting, wait

if TYPE_CHECKING:
    import sqlite3


class BookingService(BookingCancellation):
    """Books a room for a customer: all of it or nothing, whatever crashes on the way."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "booking"

    # --- Booking -----------------------------------------------------------------------------

    @command
    def create(self, tx: Transaction, cmd: CreateBooking) -> Booking | Refusal | Later:
        """Begin a booking from today on; the answer is how it ends."""
        refusal = refuse_past(cmd.check_in, today=self._today(tx))
        if refusal is not None:
            return refusal
        return self._begin(tx, tx.new_id(), cmd, cmd.card_number, field="check_out")

    @command
    def register(self, tx: Transaction, cmd: RegisterBooking) -> Booking | Refusal | Later:
        """Begin a booking as the tutorial does, under the caller's id if there is one.

        A known id must be the same booking, and is answered as that one stands: with a 201 only
        where it does. One that was refused for its customer or its room, before anything was held
        or paid, was none: it begins anew.
        """
        begins_anew = bool(cmd.id and tx.execute(rows.FORGET_UNTOUCHED, cmd.id))
        row = tx.one(rows.BY_ID, cmd.id) if cmd.id else None
        if row is None:
            later = self._begin(tx, cmd.id or tx.new_id(), cmd, APPROVED_CARD, field="CheckOut")
            if begins_anew and isinstance(later, Later):
                # Its own name is not free while the answer to the one before is being committed.
                return wait(tx, later.so_far)
            return later
        booking = as_booking(row)
        if any(getattr(booking, name) != getattr(cmd, name) for name in cmd.__struct_fields__):
            return Refusal.conflict(f"booking {cmd.id} exists, and is another")
        return wait(tx, booking) if booking.status == "pending" else _as_it_stands(row)

    def _begin(
        self,
        tx: Transaction,
        booking_id: str,
        cmd: CreateBooking | RegisterBooking,
        card_number: str,
        *,
        field: str,
    ) -> Refusal | Later:
        refusal = refuse_stay(
            cmd.check_in, cmd.check_out, nights_max=self._config.nights_max, field=field
        )
        if refusal is not None:
            return refusal
        tx.execute(
            rows.INSERT,
            booking_id,
            cmd.customer_id,
            cmd.room_id,
            cmd.check_in.isoformat(),
            cmd.check_out.isoformat(),
            card_number,
            tx.now_us,
        )
        row = tx.one(rows.BY_ID, booking_id)
        assert row is not None
        if tx.one(rows.KNOWN_CUSTOMER, cmd.customer_id) is not None:
            self._hold(tx, row)
        else:
            introduce = IntroduceCustomer(customer_id=cmd.customer_id, booking_id=booking_id)
            tx.send("customer", introduce)
        abandon = AbandonBooking(booking_id=booking_id, begun_us=tx.now_us)
        tx.after(self._config.booking_s_max, abandon)
        return Later(request=booking_id, so_far=as_booking(row))

    @query
    def get(self, tx: ReadTransaction, question: GetBooking) -> Booking | Refusal:
        """Find one by id."""
        row = tx.one(rows.BY_ID, question.booking_id)
        if row is None:
            return Refusal.not_found(f"there is no booking {question.booking_id}")
        return as_booking(row)

    @query
    def list(self, tx: ReadTransaction, question: ListBookings) -> BookingPage:
        """List in order of creation, of one customer, one room, or both, if given."""
        customer_id, room_id = question.customer_id, question.room_id
        sql = {
            (False, False): rows.PAGE,
            (True, False): rows.PAGE_OF_CUSTOMER,
            (False, True): rows.PAGE_OF_ROOM,
            (True, True): rows.PAGE_OF_BOTH,
        }[customer_id is not None, room_id is not None]
        filters = [each for each in (customer_id, room_id) if each is not None]
        found, after = tx.page(sql, *filters, question.after, limit=question.limit)
        return BookingPage(items=[as_booking(row) for row in found], next=after)

    # --- Checking: who is the customer? ------------------------------------------------------

    @on(CustomerIntroduced, start="beginning")
    def introduced(self, tx: Transaction, event: CustomerIntroduced) -> None:
        """Remember the customer, and go on with the bookings that waited for it."""
        tx.execute(rows.KNOW_CUSTOMER, event.customer_id, event.name, event.email)
        for row in tx.all(rows.WAITS_FOR_CUSTOMER, event.customer_id):
            self._hold(tx, row)

    @on(Refused[IntroduceCustomer])
    def unknown_customer(self, tx: Transaction, event: Refused[IntroduceCustomer]) -> None:
        """Nobody by that id: nobody to book for."""
        self._reject(tx, event.command.booking_id, CHECKING, event.refusal, untouched=True)

    # --- Holding: is the room free? ----------------------------------------------------------

    def _hold(self, tx: Transaction, row: sqlite3.Row) -> None:
        booking = as_booking(row)
        tx.execute(rows.SET_STATE, "holding", booking.id)
        hold = HoldRoom(
            hold_id=booking.id,
            room_id=booking.room_id,
            check_in=booking.check_in,
            check_out=booking.check_out,
            hold_s=self._config.hold_s,
        )
        tx.send("room", hold)

    @on(RoomHeld)
    def held(self, tx: Transaction, event: RoomHeld) -> None:
        """The nights are ours for a while: take the money."""
        row = tx.one(rows.IN_STATE, event.hold_id, "holding")
        if row is not None:
            price = event.price
            tx.execute(rows.SET_PAYING, price.amount, price.currency, event.hold_id)
            take = TakePayment(
                payment_id=event.hold_id, card_number=row["card_number"], price=price
            )
            tx.send("payment", take)

    @on(Refused[HoldRoom])
    def not_held(self, tx: Transaction, event: Refused[HoldRoom]) -> None:
        """The room is taken, or there is none."""
        self._reject(tx, event.command.hold_id, HOLDING, event.refusal, untouched=True)

    # --- Paying ------------------------------------------------------------------------------

    @on(PaymentTaken)
    def paid(self, tx: Transaction, event: PaymentTaken) -> None:
        """The money is here: keep the nights."""
        if tx.one(rows.IN_STATE, event.payment_id, "paying") is not None:
            tx.execute(rows.SET_STATE, "confirming", event.payment_id)
            tx.send("room", ConfirmHold(hold_id=event.payment_id))

    @on(PaymentDeclined)
    def declined(self, tx: Transaction, event: PaymentDeclined) -> None:
        """No money, no room."""
        refusal = Refusal.conflict(f"the card was declined: {event.reason}")
        self._reject(tx, event.payment_id, PAYING, refusal, release=True)

    @on(PaymentFailed)
    def failed(self, tx: Transaction, event: PaymentFailed) -> None:
        """Nobody knows whether there is money: payment gives back what there may be."""
        refusal = Refusal.conflict(
            f"the payment could not be completed, and nothing stays charged: {event.reason}"
        )
        self._reject(tx, event.payment_id, PAYING, refusal, release=True)

    # --- Confirming --------------------------------------------------------------------------

    @on(HoldConfirmed)
    def hold_confirmed(self, tx: Transaction, event: HoldConfirmed) -> None:
        """The booking stands."""
        row = tx.one(rows.IN_STATE, event.hold_id, "confirming")
        if row is None:
            return
        tx.execute(rows.SET_STATE, "confirmed", event.hold_id)
        booking = read_booking(tx, event.hold_id)
        tx.publish(BookingConfirmed(**told_of(tx, booking), price=price_of(row)))
        end_waiting(tx, booking.id, booking)

    @on(Refused[ConfirmHold])
    def hold_lost(self, tx: Transaction, event: Refused[ConfirmHold]) -> None:
        """Paid too late: the room may be another's by now."""
        self._reject(tx, event.command.hold_id, CONFIRMING, event.refusal, refund=True)

    @on(HoldExpired)
    def hold_expired(self, tx: Transaction, event: HoldExpired) -> None:
        """The room did not wait any longer."""
        refusal = Refusal.conflict("the room was held for a while, and not paid for in time")
        self._reject(tx, event.hold_id, HAS_HOLD, refusal, refund=True)

    @command
    def abandon(self, tx: Transaction, cmd: AbandonBooking) -> None:
        """End a booking whose answers do not come, in whatever state it waits."""
        row = tx.one(rows.BY_ID, cmd.booking_id)
        if row is not None and row["begun_us"] == cmd.begun_us:
            refusal = Refusal.conflict("the booking could not be completed in time")
            self._reject(tx, cmd.booking_id, PENDING, refusal, release=True, refund=True)

    def _reject(
        self,
        tx: Transaction,
        booking_id: str,
        states: frozenset[str],
        refusal: Refusal,
        *,
        release: bool = False,
        refund: bool = False,
        untouched: bool = False,
    ) -> None:
        """End a booking that is in one of `states`, undo what has to be undone, and say why."""
        row = tx.one(rows.BY_ID, booking_id)
        if row is None or row["state"] not in states:
            return
        tx.execute(rows.SET_REJECTED, refusal.kind, refusal.detail, untouched, booking_id)
        undo(tx, row, release=release, refund=refund)
        end_waiting(tx, booking_id, refusal)


def _as_it_stands(row: sqlite3.Row) -> Booking | Refusal:
    booking = as_booking(row)
    match booking.status:
        case "rejected":
            return refusal_of(row)
        case "cancelling" | "cancelled":
            return was_cancelled(booking.id)
    return booking
