"""A hotel's clients: what they asked, what they were told, and whether that was true."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import ActorError
from actors.kernel.messages import Accepted, Refusal
from actors.store.messaging.request_keys import KEY_FIELD
from actors.systems.hotel.invariants import SERVICES
from actors.systems.hotel.messages import (
    Booking,
    CancelBooking,
    CreateBooking,
    Customer,
    RegisterBooking,
    Room,
)

if TYPE_CHECKING:
    from tests.systems.fate import Fate
    from tests.systems.hotel.whole import Furnished, Whole

IMPATIENT_S = 0.002
UNKNOWN = -1


class Request(msgspec.Struct, eq=False):
    """What a client wants: its answers, and what it was told so far when it would not wait."""

    service: str
    message: Any
    key: str
    answers: list[Any] = msgspec.field(default_factory=list)
    so_far: list[Any] = msgspec.field(default_factory=list)


class Town:
    """A hotel and its clients."""

    def __init__(self, hotel: Whole, fate: Fate, furnished: Furnished) -> None:
        self.hotel = hotel
        self.fate = fate
        self.room_ids = list(furnished.room_ids)
        self.customer_ids = [furnished.customer_id]
        self.requests: list[Request] = []
        self._asking: set[asyncio.Task[None]] = set()

    def room(self, index: int) -> str:
        return "nowhere" if index == UNKNOWN else self.room_ids[index % len(self.room_ids)]

    def customer(self, index: int) -> str:
        if index == UNKNOWN:
            return "nobody"
        return self.customer_ids[index % len(self.customer_ids)]

    def booking_ids(self, *, pending: bool = False) -> list[str]:
        sql = "SELECT id FROM booking ORDER BY seq"
        if pending:
            states = "('checking', 'holding', 'paying', 'confirming')"
            sql = f"SELECT id FROM booking WHERE state IN {states} ORDER BY seq"
        with closing(sqlite3.connect(self.hotel.folder / "booking.db")) as connection:
            return [row[0] for row in connection.execute(sql)]

    def request(
        self, service: str, message: Any, *, key: str | None = None, impatient: bool = False
    ) -> None:
        """Let a client ask, under a key of its own if none is given."""
        request = Request(service, message, key or f"k{len(self.requests)}")
        self.requests.append(request)
        self.send(request, impatient=impatient)

    def send(self, request: Request, *, impatient: bool) -> None:
        """Ask, maybe again, and maybe for a very short time."""
        task = asyncio.get_running_loop().create_task(self._ask(request, impatient=impatient))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, request: Request, *, impatient: bool) -> None:
        limit: dict[str, Any] = {"timeout_s": IMPATIENT_S} if impatient else {}
        try:
            answer = await self.hotel.ask(
                request.service, request.message, key=request.key, **limit
            )
        except ActorError:
            return  # it may have been done, or not: the client asks again in the end
        if isinstance(answer, Accepted):
            request.so_far.append(answer.value)
            return
        request.answers.append(answer)
        if isinstance(answer, Room) and answer.id not in self.room_ids:
            self.room_ids.append(answer.id)
        if isinstance(answer, Customer) and answer.id not in self.customer_ids:
            self.customer_ids.append(answer.id)

    async def end_process(self) -> None:
        """Let the process die, and every client's connection with it; start another."""
        for task in self._asking:
            task.cancel()
        if self._asking:
            await asyncio.wait(self._asking)
        await self.hotel.die()
        await self.hotel.boot()

    async def turn(self, count: int) -> None:
        """Let the loop turn so often; the process may die of itself meanwhile."""
        for _ in range(count):
            if self.fate.dead:
                await self.end_process()
            await asyncio.sleep(0)

    async def rest(self) -> None:
        """Let everything end that has begun, by itself, and then every timer."""
        await self.fate.spare()
        await self.turn(1)
        for name in SERVICES:
            self.hotel.system.resume(name)
        await self.hotel.settle()
        if self._asking:
            _, pending = await asyncio.wait(self._asking, timeout=1.0)
            assert not pending, "an ask has no end"
        self.hotel.check()
        await self.hotel.run_out()
        self.hotel.check()

    async def ask_again(self) -> None:
        """Let every client ask again with each of its keys, and get an answer."""
        before = [len(request.answers) for request in self.requests]
        for request in self.requests:
            self.send(request, impatient=False)
        await self.rest()
        for request, count in zip(self.requests, before, strict=True):
            assert len(request.answers) > count, f"no answer to {request}"

    def check_answers(self) -> None:
        """A key has one answer, and what was acknowledged stands."""
        keys = defaultdict(list)
        for request in self.requests:
            keys[request.key].append(request)
        owners = [owner_of(requests) for requests in keys.values()]
        with closing(sqlite3.connect(self.hotel.folder / "booking.db")) as connection:
            states = dict(connection.execute("SELECT id, state FROM booking").fetchall())
        cancelled = {
            each.message.booking_id for each in owners if isinstance(each.message, CancelBooking)
        }
        for request in owners:
            check_answers(request, states, cancelled)
        # Late in a script the clock has gone past some days.
        created = sum(
            isinstance(each.message, CreateBooking) and not is_past(each.answers[0])
            for each in owners
        )
        registered = {
            each.message.id for each in owners if isinstance(each.message, RegisterBooking)
        }
        assert len(states) == created + len(registered), "each key has one booking"


def owner_of(requests: list[Request]) -> Request:
    """Return whose key it is; whoever used it for something else was always told so."""
    owners = []
    for request in requests:
        misused = [
            isinstance(each, Refusal) and each.field == KEY_FIELD for each in request.answers
        ]
        assert all(misused) or not any(misused), requests
        if not misused[0]:
            owners.append(request)
    # What was invalid has left its key to whoever came next.
    users = [each for each in owners if not all(is_invalid(answer) for answer in each.answers)]
    assert all(each.message == users[0].message for each in users), requests
    return users[0] if users else owners[0]


def is_invalid(answer: Any) -> bool:
    return isinstance(answer, Refusal) and answer.kind == "invalid"


def is_past(answer: Any) -> bool:
    return isinstance(answer, Refusal) and answer.field == "check_in"


def check_answers(request: Request, states: dict[str, str], cancelled: set[str]) -> None:
    """All answers are equal, and true."""
    answer = request.answers[0]
    assert all(each == answer for each in request.answers), request
    if isinstance(answer, Refusal) and "was cancelled" in answer.detail:
        assert set(states) & cancelled, request
    if not isinstance(answer, Booking):
        return
    assert all(each.id == answer.id for each in request.so_far), request
    if isinstance(request.message, CancelBooking):
        assert (answer.status, states[answer.id]) == ("cancelled", "cancelled"), request
    elif states[answer.id] != "confirmed":
        assert states[answer.id] == "cancelled", request
        assert answer.id in cancelled, request
