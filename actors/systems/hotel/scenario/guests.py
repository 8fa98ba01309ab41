"""What the hotel's guests and its operator do, one call at a time, and what they are told."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.systems.hotel.scenario.call import (
    AHEAD_DAYS,
    ANEW_S,
    ASKED_S,
    CARDS,
    CLOSED_S,
    GUESTS,
    LATE_S,
    LISTS,
    MEANWHILE,
    RATES,
    STATUSES,
    STOPPED,
    STOPS_S,
    WITHDRAWN_S,
    HotelCall,
)
from actors.systems.hotel.scenario.journal import Journal, Stop, now_us
from actors.systems.hotel.scenario.judge_keys import Expected
from actors.systems.hotel.scenario.reading import NONE, browse, look_at, misuse

if TYPE_CHECKING:
    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client, ClientReply

# Guests have one name, and each an address.
NAME: Final = "Ada"
CURRENCIES: Final = ("EUR", "JPY", "CHF")
FREE_ROOMS: Final = HotelCall("browse", what=LISTS.index("free rooms"))
# How long who wants to cancel waits for somebody to have booked.
BOOKED_S_MAX: Final = 1.0
# What a program in Go writes behind a day: nothing, or a time that is on another day in UTC.
GO_TIMES: Final = ("", "T23:30:00-11:00", "T00:30:00+13:00")
# How long who has left stays away.
LEFT_S: Final = 0.05


class HotelGuests:
    """All of one run's. What they ask for and are told is in `journal`."""

    def __init__(self, nights_max: int, today: dt.date) -> None:
        """Nobody has booked yet; who wants the longest stay asks for `nights_max`.

        Stays are so many days behind `today`, the day it is in the hotel when a run begins.
        """
        self._today = today
        self.journal = Journal(nights_max)
        self.expected: list[Expected] = []
        # What was wrong as soon as it was answered.
        self.troubles: list[str] = []
        self._bookings: list[str] = []
        self._booked = asyncio.Event()
        # Of the last booking that was answered, whoever asked.
        self._last_key: str | None = None

    async def act(  # noqa: C901 - one for each kind
        self, client: Client, number: int, call: HotelCall, history: History
    ) -> None:
        """Do it, and where the call says so, a second time under the same key."""
        match call.kind:
            case "book" | "rent" | "share" | "late":
                await self._book(client, number, call, history)
            case "undo":
                booking = await self._book(client, number, call, history)
                if booking is not None:
                    await self._end(client, f"u{number}", call, booking, history)
            case "cancel":
                await self._cancel(client, number, call, history)
            case "register" | "name":
                await self._register(client, number, call, history)
            case "join" | "build":
                await self._create(client, number, call, history)
            case "look":
                await self._look(client, call, history)
            case "leave":
                await self._leave(client, number, call, history)
            case "withdraw":
                await self._withdraw(client, number, call, history)
            case "change":
                await self._change(client, number, call, history)
            case "browse" | "see" | "misuse":
                await self._read(client, number, call, history)
            case "stop":
                await self._stop(client, number, call, history)

    # --- Calls -------------------------------------------------------------------------------

    async def _book(
        self, client: Client, number: int, call: HotelCall, history: History
    ) -> str | None:
        """Return the booking's id, if there is one."""
        with history.invoke(client.name, str(call)) as attempt:
            path, body = self._wish(number, call)
            key = f"k{number}"
            reply = await self._ask_twice(client, "POST", path, body, key, call)
            if reply.status == 0:
                return None
            self._last_key = key
            booking = self._note_booking(reply)
            if call.kind in {"rent", "share"} and call.again:  # it stands as it is
                self._note_booking(
                    await self.journal.ask(client, "POST", path, body, key=f"n{number}")
                )
            if call.kind == "share" and call.again:  # the same id, and another booking
                other = self._another(number, call, body)
                self._note_booking(
                    await self.journal.ask(client, "POST", path, other, key=f"o{number}")
                )
            if call.kind == "late":
                await asyncio.sleep(LATE_S[call.lasts])
                await self.journal.ask(client, "POST", path, body, key=key)
            attempt.ok(reply.status)
            return booking

    def _note_booking(self, reply: ClientReply) -> str | None:
        if reply.status != HTTPStatus.CREATED:
            return None
        booking: str = reply.body.get("id") or reply.body["ID"]
        self._bookings.append(booking)
        self._booked.set()
        return booking

    async def _stop(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        """Stop a service for a while; somebody asks meanwhile for what needs it, or does not."""
        what, booking = MEANWHILE[call.what], None
        if what == "a booking anew":
            await self._book_in_vain(client, number, call)
        if what == "a cancellation":
            book = msgspec.structs.replace(call, kind="book")
            booking = await self._book(client, number, book, history)
        stop = Stop(service=STOPPED[call.service], begun_us=now_us())
        self.journal.stops.append(stop)
        await client.operate("suspend", stop.service)
        meanwhile: asyncio.Task[Any] | None = None
        if what.startswith("a booking"):
            kind = "rent" if what.endswith("anew") else "share" if call.room else "book"
            book = msgspec.structs.replace(call, kind=kind)
            meanwhile = asyncio.create_task(self._book(client, number, book, history))
        elif booking is not None:
            meanwhile = asyncio.create_task(self._end(client, f"u{number}", call, booking, history))
        try:
            await asyncio.sleep(STOPS_S[call.lasts])
            await client.operate("resume", stop.service)
            stop.ended_us = now_us()
        finally:
            if meanwhile is not None:
                await meanwhile

    async def _book_in_vain(self, client: Client, number: int, call: HotelCall) -> None:
        """Ask for a room that there is not; its id is as good as new a while later."""
        path, body = self._wish(number, msgspec.structs.replace(call, kind="rent"))
        await self.journal.ask(client, "POST", path, {**body, "RoomID": NONE}, key=f"v{number}")
        await asyncio.sleep(ANEW_S[number % len(ANEW_S)])

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
        path, body = self._wish(number, msgspec.structs.replace(call, kind="rent"))
        await self.journal.ask(client, "POST", path, body, key=f"n{number}")

    async def _leave(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        """Rent, and be gone before the answer; who comes back asks under the same key."""
        path, body = self._wish(number, msgspec.structs.replace(call, kind="rent"))
        key, patience_s = f"k{number}", WITHDRAWN_S[call.lasts]
        with history.invoke(client.name, str(call)) as attempt:
            await self.journal.ask(client, "POST", path, body, key=key, patience_s=patience_s)
            await asyncio.sleep(LEFT_S)
            reply = await self.journal.ask(client, "POST", path, body, key=key)
            self._note_booking(reply)
            attempt.ok(reply.status)

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
                await self.journal.ask(client, "DELETE", path, key=f"{key}-anew")
            if reply.status:
                await self.journal.ask(client, "GET", path)
                attempt.ok(reply.status)

    async def _change(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        """Close a room, and open it again at another rate; guests meet it as it is then.

        Whoever was about to book it has what was held for him.
        """
        booking: asyncio.Task[Any] | None = None
        if MEANWHILE[call.what] == "a booking":
            book = msgspec.structs.replace(call, kind="book")
            booking = asyncio.create_task(self._book(client, number, book, history))
            await asyncio.sleep(ASKED_S[number % len(ASKED_S)])
        try:
            await self._close_and_open(client, number, call, history)
        finally:
            if booking is not None:
                await booking

    async def _close_and_open(
        self, client: Client, number: int, call: HotelCall, history: History
    ) -> None:
        path = f"/api/v1/rooms/room-{call.room}"
        rate = {"amount": 10_000 + 7 * number, "currency": CURRENCIES[number % len(CURRENCIES)]}
        changes: list[dict[str, Any]] = [
            {"status": "maintenance", "number": f"{number}" if number % 3 else None},
            {"status": "available", "rate": rate},
        ]
        with history.invoke(client.name, str(call)) as attempt:
            for step, change in enumerate(changes):
                if step:  # it is closed
                    await browse(self.journal, client, FREE_ROOMS, self._stay(call), _guest(call))
                    await asyncio.sleep(CLOSED_S[call.lasts])
                key = f"c{number}-{step}"
                reply = await self._ask_twice(client, "PATCH", path, change, key, call)
                if reply.status == 0:
                    return
                if reply.status != HTTPStatus.OK or not change.items() <= reply.body.items():
                    self.troubles.append(f"{client.name}: {call} was answered {reply}")
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
            body = {"ID": f"r{call.room}", "Type": name, "Status": STATUSES[call.what]}
        with history.invoke(client.name, "cas", (None, name), key=key) as attempt:
            reply = await self._ask_twice(client, "POST", path, body, f"k{number}", call)
            if reply.status in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}:
                attempt.ok(reply.status == HTTPStatus.CREATED)
        if reply.status == HTTPStatus.CREATED:
            await self._register_again(client, number, path, body)
        if call.kind == "name" and reply.status:
            await self._book_new(client, number, call, room_id=f"r{call.room}")

    async def _register_again(
        self, client: Client, number: int, path: str, body: dict[str, Any]
    ) -> None:
        """What is known is the same as it was, or it is another: it differs in its last field."""
        other = {"Email": f"odd-{number}@example.org", "Status": "odd"}
        changed = {**body, **{name: other[name] for name in body.keys() & other.keys()}}
        for again, status in ((body, HTTPStatus.CREATED), (changed, HTTPStatus.CONFLICT)):
            place, key = len(self.journal.exchanges), f"{status.name}-{number}"
            await self.journal.ask(client, "POST", path, again, key=key, wrong=True)
            exchange = self.journal.exchanges[place]
            self.expected.append(Expected(exchange=exchange, status=status))

    async def _create(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        name = f"new-{number}"
        body: dict[str, Any] = {"name": NAME, "email": f"{name}@example.org"}
        path = "/api/v1/customers"
        if call.kind == "build":
            path = "/api/v1/rooms"
            amount, currency = RATES[call.what]
            body = {"type": name, "rate": {"amount": amount, "currency": currency}}
            if number % 2:
                body["number"] = name
        with history.invoke(client.name, "create", name) as attempt:
            reply = await self._ask_twice(client, "POST", path, body, f"k{number}", call)
            if reply.status != HTTPStatus.CREATED:
                return
            attempt.ok(reply.body["id"])
        new = "room_id" if call.kind == "build" else "customer_id"
        await self._book_new(client, number, call, **{new: reply.body["id"]})

    async def _book_new(self, client: Client, number: int, call: HotelCall, **changed: str) -> None:
        """Book where or for whom nobody has booked before."""
        path, body = self._wish(number, msgspec.structs.replace(call, kind="book"))
        key = f"b{number}"
        self._note_booking(
            await self.journal.ask(client, "POST", path, {**body, **changed}, key=key)
        )

    async def _look(self, client: Client, call: HotelCall, history: History) -> None:
        with history.invoke(client.name, "read", key=f"guest {call.guest}") as attempt:
            path = f"/api/v1/customers/g{call.guest}"
            reply = await self.journal.ask(client, "GET", path)
            if reply.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
                attempt.ok(reply.body["name"] if reply.status == HTTPStatus.OK else None)

    async def _read(self, client: Client, number: int, call: HotelCall, history: History) -> None:
        with history.invoke(client.name, str(call)) as attempt:
            if call.kind == "browse":
                await browse(self.journal, client, call, self._stay(call), _guest(call))
            elif call.kind == "see":
                booking = self._bookings[-1] if self._bookings else NONE
                await look_at(self.journal, client, call, booking)
            else:
                body = self._wish(number, msgspec.structs.replace(call, kind="book"))[1]
                others = self._last_key or f"m{number}"
                self.expected += await misuse(self.journal, client, number, call, body, others)
            attempt.ok()

    async def _ask_twice(
        self, client: Client, method: str, path: str, body: Any, key: str, call: HotelCall
    ) -> Any:
        reply = await self.journal.ask(client, method, path, body, key=key)
        if call.again and reply.status:
            await self.journal.ask(client, method, path, body, key=key)
        return reply

    def _stay(self, call: HotelCall) -> tuple[str, str]:
        night = 0 if call.ahead else call.night
        check_in = self._today + dt.timedelta(days=AHEAD_DAYS[call.ahead] + night)
        return check_in.isoformat(), (check_in + dt.timedelta(days=call.nights)).isoformat()

    def _another(self, number: int, call: HotelCall, body: dict[str, Any]) -> dict[str, Any]:
        """Return a tutorial's booking that differs from this one in one thing."""
        _, longer = self._wish(number, msgspec.structs.replace(call, nights=call.nights + 1))
        changed = (
            {"CheckOut": longer["CheckOut"]},
            {"CustomerID": GUESTS[0 if call.guest else -1]},
            {"RoomID": f"room-{1 - call.room}"},
        )
        return {**body, **changed[number % len(changed)]}

    def _wish(self, number: int, call: HotelCall) -> tuple[str, dict[str, Any]]:
        """Return where a booking is asked for, and how."""
        check_in, check_out = self._stay(call)
        if call.kind in {"rent", "share"}:
            return "/api/booking", {
                "ID": f"shared-{call.room}" if call.kind == "share" else f"rent-{number}",
                "CustomerID": _guest(call),
                "RoomID": f"room-{call.room}",
                "CheckIn": f"{check_in}{GO_TIMES[number % len(GO_TIMES)]}",
                "CheckOut": f"{check_out}{GO_TIMES[number % len(GO_TIMES)]}",
            }
        return "/api/v1/bookings", {
            "customer_id": _guest(call),
            "room_id": f"room-{call.room}",
            "check_in": check_in,
            "check_out": check_out,
            "card_number": CARDS[call.card],
        }


def _guest(call: HotelCall) -> str:
    return GUESTS[call.guest]
