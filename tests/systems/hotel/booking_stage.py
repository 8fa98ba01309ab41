"""The booking service on a stage, in any state it can be in, and all it may be told."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec

from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.kernel.messages import Later, Refusal, Refused
from actors.system import unbooted
from actors.systems.hotel.booking import BookingService
from actors.systems.hotel.messages import CancelBooking, CreateBooking, Money, RegisterBooking
from actors.systems.hotel.saga_messages import (
    AbandonBooking,
    ConfirmHold,
    CustomerIntroduced,
    HoldConfirmed,
    HoldExpired,
    HoldReleased,
    HoldRoom,
    IntroduceCustomer,
    PaymentDeclined,
    PaymentFailed,
    PaymentTaken,
    PursueCancellation,
    RefundAccepted,
    RoomHeld,
)
from actors.systems.hotel.system import HOTEL, services
from tests.systems.hotel.house import CONFIG
from tests.systems.stage import Stage, stage

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

# The clock of a stage stands on 2023-11-14.
DAY = dt.date(2030, 3, 1)
CARD = "4000000000001000"
PRICE = Money(amount=20_001, currency="EUR")
ADA = CustomerIntroduced(customer_id="ada", name="Ada", email="ada@example.org")
CREATE = CreateBooking(
    customer_id="ada",
    room_id="r",
    check_in=DAY,
    check_out=DAY + dt.timedelta(days=2),
    card_number=CARD,
)
REGISTER = RegisterBooking(
    id="1", customer_id="ada", room_id="r", check_in=CREATE.check_in, check_out=CREATE.check_out
)


def bookings(folder: Path, **settings: Any) -> AbstractAsyncContextManager[Stage]:
    config = msgspec.structs.replace(CONFIG, **settings)
    wiring = unbooted([HOTEL], load_config(systems=[HOTEL]), folder)
    types = {name: type(make()) for name, make in services(wiring).items()}
    return stage(BookingService(config), folder, name="booking", others=types)


def messages_to(booking_id: str) -> dict[str, Any]:
    """Everything that a booking may be told, by name."""
    hold = HoldRoom(
        hold_id=booking_id,
        room_id="r",
        check_in=CREATE.check_in,
        check_out=CREATE.check_out,
        hold_s=300.0,
    )
    no = Refusal.conflict("no")
    asked = IntroduceCustomer(customer_id="ada", booking_id=booking_id)
    messages = [
        ADA,
        Refused(command=asked, refusal=Refusal.not_found("there is no customer ada")),
        RoomHeld(hold_id=booking_id, room_id="r", price=PRICE),
        Refused(command=hold, refusal=no),
        PaymentTaken(payment_id=booking_id),
        PaymentDeclined(payment_id=booking_id, reason="no funds"),
        PaymentFailed(payment_id=booking_id, reason="no answer"),
        HoldConfirmed(hold_id=booking_id),
        Refused(command=ConfirmHold(hold_id=booking_id), refusal=no),
        HoldExpired(hold_id=booking_id),
        AbandonBooking(booking_id=booking_id, begun_us=ManualClock().now_us()),
        HoldReleased(hold_id=booking_id),
        RefundAccepted(payment_id=booking_id, amount=PRICE.amount),
        PursueCancellation(booking_id=booking_id),
    ]
    return {_name(message): message for message in messages}


def _name(message: Any) -> str:
    name = type(message).__name__
    return f"{name} {type(message.command).__name__}" if name == "Refused" else name


# What each state waits for; whatever else it hears changes nothing.
WAITS_FOR = {
    "checking": {"CustomerIntroduced", "Refused IntroduceCustomer", "AbandonBooking"},
    "holding": {"RoomHeld", "Refused HoldRoom", "HoldExpired", "AbandonBooking"},
    "paying": {
        "PaymentTaken",
        "PaymentDeclined",
        "PaymentFailed",
        "HoldExpired",
        "AbandonBooking",
    },
    "confirming": {"HoldConfirmed", "Refused ConfirmHold", "HoldExpired", "AbandonBooking"},
    "confirmed": set(),
    "rejected": set(),
    "cancelling": {"HoldReleased", "RefundAccepted", "PursueCancellation"},
    "cancelled": set(),
}
ALL = sorted(messages_to("b"))


async def begin(on: Stage, state: str) -> str:
    """Create a booking, bring it into that state, and return its id."""
    if state != "checking":
        await on.ask(ADA)
    later = await on.ask(CREATE)
    assert isinstance(later, Later)
    booking_id: str = later.so_far.id
    told = messages_to(booking_id)
    ways = {
        "checking": [],
        "holding": [],
        "paying": ["RoomHeld"],
        "confirming": ["RoomHeld", "PaymentTaken"],
        "confirmed": ["RoomHeld", "PaymentTaken", "HoldConfirmed"],
        "cancelling": ["RoomHeld", "PaymentTaken", "HoldConfirmed"],
        "cancelled": ["RoomHeld", "PaymentTaken", "HoldConfirmed"],
        "rejected": ["RoomHeld", "PaymentDeclined"],
    }
    for name in ways[state]:
        await on.ask(told[name])
    if state.startswith("cancel"):
        await on.ask(CancelBooking(booking_id=booking_id))
    if state == "cancelled":
        await on.ask(told["HoldReleased"])
        await on.ask(told["RefundAccepted"])
    assert state_of(on, booking_id) == state
    return booking_id


def state_of(on: Stage, booking_id: str) -> Any:
    return on.rows("SELECT state FROM booking WHERE id = ?", booking_id)[0]["state"]
