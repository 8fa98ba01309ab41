"""Bookings over HTTP: made, found, listed, cancelled, paid by every card of the sandbox."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from actors.systems.hotel.card_processor.sandbox_cards import CardBehavior
from tests.http_edge.serving import is_problem
from tests.system.client import connected
from tests.system.conftest import IMPATIENT_S
from tests.system.guests import (
    BOOKINGS,
    CARD,
    FIRST_DAY,
    RATE,
    at_rest,
    check_books,
    ended,
    new_customers,
    new_rooms,
    stay,
)

if TYPE_CHECKING:
    from actors.testing.live_system import LiveSystem
    from tests.system.client import Client
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time

# Each attempt after the first waits for the breaker: longer than the deadline, all together.
SLOW_PAYMENT = (
    "effect.silence_s=0.000001",
    "breaker.window_calls=1",
    "breaker.calls_min=1",
    "breaker.open_s=1",
)


async def test_a_booking_is_confirmed_found_and_listed_also_after_a_restart(
    hotels: Processes,
) -> None:
    """201 with its price and address; pages by cursor; filters by customer, room, and both."""
    process = hotels.boot()
    async with connected(process) as client:
        rooms, guests = await new_rooms(client, 2), await new_customers(client, 2)
        created = []
        for day, (guest, room) in enumerate(((0, 0), (0, 1), (1, 0), (0, 0))):
            body = stay(guests[guest], rooms[room], day, nights=2 if room else 1)
            reply = await client.send("POST", BOOKINGS, json=body)
            assert reply.status == 201, reply.body
            created.append(reply.json)
            price = {"amount": RATE * (2 if room else 1), "currency": "EUR"}
            assert reply.json == body | {
                "id": reply.json["id"],
                "status": "confirmed",
                "price": price,
                "refund": None,
                "reason": None,
            }
            assert reply.headers["Location"] == f"{BOOKINGS}/{reply.json['id']}"
        is_problem(await client.send("GET", f"{BOOKINGS}/nobody"), 404)
    assert await asyncio.to_thread(process.stop) == 0
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        for each in created:
            reply = await client.send("GET", f"{BOOKINGS}/{each['id']}")
            assert (reply.status, reply.json) == (200, each)
        for query, wanted in (
            ("", created),
            (f"customer_id={guests[0]}&", [created[0], created[1], created[3]]),
            (f"room_id={rooms[0]}&", [created[0], created[2], created[3]]),
            (f"customer_id={guests[0]}&room_id={rooms[0]}&", [created[0], created[3]]),
            ("customer_id=nobody&", []),
        ):
            assert await pages(client, f"{BOOKINGS}?{query}limit=2") == wanted
        await at_rest(client)
        check_books(process.data_dir)


async def pages(client: Client, path: str) -> list[dict[str, Any]]:
    """Return the items of all pages, and check that none but the last holds less than two."""
    found = [(await client.send("GET", path)).json]
    while found[-1]["next"] is not None:
        assert len(found[-1]["items"]) == 2
        found.append((await client.send("GET", f"{path}&after={found[-1]['next']}")).json)
    return [item for page in found for item in page["items"]]


async def test_what_is_wrong_with_a_booking_is_named(hotel: LiveSystem) -> None:
    """404 whom or what nobody knows, 409 taken, 422 the field, 400 malformed; nothing is sold."""
    async with connected(hotel) as client:
        (room,), (guest,) = await new_rooms(client, 1), await new_customers(client, 1)
        body = stay(guest, room, nights=3)
        for field in ("customer_id", "room_id"):
            unknown = await client.send("POST", BOOKINGS, json=body | {field: "nobody"})
            is_problem(unknown, 404)
            assert "nobody" in unknown.json["detail"]
        for wrong, field in (
            ({"check_out": body["check_in"]}, "check_out"),
            ({"check_out": "2099-12-31"}, "check_out"),
            ({"check_out": "2101-02-01"}, "check_out"),  # longer than hotel.nights_max
            ({"check_in": "2100-02-30"}, "check_in"),
            ({"check_in": "tomorrow"}, "check_in"),
            ({"check_in": None}, "check_in"),
            ({"card_number": "4111111111111111"}, "card_number"),
            ({"nonsense": 1}, "nonsense"),
            ({"customer_id": ""}, "customer_id"),
        ):
            reply = await client.send("POST", BOOKINGS, json=body | wrong)
            is_problem(reply, 422, field)
            assert "4111" not in str(reply.json)
        for field in ("customer_id", "room_id", "check_in", "check_out"):
            less = {key: value for key, value in body.items() if key != field}
            is_problem(await client.send("POST", BOOKINGS, json=less), 422, field)
        is_problem(await client.send("POST", BOOKINGS, data=b'{"customer_id'), 400)
        is_problem(await client.send("PUT", BOOKINGS, json=body), 405)
        is_problem(await client.send("GET", f"{BOOKINGS}?status=confirmed"), 422, "status")
        is_problem(await client.send("GET", f"{BOOKINGS}?after=x"), 422, "after")
        assert (await client.create(BOOKINGS, body))["status"] == "confirmed"
        for day in (-1, 0, 2):
            taken = await client.send("POST", BOOKINGS, json=stay(guest, room, day, nights=2))
            is_problem(taken, 409)
            assert "taken" in taken.json["detail"]
        # Half-open: one leaves in the morning, another comes in the afternoon.
        for day in (-1, 3):
            await client.create(BOOKINGS, stay(guest, room, day))
        await at_rest(client)
        check_books(hotel.data_dir)


@pytest.mark.parametrize("behavior", list(CardBehavior))
async def test_each_card_does_as_the_sandbox_says(
    hotel: LiveSystem, behavior: CardBehavior
) -> None:
    """201 or 409 with the reason, the room sold or free, and the ledger balanced."""
    key = {"Idempotency-Key": behavior.name}
    confirmed = behavior in {CardBehavior.APPROVES, CardBehavior.LOSES_FIRST_ANSWER}
    async with connected(hotel) as client:
        (room,), (guest,) = await new_rooms(client, 1), await new_customers(client, 1)
        body = stay(guest, room, card=CARD[behavior])
        reply = await client.send("POST", BOOKINGS, json=body, headers=key)
        if confirmed:
            assert (reply.status, reply.json["status"]) == (201, "confirmed")
        else:
            is_problem(reply, 409)
            (booking,) = await pages(client, f"{BOOKINGS}?customer_id={guest}&limit=2")
            assert (booking["status"], booking["reason"]) == ("rejected", reply.json["detail"])
        again = await client.send("POST", BOOKINGS, json=body, headers=key)
        assert (again.status, again.body) == (reply.status, reply.body)
        another = await client.send("POST", BOOKINGS, json=stay(guest, room))
        assert another.status == (409 if confirmed else 201)
        await at_rest(client)
        check_books(hotel.data_dir)
        assert CARD[behavior] not in hotel.log


async def test_a_cancelled_booking_is_refunded_and_its_nights_are_free(
    hotels: Processes,
) -> None:
    """200 however often; in full, by half, or not at all, as long before arrival as it is."""
    # In the hotel it is about noon: midnight must not pass meanwhile.
    now = dt.datetime.now(dt.UTC)
    zone = f"Etc/GMT{now.hour - 12:+d}"  # the sign is POSIX's: east of Greenwich is minus
    today = (now + dt.timedelta(hours=12 - now.hour)).date()
    process = hotels.boot(f"hotel.time_zone={zone}")
    async with connected(process) as client:
        (room,), (guest,) = await new_rooms(client, 1), await new_customers(client, 1)
        yesterday = stay(guest, room, (today - FIRST_DAY).days - 1)
        is_problem(await client.send("POST", BOOKINGS, json=yesterday), 422, "check_in")
        for days, percent in ((9, 100), (4, 50), (0, 0)):
            body = stay(guest, room, (today - FIRST_DAY).days + days)
            booking = await client.create(BOOKINGS, body)
            address = f"{BOOKINGS}/{booking['id']}"
            replies = await asyncio.gather(*(client.send("DELETE", address) for _ in range(5)))
            refund = {"amount": (RATE * percent + 50) // 100, "currency": "EUR"}
            cancelled = booking | {"status": "cancelled", "refund": refund}
            assert [(reply.status, reply.json) for reply in replies] == [(200, cancelled)] * 5
            assert (await client.send("DELETE", address)).json == cancelled
            assert (await client.send("GET", address)).json == cancelled
            assert (await client.create(BOOKINGS, body))["status"] == "confirmed"
            is_problem(await client.send("POST", BOOKINGS, json=body), 409)
        is_problem(await client.send("DELETE", f"{BOOKINGS}/nobody"), 404)
        rejected = (await client.list_all(BOOKINGS))[-1]
        is_problem(await client.send("DELETE", f"{BOOKINGS}/{rejected['id']}"), 409)
        await at_rest(client)
        check_books(process.data_dir)


async def test_rooms_by_availability(hotel: LiveSystem) -> None:
    """With both dates, those only that are free for every night; one date alone is a 422."""
    async with connected(hotel) as client:
        rooms, (guest,) = await new_rooms(client, 3), await new_customers(client, 1)
        suite = {"type": "suite", "rate": {"amount": 1, "currency": "EUR"}}
        rooms.append((await client.create("/api/v1/rooms", suite))["id"])
        for room, day in ((0, 0), (1, 2)):
            await client.create(BOOKINGS, stay(guest, rooms[room], day, nights=2))
        booking = await client.create(BOOKINGS, stay(guest, rooms[3], 1, nights=2))
        for day, nights, type_, free in (
            (0, 1, "", [1, 2, 3]),
            (0, 2, "", [1, 2]),
            (0, 3, "", [2]),
            (2, 1, "", [0, 2]),
            (4, 9, "", [0, 1, 2, 3]),
            (4, 9, "&type=suite", [3]),
            (0, 2, "&type=suite", []),
            (0, 1, "&type=suite", [3]),
        ):
            asked = stay(guest, "", day, nights=nights)
            dates = f"check_in={asked['check_in']}&check_out={asked['check_out']}"
            found = await pages(client, f"/api/v1/rooms?{dates}{type_}&limit=2")
            ours = [room["id"] for room in found if room["id"] in rooms]
            assert ours == [rooms[each] for each in free], (day, nights)
        await client.send("DELETE", f"{BOOKINGS}/{booking['id']}")
        query = "check_in=2100-01-02&check_out=2100-01-03&type=suite"
        reply = await client.send("GET", f"/api/v1/rooms?{query}")
        assert [room["id"] for room in reply.json["items"]] == [rooms[3]]
        for query, field in (
            ("check_in=2100-01-01", "check_out"),
            ("check_out=2100-01-01", "check_in"),
            ("check_in=2100-01-02&check_out=2100-01-02", "check_out"),
            ("check_in=2100-01-32&check_out=2100-02-02", "check_in"),
        ):
            is_problem(await client.send("GET", f"/api/v1/rooms?{query}"), 422, field)


async def test_each_guest_has_a_mail_of_each_thing_once(hotel: LiveSystem) -> None:
    """Confirmed and cancelled, in order; none for what was rejected; filtered by customer."""
    async with connected(hotel) as client:
        await at_rest(client)  # what other tests have begun has its mails
        others = len(await client.list_all("/api/v1/mails"))
        (room,), guests = await new_rooms(client, 1), await new_customers(client, 2)
        first = await client.create(BOOKINGS, stay(guests[0], room, 0))
        second = await client.create(BOOKINGS, stay(guests[1], room, 1))
        is_problem(await client.send("POST", BOOKINGS, json=stay(guests[1], room, 0)), 409)
        assert (await client.send("DELETE", f"{BOOKINGS}/{first['id']}")).status == 200
        await at_rest(client)
        mails = (await client.list_all("/api/v1/mails"))[others:]
        assert [(mail["booking_id"], mail["kind"], mail["to"]) for mail in mails] == [
            (first["id"], "booking_confirmed", "0@example.com"),
            (second["id"], "booking_confirmed", "1@example.com"),
            (first["id"], "booking_cancelled", "0@example.com"),
        ]
        assert str(RATE) in mails[2]["body"]
        assert dt.datetime.fromisoformat(mails[0]["created_at"]).tzinfo is not None
        of_first = await client.send("GET", f"/api/v1/mails?customer_id={guests[0]}&limit=1")
        assert of_first.json["items"] == [mails[0]]
        after = of_first.json["next"]
        rest = await client.send("GET", f"/api/v1/mails?customer_id={guests[0]}&after={after}")
        assert rest.json == {"items": [mails[2]], "next": None}


# --- Answers that come later -----------------------------------------------------------------


async def test_a_booking_past_its_deadline_is_202_with_where_to_look(
    hotels: Processes,
) -> None:
    """Its key gets a 202 until it ends, and from then on how it ended, also after a kill -9."""
    process = hotels.boot(f"edge.deadline_s={IMPATIENT_S}", *SLOW_PAYMENT)
    key = {"Idempotency-Key": "patience"}
    async with connected(process) as client:
        (room,), (guest,) = await new_rooms(client, 1), await new_customers(client, 1)
        body = stay(guest, room, card=CARD[CardBehavior.NEVER_ANSWERS])
        reply = await client.send("POST", BOOKINGS, json=body, headers=key)
        assert (reply.status, reply.json["status"]) == (202, "pending"), reply.body
        address = reply.headers["Location"]
        assert address == f"{BOOKINGS}/{reply.json['id']}"
        assert int(reply.headers["Retry-After"]) >= 1
        again = await client.send("POST", BOOKINGS, json=body, headers=key)
        assert (again.status, again.headers["Location"]) == (202, address)
    await asyncio.to_thread(process.kill_process)
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        booking = await ended(client, address)
        assert booking["status"] == "rejected"
        again = await client.send("POST", BOOKINGS, json=body, headers=key)
        is_problem(again, 409)
        assert again.json["detail"] == booking["reason"]
        await at_rest(client)
        check_books(process.data_dir)


@pytest.mark.parametrize("service", ["room", "payment"])
async def test_a_booking_waits_for_a_suspended_service(
    impatient_hotel: LiveSystem, service: str
) -> None:
    """202 meanwhile; resumed, it is confirmed; likewise its cancellation, but of a pending one."""
    async with connected(impatient_hotel) as client:
        (room,), (guest,) = await new_rooms(client, 1), await new_customers(client, 1)
        await client.order(service, "suspend")
        reply = await client.send("POST", BOOKINGS, json=stay(guest, room))
        assert (reply.status, reply.json["status"]) == (202, "pending")
        address = reply.headers["Location"]
        key, other = {"Idempotency-Key": f"other-{service}"}, stay(guest, room, 5)
        pending = await client.send("POST", BOOKINGS, json=other, headers=key)
        gone = await client.send("DELETE", pending.headers["Location"])
        assert (gone.status, gone.json["status"]) == (200, "cancelled")
        is_problem(await client.send("POST", BOOKINGS, json=other, headers=key), 409)
        await client.order(service, "resume")
        assert (await ended(client, address))["status"] == "confirmed"
        assert (await client.create(BOOKINGS, other))["status"] == "confirmed"
        await client.order(service, "suspend")
        reply = await client.send("DELETE", address)
        assert (reply.status, reply.json["status"]) == (202, "cancelling")
        assert reply.headers["Location"] == address
        again = asyncio.create_task(client.send("DELETE", address))
        await client.order(service, "resume")
        assert (await again).json["status"] == "cancelled"
        await at_rest(client)
        check_books(impatient_hotel.data_dir)
