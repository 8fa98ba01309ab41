"""All of the hotel on inline stores, with every message between its services in the test's hands.

What the runtime promises is given: FIFO per sender and receiver, each message applied once, effects
run at least once. Everything it leaves open is the test's to choose: who comes first, which
attempts of an effect fail, and what time it is. What comes of any order the simulation finds.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import defaultdict, deque
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.kernel.messages import GaveUp, Later, Refusal, Refused, type_of
from actors.service.bound_effect import bound_effects
from actors.system import unbooted
from actors.systems.hotel.card_processor.processor_messages import GetLedger
from actors.systems.hotel.card_processor.sandbox_cards import APPROVED_CARD
from actors.systems.hotel.config import HotelConfig
from actors.systems.hotel.messages import (
    Booking,
    CreateBooking,
    CreateCustomer,
    CreateRoom,
    GetBooking,
    ListBookings,
    ListMails,
    Money,
)
from actors.systems.hotel.system import HOTEL, services
from tests.systems.stage import stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from actors.service.service import Service
    from tests.systems.stage import Stage

RATE = Money(amount=10_001, currency="EUR")
ATTEMPTS_MAX = 3
CONFIG = msgspec.structs.replace(
    HotelConfig(), hold_s=300.0, booking_s_max=120.0, settle_retry_s=30.0
)
# Beyond every timer of a booking that nobody touches any more.
LONG_S = 1000.0

Channel = tuple[str, str]


class Effect(msgspec.Struct, eq=False):
    service: str
    message: Any
    attempts: int = 0


class Timer(msgspec.Struct, eq=False):
    due_us: int
    seq: int
    service: str
    message: Any


class House:
    """Asks are answered at once; what they cause moves when the test says so."""

    def __init__(self, stages: dict[str, Stage], makers: dict[str, Service]) -> None:
        self.stages = stages
        self.clock = stages["booking"].clock
        self._services = makers
        self._again_s = {
            message: effect.again_s
            for name, service in makers.items()
            for message, effect in bound_effects(name, service, load_config()).items()
        }
        self._seq = 0
        self.channels: defaultdict[Channel, deque[Any]] = defaultdict(deque)
        self.effects: list[Effect] = []
        self.timers: list[Timer] = []
        self.answers: dict[str, Any] = {}
        self.waiting: set[str] = set()

    # --- From outside ------------------------------------------------------------------------

    async def ask(self, service: str, message: Any) -> Any:
        """Run a message in its service; what it sends is on its way, and no further."""
        stage_ = self.stages[service]
        reply = await stage_.ask(message)
        if isinstance(reply, Later):
            assert reply.request not in self.waiting, "a request's name is its own"
            self.waiting.add(reply.request)
        self._collect(service, stage_)
        return reply

    async def room(self) -> str:
        room_id: str = (await self.ask("room", CreateRoom(type="double", rate=RATE))).id
        return room_id

    async def customer(self) -> str:
        new = CreateCustomer(name="Ada", email="ada@example.org")
        customer_id: str = (await self.ask("customer", new)).id
        return customer_id

    async def book(
        self,
        customer_id: str,
        room_id: str,
        *,
        check_in: dt.date,
        nights: int = 2,
        card_number: str = APPROVED_CARD,
    ) -> str:
        """Begin a booking and return its id."""
        reply = await self.ask(
            "booking",
            CreateBooking(
                customer_id=customer_id,
                room_id=room_id,
                check_in=check_in,
                check_out=check_in + dt.timedelta(days=nights),
                card_number=card_number,
            ),
        )
        assert isinstance(reply, Later)
        assert reply.so_far.status == "pending"
        booking_id: str = reply.so_far.id
        return booking_id

    async def booking(self, booking_id: str) -> Booking:
        found = await self.stages["booking"].ask(GetBooking(booking_id=booking_id))
        assert isinstance(found, Booking)
        return found

    # --- Inside ------------------------------------------------------------------------------

    def moves(self) -> list[Callable[[], Awaitable[None]]]:
        """Return what could happen next; stable in its order."""
        now_us = self.clock.now_us()
        waiting = [channel for channel, queue in sorted(self.channels.items()) if queue]
        due = [timer for timer in sorted(self.timers, key=_order) if timer.due_us <= now_us]
        return [
            *[partial(self.deliver, channel) for channel in waiting],
            *[partial(self.run_effect, effect) for effect in self.effects],
            *[partial(self.fire, timer) for timer in due],
        ]

    async def settle(self) -> None:
        """Let everything happen that is due, in the order in which it was caused."""
        while moves := self.moves():
            await moves[0]()

    async def run_out(self) -> None:
        """Let time pass until nothing but holds' and bookings' spent timers could be left."""
        await self.settle()
        for _ in range(4):
            self.clock.advance(LONG_S)
            await self.settle()

    async def deliver(self, channel: Channel) -> None:
        """Hand the oldest message of the channel to its receiver."""
        await self._apply(channel, self.channels[channel].popleft())

    async def fire(self, timer: Timer) -> None:
        self.timers.remove(timer)
        await self.ask(timer.service, timer.message)

    async def run_effect(self, effect: Effect, *, lost: bool = False) -> None:
        """Attempt it once; `lost` is a crash after it and before its outcome was applied."""
        try:
            outcome = await self.stages[effect.service].run_effect(effect.message)
        except TimeoutError as error:
            effect.attempts += 1
            if effect.attempts < ATTEMPTS_MAX:
                return
            again_s = self._again_s[type(effect.message)]
            if again_s is not None:
                if not lost:
                    self.effects.remove(effect)
                    self._start_timer(effect.service, again_s, effect.message)
                return
            outcome = GaveUp(command=effect.message, reason=str(error))
        if not lost:
            self.effects.remove(effect)
            await self.ask(effect.service, outcome)

    async def _apply(self, channel: Channel, message: Any) -> None:
        sender, receiver = channel
        reply = await self.ask(receiver, message)
        if isinstance(reply, Refusal):
            told = Refused(command=message, refusal=reply)
            handled = type(self._services[sender]).handlers
            assert type_of(told) in handled, f"{sender} does not hear that {reply}"
            self.channels[receiver, sender].append(told)

    def _collect(self, service: str, stage_: Stage) -> None:
        for receiver, message in stage_.sent:
            self.channels[service, receiver].append(message)
        handlers = type(self._services[service]).handlers
        for delay_s, message in stage_.timers:
            if handlers[type_of(message)].kind == "effect" and delay_s == 0:
                self.effects.append(Effect(service, message))
            else:
                self._start_timer(service, delay_s, message)
        for request, value in stage_.replies:
            assert request not in self.answers, "answered twice"
            self.answers[request] = value

    def _start_timer(self, service: str, delay_s: float, message: Any) -> None:
        self._seq += 1
        due_us = self.clock.now_us() + round(delay_s * 1_000_000)
        self.timers.append(Timer(due_us, self._seq, service, message))

    # --- What must hold ----------------------------------------------------------------------

    async def check(self) -> None:
        """Compare the services' books with each other, once nothing is on its way."""
        bookings = [
            booking
            for page in await self.stages["booking"].pages(ListBookings(limit=100))
            for booking in page
        ]
        assert {each.status for each in bookings} <= {"confirmed", "rejected", "cancelled"}
        assert self.waiting == set(self.answers), "every request is answered"
        self._check_nights([each for each in bookings if each.status == "confirmed"])
        mails = (await self.stages["notification"].pages(ListMails(limit=100)))[0]
        written = [(mail.booking_id, mail.kind) for mail in mails]
        assert len(written) == len(set(written)), "a mail is written twice"
        for booking in bookings:
            kinds = {kind for booking_id, kind in written if booking_id == booking.id}
            await self._check_money(booking, confirmed="booking_confirmed" in kinds)
            allowed: dict[str, list[set[str]]] = {
                "confirmed": [{"booking_confirmed"}],
                "rejected": [set()],
                # Before its guest was known, before it was confirmed, and afterwards.
                "cancelled": [
                    set(),
                    {"booking_cancelled"},
                    {"booking_confirmed", "booking_cancelled"},
                ][booking.price is not None :],
            }
            assert kinds in allowed[booking.status], booking
        assert self.stages["booking"].rows("SELECT * FROM waiting") == []
        open_cards = "SELECT * FROM booking WHERE card_number IS NOT NULL"
        assert self.stages["booking"].rows(open_cards) == []

    def _check_nights(self, confirmed: list[Booking]) -> None:
        nights = {
            (row["room_id"], row["night"], row["hold_id"])
            for row in self.stages["room"].rows("SELECT * FROM night")
        }
        assert nights == {
            (each.room_id, (each.check_in + dt.timedelta(days=day)).isoformat(), each.id)
            for each in confirmed
            for day in range((each.check_out - each.check_in).days)
        }
        holds = self.stages["room"].rows("SELECT id, state FROM hold")
        assert {(row["id"], row["state"]) for row in holds} == {
            (each.id, "confirmed") for each in confirmed
        }

    async def _check_money(self, booking: Booking, *, confirmed: bool) -> None:
        ledger = await self.stages["card_processor"].ask(GetLedger(charge_key=booking.id))
        kept = sum(each.taken - each.refunded for each in ledger.sums)
        if not confirmed:  # rejected, or cancelled while it was pending
            assert kept == 0, booking
            return
        assert booking.price is not None
        refund = 0 if booking.refund is None else booking.refund.amount
        assert kept == booking.price.amount - refund, booking


def _order(timer: Timer) -> tuple[int, int]:
    return timer.due_us, timer.seq


@contextlib.asynccontextmanager
async def house(folder: Path, **settings: Any) -> AsyncIterator[House]:
    """Open all of the hotel's services in this folder; `settings` replace `[hotel]`'s."""
    changes = msgspec.structs.asdict(msgspec.structs.replace(CONFIG, **settings))
    clock = ManualClock()
    built: list[House] = []

    async def ask(service: str, message: Any) -> Any:
        return await built[0].ask(service, message)

    shipped = load_config(systems=[HOTEL])
    wiring = unbooted([HOTEL], shipped.changed(HotelConfig, **changes), folder, ask)
    made = {name: make() for name, make in services(wiring).items()}
    types = {name: type(service) for name, service in made.items()}
    async with contextlib.AsyncExitStack() as stack:
        stages = {
            name: await stack.enter_async_context(
                stage(service, folder, name=name, others=types, clock=clock)
            )
            for name, service in made.items()
        }
        built.append(House(stages, made))
        yield built[0]
