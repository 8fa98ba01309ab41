"""The hotel: few rooms, few nights, every sandbox card: guests get in each other's way."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.simulation.check.exactly_once import check_exactly_once
from actors.simulation.check.linearizability import check_linearizability
from actors.simulation.check.standard_models import Register
from actors.simulation.stage.scenario import Scenario
from actors.systems.hotel.config import HotelConfig
from actors.systems.hotel.messages import RegisterCustomer, RegisterRoom
from actors.systems.hotel.scenario.books import Books
from actors.systems.hotel.scenario.call import (
    AHEAD_DAYS,
    CARDS,
    CLOSED_S,
    LATE_S,
    LISTS,
    ROOMS,
    STOPPED,
    STOPS_S,
    WITHDRAWN_S,
    HotelCall,
    choose_hotel_call,
)
from actors.systems.hotel.scenario.journal import Journal, Stop, now_us
from actors.systems.hotel.scenario.judge_bookings import judge_bookings
from actors.systems.hotel.scenario.judge_keys import Expected, judge_keys
from actors.systems.hotel.scenario.judge_reads import judge_reads
from actors.systems.hotel.scenario.reading import NONE, browse, look_at, misuse

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History, Operation
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client

# Nothing in a simulation is before this day, by the hotel's own calendar.
FIRST_DAY: Final = dt.date(2023, 11, 15)
# There it is tomorrow already when a simulation begins; it is so for an hour and three quarters.
TIME_ZONE: Final = "Europe/Helsinki"
FURNISHED: Final = {
    "customer": ("guest",),
    "room": tuple([f"room-{room}" for room in range(ROOMS)]),
    "booking": (),
}

# Times are short enough for a run to see their ends: a hold lasts about as long as a payment that
# takes long, which in a hotel's own configuration hardly ever happens.
HOLD_S: Final = 0.3
BOOKING_S_MAX: Final = 20.0
SETTLE_RETRY_S: Final = 5.0

FREE_ROOMS: Final = HotelCall("browse", what=LISTS.index("free rooms"))

# How long who wants to cancel waits for somebody to have booked.
BOOKED_S_MAX: Final = 1.0


class HotelScenario(Scenario):
    """Clients book, cancel and register; in the end all books agree, with each other and them."""

    call_type = HotelCall
    # Every timer of a booking has run out by then.
    rest_s = 3 * BOOKING_S_MAX

    def __init__(self) -> None:
        """Nobody has booked yet."""
        self._journal = Journal()
        self._expected: list[Expected] = []
        self._bookings: list[str] = []
        self._booked = asyncio.Event()
        # Of the last booking that was answered, whoever asked.
        self._last_key: str | None = None
        self._troubles: list[str] = []

    def configure(self, config: Config) -> Config:
        """Shorten the times until a run sees their ends."""
        return config.changed(
            HotelConfig,
            time_zone=TIME_ZONE,
            hold_s=HOLD_S,
            booking_s_max=BOOKING_S_MAX,
            settle_retry_s=SETTLE_RETRY_S,
        )

    async def furnish(self, system: ServiceSystem) -> None:
        """Put in the rooms, and a guest."""
        for room in range(ROOMS):
            await system.ask("room", RegisterRoom(id=f"room-{room}", type=NONE), timeout_s=60.0)
        guest = RegisterCustomer(id="guest", name="Ada", email="ada@example.org")
        await system.ask("customer", guest, timeout_s=60.0)

    def choose_call(self, choose: Chooser) -> HotelCall:
        """Choose what a guest does, or an operator."""
        return choose_hotel_call(choose)

    async def perform(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        """Do it, and where the call says so, a second time under the same key."""
        match call.kind:
            case "book" | "rent" | "share" | "late":
                await self._book(client, number, call, history)
            case "cancel":
                await self._cancel(client, number, call, history)
            case "register" | "name":
                await self._register(client, number, call, history)
            case "join" | "build":
                await self._create(client, number, call, history)
            case "look":
                await self._look(client, call, history)
            case "withdraw":
                await self._withdraw(client, number, call, history)
            case "change":
                await self._change(client, number, call, history)
            case "browse" | "see" | "misuse":
                await self._read(client, number, call, history)
            case "stop":
                stop = Stop(begun_us=now_us())
                self._journal.stops.append(stop)
                await client.operate("suspend", STOPPED[call.service])
                await asyncio.sleep(STOPS_S[call.lasts])
                await client.operate("resume", STOPPED[call.service])
                stop.ended_us = now_us()

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Compare all answers and all files with what the hotel's rules make of the requests."""
        hotel = config.section(HotelConfig)
        books = Books(self._journal, folder, clock, hotel, FURNISHED, calm=self.is_calm)
        found = [
            *self._troubles,
            *judge_bookings(books),
            *judge_reads(books),
            *judge_keys(books, self._expected),
        ]
        registered = [each for each in history.operations if each.key]
        verdict = check_linearizability(registered, Register())
        if not verdict.linearizable:
            found.append(str(verdict))
        found += check_exactly_once(history.operations, _made(books), effect_of=_created)
        return found

    # --- Calls -------------------------------------------------------------------------------

    async def _book(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        path, body = _wish(number, call)
        with history.invoke(client.name, str(call)) as attempt:
            key = f"k{number}"
            reply = await self._ask_twice(client, "POST", path, body, key, call)
            if reply.status == 0:
                return
            self._last_key = key
            if reply.status == HTTPStatus.CREATED:
                self._bookings.append(reply.body.get("id") or reply.body["ID"])
                self._booked.set()
            if call.kind == "late":
                await asyncio.sleep(LATE_S[call.lasts])
                await self._journal.ask(client, "POST", path, body, key=key)
            attempt.ok(reply.status)

    async def _withdraw(
        self, client: Client, number: int, call: HotelCall, history: History
    ) -> None:
        """Rent, and cancel meanwhile: whoever rents has a room that is cancelled, or none."""
        renting = asyncio.create_task(
            self._book(client, number, msgspec.structs.replace(call, kind="rent"), history)
        )
        try:
            await asyncio.sleep(WITHDRAWN_S[call.lasts])
            await self._end(client, f"w{number}", call, f"rent-{number}", history)
        finally:
            await renting

    async def _cancel(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(BOOKED_S_MAX):
                await self._booked.wait()
        if self._bookings:
            await self._end(client, f"k{number}", call, self._bookings[-1], history)

    async def _end(
        self, client: Client, key: str, call: HotelCall, booking: str, history: History
    ) -> None:
        with history.invoke(client.name, str(call), booking) as attempt:
            path = f"/api/v1/bookings/{booking}"
            reply = await self._ask_twice(client, "DELETE", path, None, key, call)
            if call.again:
                await self._journal.ask(client, "DELETE", path, key=f"{key}-anew")
            if reply.status:
                await self._journal.ask(client, "GET", path)
                attempt.ok(reply.status)

    async def _change(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        """Close a room, and open it again at another rate; guests meet it as it is then."""
        path = f"/api/v1/rooms/room-{call.room}"
        rate = {"amount": 10_000 + 7 * number, "currency": "EUR"}
        changes: list[dict[str, Any]] = [
            {"status": "maintenance"},
            {"status": "available", "rate": rate},
        ]
        with history.invoke(client.name, str(call)) as attempt:
            for step, change in enumerate(changes):
                if step:  # it is closed
                    await browse(self._journal, client, FREE_ROOMS, _stay(call), _guest(call))
                    await asyncio.sleep(CLOSED_S[call.lasts])
                key = f"c{number}-{step}"
                reply = await self._ask_twice(client, "PATCH", path, change, key, call)
                if reply.status == 0:
                    return
                if reply.status != HTTPStatus.OK or not change.items() <= reply.body.items():
                    self._troubles.append(f"{client.name}: {call} was answered {reply}")
            attempt.ok()

    async def _register(
        self, client: Client, number: int, call: HotelCall, history: History
    ) -> None:
        # The first to register an id decides who or what it is: all others are refused.
        name = f"{client.name} {number}"
        if call.kind == "register":
            path, key = "/api/customer", f"guest {call.guest}"
            # The tutorial's guests may have no address.
            email = f"g-{number}@example.org" if call.guest == 1 else ""
            body = {"ID": f"g{call.guest}", "Name": name, "Email": email}
        else:
            path, key = "/api/room", f"room {call.room}"
            body = {"ID": f"r{call.room}", "Type": name, "Status": "available"}
        with history.invoke(client.name, "cas", (None, name), key=key) as attempt:
            reply = await self._ask_twice(client, "POST", path, body, f"k{number}", call)
            if reply.status in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}:
                attempt.ok(reply.status == HTTPStatus.CREATED)

    async def _create(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        name = f"new {number}"
        body: dict[str, Any] = {"name": name, "email": f"new-{number}@example.org"}
        path = "/api/v1/customers"
        if call.kind == "build":
            path = "/api/v1/rooms"
            body = {"type": name, "rate": {"amount": 1 + number, "currency": "EUR"}}
        with history.invoke(client.name, "create", name) as attempt:
            reply = await self._ask_twice(client, "POST", path, body, f"k{number}", call)
            if reply.status == HTTPStatus.CREATED:
                attempt.ok(reply.body["id"])

    async def _look(self, client: Client, call: HotelCall, history: History) -> None:
        with history.invoke(client.name, "read", key=f"guest {call.guest}") as attempt:
            path = f"/api/v1/customers/g{call.guest}"
            reply = await self._journal.ask(client, "GET", path)
            if reply.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
                attempt.ok(reply.body["name"] if reply.status == HTTPStatus.OK else None)

    async def _read(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        with history.invoke(client.name, str(call)) as attempt:
            if call.kind == "browse":
                await browse(self._journal, client, call, _stay(call), _guest(call))
            elif call.kind == "see":
                booking = self._bookings[-1] if self._bookings else NONE
                await look_at(self._journal, client, call, booking)
            else:
                body = _wish(number, msgspec.structs.replace(call, kind="book"))[1]
                others = self._last_key or f"m{number}"
                self._expected += await misuse(self._journal, client, number, call, body, others)
            attempt.ok()

    async def _ask_twice(
        self, client: Client, method: str, path: str, body: Any, key: str, call: HotelCall
    ) -> Any:
        reply = await self._journal.ask(client, method, path, body, key=key)
        if call.again and reply.status:
            await self._journal.ask(client, method, path, body, key=key)
        return reply


def _stay(call: HotelCall) -> tuple[str, str]:
    night = 0 if call.ahead else call.night
    check_in = FIRST_DAY + dt.timedelta(days=AHEAD_DAYS[call.ahead] + night)
    return check_in.isoformat(), (check_in + dt.timedelta(days=call.nights)).isoformat()


def _guest(call: HotelCall) -> str:
    return f"g{call.guest}" if call.guest else "guest"


def _wish(number: int, call: HotelCall) -> tuple[str, dict[str, Any]]:
    """Return where a booking is asked for, and how."""
    check_in, check_out = _stay(call)
    if call.kind in {"rent", "share"}:
        return "/api/booking", {
            "ID": f"shared-{call.room}" if call.kind == "share" else f"rent-{number}",
            "CustomerID": _guest(call),
            "RoomID": f"room-{call.room}",
            "CheckIn": check_in,
            "CheckOut": check_out,
        }
    return "/api/v1/bookings", {
        "customer_id": _guest(call),
        "room_id": f"room-{call.room}",
        "check_in": check_in,
        "check_out": check_out,
        "card_number": CARDS[call.card],
    }


def _made(books: Books) -> list[str]:
    """Return the guests and rooms that were created, by their names."""
    names = [row["name"] for row in books.files["customer"]]
    names += [row["type"] for row in books.files["room"]]
    return [name for name in names if name.startswith("new ")]


def _created(operation: Operation) -> str | None:
    return operation.argument if operation.name == "create" else None
