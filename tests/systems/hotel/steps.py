"""What may happen to a hotel: the steps of a script, and how Hypothesis writes one."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import msgspec
from hypothesis import strategies as st

from actors.systems.hotel.card_processor.sandbox_cards import APPROVED_CARD, SANDBOX_CARDS
from actors.systems.hotel.invariants import SERVICES
from actors.systems.hotel.messages import (
    CancelBooking,
    ChangeRoom,
    CreateBooking,
    CreateCustomer,
    CreateRoom,
    Money,
    RegisterBooking,
    RoomStatus,
)
from tests.systems.fate import Death
from tests.systems.hotel.town import UNKNOWN
from tests.systems.hotel.whole import RATE

if TYPE_CHECKING:
    from tests.systems.hotel.town import Town

DAY = dt.date(2023, 11, 24)  # ten days after the clock's start
# A cancellation's next attempt, a booking's end, a hold's, and days that change the refund.
JUMPS_S = [31.0, 121.0, 301.0, 5 * 86_400.0]


class Step(msgspec.Struct, frozen=True):
    """One thing that happens; `who` and `which` are taken modulo what there is."""

    async def do(self, town: Town) -> None:
        raise NotImplementedError


class Create(Step, frozen=True):
    customer: int
    room: int
    day: int
    nights: int
    card_number: str
    impatient: bool

    async def do(self, town: Town) -> None:
        check_in = DAY + dt.timedelta(days=self.day)
        wish = CreateBooking(
            customer_id=town.customer(self.customer),
            room_id=town.room(self.room),
            check_in=check_in,
            check_out=check_in + dt.timedelta(days=self.nights),
            card_number=self.card_number,
        )
        town.request("booking", wish, impatient=self.impatient)


class Register(Step, frozen=True):
    """As the tutorial does: under an id that others may have taken."""

    number: int
    room: int
    day: int

    async def do(self, town: Town) -> None:
        wish = RegisterBooking(
            id=f"r{self.number}",
            customer_id=town.customer(0),
            room_id=town.room(self.room),
            check_in=DAY + dt.timedelta(days=self.day),
            check_out=DAY + dt.timedelta(days=self.day + 1),
        )
        town.request("booking", wish)


class Cancel(Step, frozen=True):
    which: int
    impatient: bool

    async def do(self, town: Town) -> None:
        if ids := town.booking_ids():
            wish = CancelBooking(booking_id=ids[self.which % len(ids)])
            town.request("booking", wish, impatient=self.impatient)


class Withdraw(Step, frozen=True):
    """Cancel a booking that is pending, if there is one."""

    which: int
    impatient: bool

    async def do(self, town: Town) -> None:
        if ids := town.booking_ids(pending=True):
            wish = CancelBooking(booking_id=ids[self.which % len(ids)])
            town.request("booking", wish, impatient=self.impatient)


class Change(Step, frozen=True):
    """Take a room away or give it back, at another rate."""

    room: int
    status: RoomStatus
    amount: int

    async def do(self, town: Town) -> None:
        rate = Money(amount=self.amount, currency=RATE.currency)
        wish = ChangeRoom(room_id=town.room(self.room), status=self.status, rate=rate)
        town.request("room", wish)


class NewCustomer(Step, frozen=True):
    async def do(self, town: Town) -> None:
        town.request("customer", CreateCustomer(name="Grace", email="grace@example.org"))


class NewRoom(Step, frozen=True):
    async def do(self, town: Town) -> None:
        town.request("room", CreateRoom(type="single", rate=RATE))


class Again(Step, frozen=True):
    """The same request with the same key, whether the first is under way or answered."""

    which: int
    impatient: bool

    async def do(self, town: Town) -> None:
        if town.requests:
            town.send(town.requests[self.which % len(town.requests)], impatient=self.impatient)


class Misuse(Step, frozen=True):
    """Another request with the same key."""

    which: int

    async def do(self, town: Town) -> None:
        if town.requests:
            request = town.requests[self.which % len(town.requests)]
            if isinstance(request.message, CreateBooking):
                longer = request.message.check_out + dt.timedelta(days=7)
                other = msgspec.structs.replace(request.message, check_out=longer)
                town.request("booking", other, key=request.key)


class Signal(Step, frozen=True):
    signal: str
    service: str

    async def do(self, town: Town) -> None:
        getattr(town.hotel.system, self.signal)(self.service)


class Jump(Step, frozen=True):
    seconds: float

    async def do(self, town: Town) -> None:
        town.hotel.clock.advance(self.seconds)


class Wait(Step, frozen=True):
    """For the runtime's own timers, of a millisecond or two."""

    async def do(self, town: Town) -> None:
        await asyncio.sleep(0.003)


class Doom(Step, frozen=True):
    """The service, or all of the process, dies with a commit of the service that is to come."""

    service: str
    commits: int
    death: Death

    async def do(self, town: Town) -> None:
        town.fate.dooms[self.service] = (self.commits, self.death)


class Die(Step, frozen=True):
    async def do(self, town: Town) -> None:
        await town.end_process()


# --- Scripts ---------------------------------------------------------------------------------

few = st.integers(0, 3)
some = st.sampled_from([0, 0, 1, 1, 2, 3, 4, UNKNOWN])
impatient = st.sampled_from([False, False, True])
cards = st.just(APPROVED_CARD) | st.sampled_from(sorted(SANDBOX_CARDS))
creates = st.builds(
    Create,
    customer=some,
    room=some,
    day=few,
    nights=st.integers(1, 3),
    card_number=cards,
    impatient=impatient,
)
signals = st.builds(
    Signal,
    st.sampled_from(["kill", "kill", "suspend", "resume", "restart"]),
    st.sampled_from(SERVICES),
)
dooms = st.builds(
    Doom,
    service=st.sampled_from(["booking", *SERVICES]),
    commits=few,
    death=st.builds(Death, after=st.booleans(), process=st.sampled_from([False, False, True])),
)
steps = st.one_of(
    creates,
    creates,
    st.builds(Register, number=st.integers(0, 1), room=some, day=few),
    st.builds(Cancel, which=st.integers(0, 9), impatient=impatient),
    st.builds(Cancel, which=st.integers(0, 9), impatient=impatient),
    st.builds(Withdraw, which=few, impatient=impatient),
    st.builds(
        Change,
        room=some,
        status=st.sampled_from(["available", "available", "maintenance"]),
        amount=st.integers(0, 2),
    ),
    st.builds(Again, which=st.integers(0, 9), impatient=impatient),
    st.builds(Misuse, which=st.integers(0, 9)),
    st.builds(NewCustomer),
    st.builds(NewRoom),
    signals,
    signals,
    signals,
    st.builds(Jump, st.sampled_from(JUMPS_S)),
    st.builds(Wait),
    st.builds(Die),
    dooms,
    dooms,
)
# Most bookings are over in some sixty turns.
scripts = st.lists(
    st.tuples(st.lists(steps, min_size=1, max_size=8), st.integers(0, 60)), min_size=1, max_size=12
)
Script = list[tuple[list[Step], int]]
# Whichever ends first, a booking that nobody answers or its hold, ends the other.
limits = st.sampled_from([(120.0, 300.0), (300.0, 120.0)])
