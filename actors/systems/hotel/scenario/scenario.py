"""The hotel: few rooms, few nights, every sandbox card: guests get in each other's way."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from contextlib import closing, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.simulation.check.exactly_once import check_exactly_once
from actors.simulation.check.linearizability import check_linearizability
from actors.simulation.check.standard_models import Register
from actors.simulation.stage.scenario import Scenario
from actors.systems.hotel.config import HotelConfig
from actors.systems.hotel.messages import RegisterCustomer, RegisterRoom
from actors.systems.hotel.scenario.call import (
    CARDS,
    ROOMS,
    STOPPED,
    STOPS_S,
    WITHDRAWN_S,
    HotelCall,
    choose_hotel_call,
)

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History, Operation
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client

# Ten days after the simulated clock's start: a cancellation is free, until clocks are set forward.
FIRST_NIGHT: Final = dt.date(2023, 11, 24)

# Times are short enough for a run to see their ends: a hold lasts about as long as a payment that
# takes long, which in a hotel's own configuration hardly ever happens.
HOLD_S: Final = 0.3
BOOKING_S_MAX: Final = 20.0
SETTLE_RETRY_S: Final = 5.0

# How long who wants to cancel waits for somebody to have booked.
BOOKED_S_MAX: Final = 1.0


class HotelScenario(Scenario):
    """Clients book, cancel and register; in the end all books agree, with each other and them."""

    call_type = HotelCall
    # Every timer of a booking has run out by then.
    rest_s = 3 * BOOKING_S_MAX

    def __init__(self) -> None:
        """Nobody has booked yet."""
        self._bookings: list[str] = []
        self._booked = asyncio.Event()
        self._confirmed: dict[str, str] = {}
        self._cancelled: dict[str, str] = {}
        self._past: list[dt.date] = []
        self._troubles: list[str] = []

    def configure(self, config: Config) -> Config:
        """Shorten the times until a run sees their ends."""
        return config.changed(
            HotelConfig, hold_s=HOLD_S, booking_s_max=BOOKING_S_MAX, settle_retry_s=SETTLE_RETRY_S
        )

    async def furnish(self, system: ServiceSystem) -> None:
        """Put in the rooms, and a guest."""
        for room in range(ROOMS):
            await system.ask("room", RegisterRoom(id=f"room-{room}"), timeout_s=60.0)
        guest = RegisterCustomer(id="guest", name="Ada", email="ada@example.org")
        await system.ask("customer", guest, timeout_s=60.0)

    def choose_call(self, choose: Chooser) -> HotelCall:
        """Choose what a guest does, or an operator."""
        return choose_hotel_call(choose)

    async def perform(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        """Do it, and where the call says so, a second time under the same key."""
        match call.kind:
            case "book" | "rent":
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
                await self._change(client, number, call)
            case "stop":
                await client.operate("suspend", STOPPED[call.service])
                await asyncio.sleep(STOPS_S[call.lasts])
                await client.operate("resume", STOPPED[call.service])

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Compare the books with what the clients were told."""
        del config
        found = list(self._troubles)
        today = clock.now_us() // (86_400 * 1_000_000) + dt.date(1970, 1, 1).toordinal()
        found += [f"{day} was said to be over" for day in self._past if day.toordinal() >= today]
        states = self._states(folder)
        for booking, who in self._confirmed.items():
            allowed = {"cancelled"} if booking in self._cancelled else {"confirmed", "cancelled"}
            if states.get(booking) not in allowed:
                found.append(f"{who} was told that {booking} is confirmed: {states.get(booking)}")
        for booking, who in self._cancelled.items():
            if states.get(booking) != "cancelled":
                found.append(f"{who} was told that {booking} is cancelled: {states.get(booking)}")
        registered = [each for each in history.operations if each.key]
        verdict = check_linearizability(registered, Register())
        if not verdict.linearizable:
            found.append(str(verdict))
        found += check_exactly_once(history.operations, self._created(folder), effect_of=_created)
        return found

    # --- Calls -------------------------------------------------------------------------------

    async def _book(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        check_in = FIRST_NIGHT + dt.timedelta(days=call.night)
        dates = (check_in.isoformat(), (check_in + dt.timedelta(days=call.nights)).isoformat())
        room, guest = f"room-{call.room}", f"g{call.guest}" if call.guest else "guest"
        path = "/api/v1/bookings"
        body: dict[str, Any] = {
            "customer_id": guest,
            "room_id": room,
            "check_in": dates[0],
            "check_out": dates[1],
            "card_number": CARDS[call.card],
        }
        if call.kind == "rent":
            path = "/api/booking"
            body = {
                "ID": f"rent-{number}",
                "CustomerID": guest,
                "RoomID": room,
                "CheckIn": dates[0],
                "CheckOut": dates[1],
            }
        with history.invoke(client.name, str(call)) as attempt:
            reply = await self._ask_twice(client, "POST", path, body, f"k{number}", call)
            if reply.status == 0:
                return
            if reply.status == HTTPStatus.CREATED:
                booking = reply.body.get("id") or reply.body["ID"]
                self._bookings.append(booking)
                self._booked.set()
                self._confirmed[booking] = client.name
            elif reply.status == HTTPStatus.UNPROCESSABLE_ENTITY and call.kind == "book":
                self._past.append(check_in)
            elif reply.status != HTTPStatus.CONFLICT and not (
                call.guest and reply.status == HTTPStatus.NOT_FOUND
            ):
                self._troubles.append(f"{client.name}: {call} was answered {reply}")
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
            booking = f"rent-{number}"
            with history.invoke(client.name, str(call), booking) as attempt:
                path = f"/api/v1/bookings/{booking}"
                reply = await self._ask_twice(client, "DELETE", path, None, f"w{number}", call)
                if reply.status == HTTPStatus.OK and reply.body["status"] == "cancelled":
                    self._cancelled[booking] = client.name
                # It may not be there yet, or be rejected already.
                elif reply.status not in {0, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                    self._troubles.append(f"{client.name}: {call} was answered {reply}")
                if reply.status:
                    attempt.ok(reply.status)
        finally:
            await renting

    async def _change(self, client: Client, number: int, call: HotelCall) -> None:
        """Close a room, and open it again at another rate; guests meet it as it is then."""
        path = f"/api/v1/rooms/room-{call.room}"
        rate = {"amount": 10_000 + number, "currency": "EUR"}
        changes: list[dict[str, Any]] = [
            {"status": "maintenance"},
            {"status": "available", "rate": rate},
        ]
        for step, change in enumerate(changes):
            reply = await self._ask_twice(client, "PATCH", path, change, f"c{number}-{step}", call)
            if reply.status and (
                reply.status != HTTPStatus.OK or not change.items() <= reply.body.items()
            ):
                self._troubles.append(f"{client.name}: {call} was answered {reply}")

    async def _cancel(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(BOOKED_S_MAX):
                await self._booked.wait()
        if not self._bookings:
            return
        booking = self._bookings[-1]
        with history.invoke(client.name, str(call), booking) as attempt:
            path = f"/api/v1/bookings/{booking}"
            reply = await self._ask_twice(client, "DELETE", path, None, f"k{number}", call)
            if reply.status == 0:
                return
            if reply.status == HTTPStatus.OK and reply.body["status"] == "cancelled":
                self._cancelled[booking] = client.name
            else:
                self._troubles.append(f"{client.name}: {call} was answered {reply}")
            attempt.ok(reply.status)

    async def _register(
        self, client: Client, number: int, call: HotelCall, history: History
    ) -> None:
        # The first to register an id decides who or what it is: all others are refused.
        name = f"{client.name} {number}"
        if call.kind == "register":
            path, key = "/api/customer", f"guest {call.guest}"
            body = {"ID": f"g{call.guest}", "Name": name, "Email": "a@example.org"}
        else:
            path, key = "/api/room", f"room {call.room}"
            body = {"ID": f"r{call.room}", "Type": name, "Status": "available"}
        with history.invoke(client.name, "cas", (None, name), key=key) as attempt:
            reply = await self._ask_twice(client, "POST", path, body, f"k{number}", call)
            if reply.status in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}:
                attempt.ok(reply.status == HTTPStatus.CREATED)

    async def _create(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        name = f"new {number}"
        body: dict[str, Any] = {"name": name, "email": "a@example.org"}
        path = "/api/v1/customers"
        if call.kind == "build":
            path = "/api/v1/rooms"
            body = {"type": name, "rate": {"amount": 1, "currency": "EUR"}}
        with history.invoke(client.name, "create", name) as attempt:
            reply = await self._ask_twice(client, "POST", path, body, f"k{number}", call)
            if reply.status == HTTPStatus.CREATED:
                attempt.ok(reply.body["id"])

    async def _look(self, client: Client, call: HotelCall, history: History) -> None:
        with history.invoke(client.name, "read", key=f"guest {call.guest}") as attempt:
            reply = await client.ask("GET", f"/api/v1/customers/g{call.guest}")
            if reply.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
                attempt.ok(reply.body["name"] if reply.status == HTTPStatus.OK else None)

    async def _ask_twice(
        self, client: Client, method: str, path: str, body: Any, key: str, call: HotelCall
    ) -> Any:
        reply = await client.ask(method, path, body, key=key)
        if call.again and reply.status:
            second = await client.ask(method, path, body, key=key)
            if second.status and second != reply:
                self._troubles.append(
                    f"{client.name}: {call} under one key was answered {reply}, then {second}"
                )
        return reply

    @staticmethod
    def _created(folder: Path) -> list[str]:
        found: list[str] = []
        for file, sql in (
            ("customer", "SELECT name FROM customer WHERE name LIKE 'new %' ORDER BY seq"),
            ("room", "SELECT type FROM room WHERE type LIKE 'new %' ORDER BY seq"),
        ):
            with closing(sqlite3.connect(folder / f"{file}.db")) as connection:
                found += [row[0] for row in connection.execute(sql)]
        return found

    @staticmethod
    def _states(folder: Path) -> dict[str, str]:
        with closing(sqlite3.connect(folder / "booking.db")) as connection:
            return dict(connection.execute("SELECT id, state FROM booking").fetchall())


def _created(operation: Operation) -> str | None:
    return operation.argument if operation.name == "create" else None
