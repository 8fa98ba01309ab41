"""How clients read the hotel's lists and things, and how they misuse what can be misused."""

from __future__ import annotations

from datetime import date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from actors.systems.hotel.scenario.books import BOOKINGS, CUSTOMERS, MAILS, ROOMS
from actors.systems.hotel.scenario.call import LIMITS, LISTS, MISUSES, PAUSES_S, THINGS
from actors.systems.hotel.scenario.judge_keys import KEY_FIELD, Expected

if TYPE_CHECKING:
    from actors.simulation.stage.client import Client, ClientReply
    from actors.systems.hotel.scenario.call import HotelCall
    from actors.systems.hotel.scenario.journal import Journal

NONE: Final = "none"
# That of the rooms that are there: other types are before it, and behind.
TYPE: Final = "double"
WRONG: Final = HTTPStatus.UNPROCESSABLE_ENTITY
# A long stay is in nobody's way but another's.
FAR_DAYS: Final = 30


async def browse(
    journal: Journal, client: Client, call: HotelCall, stay: tuple[str, str], guest: str
) -> None:
    """Read one list to its end."""
    what = LISTS[call.what]
    path = next(
        path
        for name, path in (
            ("bookings", BOOKINGS), ("customers", CUSTOMERS), ("rooms", ROOMS), ("mails", MAILS),
        )
        if name in what
    )  # fmt: skip
    query: dict[str, Any] = {"limit": LIMITS[call.limit]}
    if what.startswith("guest's"):
        query["customer_id"] = guest
    if what in {"room's bookings", "guest's bookings of the room"}:
        query["room_id"] = f"room-{call.room}"
    if what.startswith("free"):
        query["check_in"], query["check_out"] = stay
    if what.endswith("of a type"):
        query["type"] = TYPE
    await journal.walk(client, path, query, pause_s=PAUSES_S[call.lasts])


async def look_at(journal: Journal, client: Client, call: HotelCall, booking: str) -> None:
    """Read one thing."""
    if THINGS[call.what].endswith("sums"):
        key = booking if THINGS[call.what].startswith("the last booking") else None
        await journal.sum_up(client, key)
        return
    paths = {
        "the last booking": f"{BOOKINGS}/{booking}",
        "a room": f"{ROOMS}/room-{call.room}",
        "the guest": f"{CUSTOMERS}/guest",
        "no booking": f"{BOOKINGS}/{NONE}",
        "no room": f"{ROOMS}/{NONE}",
        "nobody": f"{CUSTOMERS}/{NONE}",
    }
    await journal.ask(client, "GET", paths[THINGS[call.what]])


async def misuse(  # noqa: C901, PLR0912, PLR0915 - one for each
    journal: Journal,
    client: Client,
    number: int,
    call: HotelCall,
    body: dict[str, Any],
    other_key: str,
) -> list[Expected]:
    """Ask for what makes no sense; `body` is a booking that does, `other_key` somebody's own."""
    key, room = f"m{number}", f"{ROOMS}/{NONE}"
    guest = {"name": f"odd {number}", "email": f"odd-{number}@example.org"}
    rate = {"amount": 1, "currency": "XXX"}
    expected: list[Expected] = []

    async def book(name: str = "", value: Any = None, *, key: str = key) -> ClientReply:
        changed = {**body, name: value} if name else body
        return await journal.ask(client, "POST", BOOKINGS, changed, key=key)

    async def fail(
        status: int, field: str | None, method: str, path: str, body: Any = None, **query: Any
    ) -> None:
        place = len(journal.exchanges)
        writes = None if method == "GET" else key
        await journal.ask(client, method, path, body, key=writes, query=query, wrong=True)
        exchange = journal.exchanges[place]
        expected.append(Expected(exchange=exchange, status=status, field=field))

    match MISUSES[call.what]:
        case "two bookings under one key":
            if (await book()).status not in {0, WRONG}:
                await fail(WRONG, KEY_FIELD, "POST", BOOKINGS, {**body, "room_id": "room-9"})
        case "two guests under one key":
            reply = await journal.ask(client, "POST", CUSTOMERS, guest, key=key)
            if reply.status:
                await fail(WRONG, KEY_FIELD, "POST", CUSTOMERS, {**guest, "name": "another"})
        case "another's key":
            await book(key=other_key)
        case "a room that is not there":
            await book("room_id", NONE)
        case "a guest who is not there":
            await book("customer_id", NONE)
        case "a stay of no night":
            await book("check_out", body["check_in"])
        case "a stay of ten years":
            await book("check_out", "2033-12-01")
        case "the longest stay" | "a stay of a night too many":
            nights = journal.nights_max + MISUSES[call.what].endswith("many")
            check_in = date.fromisoformat(body["check_in"]) + timedelta(days=FAR_DAYS)
            body = {**body, "check_in": check_in.isoformat()}
            await book("check_out", (check_in + timedelta(days=nights)).isoformat())
        case "an end of no booking":
            await journal.ask(client, "DELETE", f"{BOOKINGS}/{NONE}", key=key)
        case "a change of no room":
            await fail(404, None, "PATCH", room, {"status": "cleaning"})
        case "a card that is not":
            number_ = "4000000000000001"
            await fail(WRONG, "card_number", "POST", BOOKINGS, {**body, "card_number": number_})
        case "a field that is not":
            await fail(WRONG, "vip", "POST", BOOKINGS, {**body, "vip": True})
        case "a mail address that is not":
            await fail(WRONG, "email", "POST", CUSTOMERS, {**guest, "email": "nowhere"})
        case "a currency that is not":
            await fail(WRONG, "rate.currency", "POST", ROOMS, {"type": TYPE, "rate": rate})
        case "pages of nothing":
            await fail(WRONG, "limit", "GET", BOOKINGS, limit=0)
        case "half a stay":
            await fail(WRONG, "check_out", "GET", ROOMS, check_in=body["check_in"], limit=1)
    return expected
