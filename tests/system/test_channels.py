"""Messages between services as an operator sees them: depth, lag, timers, what a kill leaves."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.client import connected
from tests.system.guests import BOOKINGS, at_rest, check_books, new_customers, new_rooms, stay

if TYPE_CHECKING:
    from tests.system.client import Client
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time

COUNT = 20


async def listed(client: Client, what: str) -> list[dict[str, Any]]:
    reply = await client.admin("GET", f"/admin/{what}")
    assert reply.status == 200, reply.body
    items: list[dict[str, Any]] = reply.json["items"]
    return items


async def channel(client: Client, sender: str, receiver: str) -> dict[str, Any]:
    (found,) = [
        each
        for each in await listed(client, "channels")
        if (each["sender"], each["receiver"]) == (sender, receiver)
    ]
    return found


async def timers_of(client: Client, *services: str) -> dict[str, dict[str, Any]]:
    """Wait until each of the services has a timer, and return what is said of them."""
    while True:
        timers = {each["service"]: each for each in await listed(client, "timers")}
        if all(timers[service]["pending"] for service in services):
            return timers
        await asyncio.sleep(0.01)


async def test_what_a_suspended_receiver_has_not_taken_is_seen_and_kept(
    hotels: Processes,
) -> None:
    """Depth and lag of its channel grow; over a kill -9 too; resumed, it gets all of it once."""
    process = hotels.boot()
    async with connected(process) as client:
        assert await listed(client, "channels") == []
        (room,), (guest,) = await new_rooms(client, 1), await new_customers(client, 1)
        await client.order("notification", "suspend")
        # A guest's booking does not wait for the mail.
        for day in range(COUNT):
            await client.create(BOOKINGS, stay(guest, room, day))
        found = await channel(client, "booking", "notification")
        assert found["depth"] == COUNT
        assert 0 < found["lag_s"] < 30
        older = (await channel(client, "booking", "notification"))["lag_s"]
        assert older > found["lag_s"]
        for sender, receiver in (("booking", "room"), ("room", "booking"), ("payment", "booking")):
            assert (await channel(client, sender, receiver))["depth"] == 0
    await asyncio.to_thread(process.kill_process)
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        # A process starts with nothing suspended.
        await at_rest(client)
        found = await channel(client, "booking", "notification")
        assert found == {
            "sender": "booking",
            "receiver": "notification",
            "depth": 0,
            "in_flight": 0,
            "lag_s": 0.0,
            "state": "open",
            "unreadable": [],
        }
        mails = await client.list_all("/api/v1/mails")
        bookings = await client.list_all(BOOKINGS)
        assert [mail["booking_id"] for mail in mails] == [each["id"] for each in bookings]
        check_books(process.data_dir)


@pytest.mark.long
async def test_timers_are_counted_and_survive_kill_9(hotels: Processes) -> None:
    """A hold's and a booking's own; those that came due while nothing ran fire at the start."""
    process = hotels.boot("hotel.booking_s_max=5", "hotel.hold_s=6")
    async with connected(process) as client:
        timers = {each["service"]: each for each in await listed(client, "timers")}
        assert {each["pending"] for each in timers.values()} == {0}
        assert timers["room"]["next_due_us"] is None
        (room,), (guest,) = await new_rooms(client, 1), await new_customers(client, 1)
        begun_us = int(time.time() * 1e6)
        await client.order("payment", "suspend")
        post = asyncio.create_task(client.send("POST", BOOKINGS, json=stay(guest, room)))
        timers = await timers_of(client, "room", "booking")
        for service, after_s in (("booking", 5), ("room", 6)):
            assert (timers[service]["pending"], timers[service]["due"]) == (1, 0)
            assert 0 <= timers[service]["next_due_us"] - begun_us - after_s * 1e6 < 5e6
        await asyncio.to_thread(process.kill_process)
        await asyncio.gather(post, return_exceptions=True)
    await asyncio.sleep(max(0.0, 6 - (time.time() - begun_us / 1e6)))
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        await at_rest(client)
        assert {each["pending"] for each in await listed(client, "timers")} == {0}
        # Whichever came first: payment, up again, or the booking's end. Never half of each.
        check_books(process.data_dir)
