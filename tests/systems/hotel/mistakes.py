"""Mistakes of a hotel to be found by its guests: each for the length of a `with` block.

None of them is of the kind that makes two of the hotel's own files disagree, or none that the files
would tell without somebody who knows what was asked for.
"""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec

from actors.kernel.messages import Refusal
from actors.store import transaction
from actors.store.messaging import request_keys
from actors.systems.hotel import booking, free_rooms, notification, room, stay
from actors.systems.hotel.booking import BookingService
from actors.systems.hotel.card_processor import card_processor
from actors.systems.hotel.card_processor.sandbox_cards import CardBehavior
from actors.systems.hotel.customer import CustomerService
from actors.systems.hotel.messages import (
    GetBooking,
    GetCustomer,
    Money,
    RegisterRoom,
    TutorialRoom,
)
from actors.systems.hotel.notification import NotificationService
from actors.systems.hotel.refund_policy import RefundPolicy
from actors.systems.hotel.room import RoomService
from actors.systems.hotel.saga_messages import BookingConfirmed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

MISTAKES: dict[str, Callable[[], AbstractContextManager[None]]] = {}


def mistake(function: Callable[[], Iterator[None]]) -> Callable[[], Iterator[None]]:
    """Add the decorated context manager to `MISTAKES`, under its own name."""
    MISTAKES[function.__name__] = contextmanager(function)
    return function


def _instead(service: Any, message: Any, change: Callable[[Any, Any], Any]) -> Any:
    """Let `change` have its way with what the service's handler answers."""
    spec = service.handlers[message]

    def handle(self: Any, tx: Any, cmd: Any) -> Any:
        return change(spec.function(self, tx, cmd), cmd)

    return patch.dict(service.handlers, {message: msgspec.structs.replace(spec, function=handle)})


# --- Mails and rooms ---------------------------------------------------------------------------


@mistake
def mail_is_dated_by_the_clock_on_the_wall() -> Iterator[None]:
    later = notification.INSERT.replace("?, ?) ON", "?, ? + 7200000000) ON")
    with patch.object(notification, "INSERT", later):
        yield


@mistake
def known_room_is_any_of_its_type() -> Iterator[None]:
    def same(answer: Any, cmd: RegisterRoom) -> Any:
        is_known = isinstance(answer, Refusal) and cmd.status == "odd"
        return TutorialRoom(id=cmd.id, type=cmd.type, status=cmd.status) if is_known else answer

    with _instead(RoomService, RegisterRoom, same):
        yield


# --- Nights and prices -------------------------------------------------------------------------


@mistake
def third_night_is_never_taken() -> Iterator[None]:
    right = stay.nights

    def nights(check_in: dt.date, check_out: dt.date) -> Iterator[str]:
        return iter([night for place, night in enumerate(right(check_in, check_out)) if place != 2])

    with patch.object(room, "nights", nights):
        yield


@mistake
def price_rises_with_the_nights() -> Iterator[None]:
    """A tenth more from the fourth night on."""
    right = stay.price_of_stay

    def price(rate: Money, check_in: dt.date, check_out: dt.date) -> Any:
        dear = msgspec.structs.replace(rate, amount=rate.amount * 11 // 10)
        return right(dear if (check_out - check_in).days > 3 else rate, check_in, check_out)

    with patch.object(room, "price_of_stay", price):
        yield


@mistake
def days_that_are_over_are_sold() -> Iterator[None]:
    with patch.object(booking, "refuse_past", lambda *_, **__: None):
        yield


# --- Refunds -----------------------------------------------------------------------------------


def _refund(change: Callable[[RefundPolicy, Money, int], int]) -> Any:
    def refund(self: RefundPolicy, price: Money, *, check_in: dt.date, today: dt.date) -> Money:
        amount = change(self, price, (check_in - today).days)
        return Money(amount=amount, currency=price.currency)

    return patch.object(RefundPolicy, "refund", refund)


@mistake
def full_refund_is_ninety_percent() -> Iterator[None]:
    def change(self: RefundPolicy, price: Money, left: int) -> int:
        share = 90 if left >= self.full_days else self.late_percent if left > 0 else 0
        return (price.amount * share + 50) // 100

    with _refund(change):
        yield


@mistake
def full_refund_ends_a_day_early() -> Iterator[None]:
    def change(self: RefundPolicy, price: Money, left: int) -> int:
        share = 100 if left > self.full_days else self.late_percent if left > 0 else 0
        return (price.amount * share + 50) // 100

    with _refund(change):
        yield


@mistake
def day_of_arrival_is_refunded() -> Iterator[None]:
    def change(self: RefundPolicy, price: Money, left: int) -> int:
        share = 100 if left >= self.full_days else self.late_percent
        return (price.amount * share + 50) // 100

    with _refund(change):
        yield


@mistake
def days_are_those_of_greenwich() -> Iterator[None]:
    with patch.object(BookingService, "_today", lambda _, tx: tx.now.date()):
        yield


# --- Reads -------------------------------------------------------------------------------------


@mistake
def cancelled_booking_is_shown_as_confirmed() -> Iterator[None]:
    def change(answer: Any, _: Any) -> Any:
        if getattr(answer, "status", "") == "cancelled":
            return msgspec.structs.replace(answer, status="confirmed", refund=None)
        return answer

    with _instead(BookingService, GetBooking, change):
        yield


@mistake
def guest_is_shown_with_another_address() -> Iterator[None]:
    def change(answer: Any, _: Any) -> Any:
        return msgspec.structs.replace(answer, email="") if hasattr(answer, "email") else answer

    with _instead(CustomerService, GetCustomer, change):
        yield


def _next(by: int) -> Any:
    right = transaction.ReadTransaction.page

    def page(self: Any, *args: Any, **kwargs: Any) -> Any:
        rows, after = right(self, *args, **kwargs)
        return rows, after and str(int(after) + by)

    return patch.object(transaction.ReadTransaction, "page", page)


@mistake
def page_skips_a_row() -> Iterator[None]:
    with _next(1):
        yield


@mistake
def page_repeats_a_row() -> Iterator[None]:
    with _next(-1):
        yield


@mistake
def last_night_is_not_asked_for_in_free_rooms() -> Iterator[None]:
    early = "night >= ? AND night < date(?, '-1 day')"
    with ExitStack() as stack:
        for name in ("FREE", "FREE_OF_TYPE"):
            sql = getattr(free_rooms, name).replace("night >= ? AND night < ?", early)
            stack.enter_context(patch.object(free_rooms, name, sql))
        yield


@mistake
def closed_rooms_are_free() -> Iterator[None]:
    with ExitStack() as stack:
        for name in ("FREE", "FREE_OF_TYPE"):
            sql = getattr(free_rooms, name).replace("bookable = 1", "1")
            stack.enter_context(patch.object(free_rooms, name, sql))
        yield


# --- Mails, cards, keys and times --------------------------------------------------------------


@mistake
def mail_has_another_price() -> Iterator[None]:
    with patch.object(
        notification, "_money", lambda amount, currency: f"{amount / 100} {currency}"
    ):
        yield


@mistake
def mail_names_the_last_day_but_one() -> Iterator[None]:
    spec = NotificationService.handlers[BookingConfirmed]

    def confirmed(self: Any, tx: Any, event: BookingConfirmed) -> None:
        early = event.check_out - dt.timedelta(days=1)
        spec.function(self, tx, msgspec.structs.replace(event, check_out=early))

    changed = msgspec.structs.replace(spec, function=confirmed)
    with patch.dict(NotificationService.handlers, {BookingConfirmed: changed}):
        yield


@mistake
def card_without_funds_pays() -> Iterator[None]:
    with patch.dict(card_processor.REFUSALS):
        del card_processor.REFUSALS[CardBehavior.LACKS_FUNDS]
        yield


@mistake
def key_is_taken_with_two_bodies() -> Iterator[None]:
    with patch.object(request_keys, "is_of", lambda *_: True):
        yield


@mistake
def long_timers_fire_a_thousand_times_too_early() -> Iterator[None]:
    right = transaction.Transaction.after

    def after(self: Any, delay_s: float, command: Any, **more: Any) -> None:
        right(self, delay_s / 1_000 if delay_s > 10 else delay_s, command, **more)

    with patch.object(transaction.Transaction, "after", after):
        yield


@mistake
def timers_fire_a_tenth_early() -> Iterator[None]:
    right = transaction.Transaction.after

    def after(self: Any, delay_s: float, command: Any, **more: Any) -> None:
        right(self, delay_s * 0.9, command, **more)

    with patch.object(transaction.Transaction, "after", after):
        yield
