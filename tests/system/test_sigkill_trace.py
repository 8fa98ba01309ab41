"""One trace follows a booking whose process was SIGKILLed between two of its steps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.system.client import connected
from tests.system.guests import APPROVED, BOOKINGS, at_rest, new_customers, new_rooms, stay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.client import Client
    from tests.system.process import Processes

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

CALLER = "00f067aa0ba902b7"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01", "Idempotency-Key": "one"}
# What leads to what, from the request on: another's step in each line.
WAY = [
    ("edge", "request", f"POST {BOOKINGS}"),
    ("booking", "command", "CreateBooking"),
    ("room", "message", "HoldRoom"),
    ("booking", "message", "RoomHeld"),
    ("payment", "message", "TakePayment"),
    ("payment", "effect", "ChargeCard"),
    ("payment", "outcome", "EffectOutcome[ChargeCard]"),
    ("booking", "message", "PaymentTaken"),
    ("room", "message", "ConfirmHold"),
    ("booking", "message", "HoldConfirmed"),
    ("notification", "message", "BookingConfirmed"),
]


async def spans(client: Client) -> list[dict[str, Any]]:
    """Return all spans of the trace, each before those it led to."""
    reply = await client.admin("GET", f"/admin/traces/{TRACE}")
    return list(_flat(reply.json["spans"])) if reply.status == 200 else []


def _flat(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        yield from _flat(node["spans"])


async def test_the_trace_of_a_booking_is_whole_after_a_sigkill(hotels: Processes) -> None:
    """What was done before it and what after it is one tree, and no step of it is there twice."""
    process = hotels.boot()  # which traces nothing by itself: the caller wants it traced
    async with connected(process) as client:
        (room,), (guest,) = await new_rooms(client, 1), await new_customers(client, 1)
        await client.order("payment", "suspend")
        body = stay(guest, room, card=APPROVED)
        asked = asyncio.create_task(client.send("POST", BOOKINGS, json=body, headers=HEADERS))
        async with asyncio.timeout(60):
            while not any(each["name"] == "RoomHeld" for each in await spans(client)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.to_thread(process.kill_process)
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await asked
        await asyncio.to_thread(process.start)
        await client.until_ready()
        reply = await client.send("POST", BOOKINGS, json=body, headers={"Idempotency-Key": "one"})
        assert reply.status in {201, 202}
        await at_rest(client)
        found = await spans(client)
        by_id = {each["span_id"]: each for each in found}
        assert len(by_id) == len(found)
        assert not any(each["parent_is_missing"] for each in found)
        (last,) = [each for each in found if each["name"] == "BookingConfirmed"]
        way = [last]
        while way[0]["parent_id"] != CALLER:
            way.insert(0, by_id[way[0]["parent_id"]])
        assert [(each["service"], each["kind"], each["name"]) for each in way] == WAY
        # Its client was told nothing: nobody has asked for this trace's end.
        assert (way[0]["duration_us"], way[0]["outcome"]) == (None, None)
        assert all(each["outcome"] in {"handled", "later", "done"} for each in way[1:])
        listed = (await client.admin("GET", "/admin/traces?slowest=1")).json["items"]
        assert [each["trace_id"] for each in listed] == [TRACE]
