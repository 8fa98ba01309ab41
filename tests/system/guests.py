"""A hotel in a real process: rooms, guests, what they ask for, and how its books are read."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import aiohttp

from actors.systems.hotel.card_processor.sandbox_cards import SANDBOX_CARDS, CardBehavior
from actors.systems.hotel.config import HotelConfig
from actors.systems.hotel.invariants import violations

if TYPE_CHECKING:
    from pathlib import Path

    from tests.http_edge.serving import Reply
    from tests.system.client import Client

BOOKINGS = "/api/v1/bookings"
# Far enough away that a cancellation is refunded in full.
FIRST_DAY = dt.date(2100, 1, 1)
CARD = {behavior: number for number, behavior in SANDBOX_CARDS.items()}
APPROVED = CARD[CardBehavior.APPROVES]
RATE = 10_001
SETTLE_S_MAX = 100.0


def stay(
    customer_id: str, room_id: str, day: int = 0, *, nights: int = 1, card: str | None = None
) -> dict[str, Any]:
    """Return the body that books the room `day` days after the first one."""
    check_in = FIRST_DAY + dt.timedelta(days=day)
    body = {
        "customer_id": customer_id,
        "room_id": room_id,
        "check_in": check_in.isoformat(),
        "check_out": (check_in + dt.timedelta(days=nights)).isoformat(),
    }
    return body if card is None else body | {"card_number": card}


async def new_rooms(client: Client, count: int) -> list[str]:
    """Create rooms; return their ids."""
    body = {"type": "double", "rate": {"amount": RATE, "currency": "EUR"}}
    return [(await client.create("/api/v1/rooms", body))["id"] for _ in range(count)]


async def new_customers(client: Client, count: int) -> list[str]:
    """Create customers; return their ids."""
    bodies = [{"name": f"guest {n}", "email": f"{n}@example.com"} for n in range(count)]
    return [(await client.create("/api/v1/customers", body))["id"] for body in bodies]


async def ended(client: Client, location: str) -> dict[str, Any]:
    """Wait until the booking has ended, and return it."""
    deadline = time.monotonic() + SETTLE_S_MAX
    while True:
        reply = await client.send("GET", location)
        assert reply.status == 200, (location, reply.status, reply.body)
        booking: dict[str, Any] = reply.json
        if booking["status"] in {"confirmed", "rejected", "cancelled"}:
            return booking
        assert time.monotonic() < deadline, f"after {SETTLE_S_MAX} s: {booking}"
        await asyncio.sleep(0.05)


async def at_rest(client: Client) -> None:
    """Wait until nothing is on its way between the services, or due in one of them."""
    deadline = time.monotonic() + SETTLE_S_MAX
    calm = 0
    while calm < 2:  # a message may be in no table between one look and the other
        channels = (await client.admin("GET", "/admin/channels")).json["items"]
        timers = (await client.admin("GET", "/admin/timers")).json["items"]
        busy = [each for each in channels if each["depth"]]
        busy += [each for each in timers if each["due"] or each["effects_running"]]
        calm = 0 if busy else calm + 1
        assert time.monotonic() < deadline, f"after {SETTLE_S_MAX} s: {busy}"
        await asyncio.sleep(0.02)


def check_books(data_dir: Path) -> None:
    """Assert that the services' files agree with each other; the hotel is at rest."""
    wrong = violations(data_dir, config=HotelConfig(), now_us=int(time.time() * 1_000_000))
    assert wrong == [], f"{len(wrong)}, such as {wrong[:5]}"


class Persistent:
    """Sends a request with its key until there is an answer that stays, over crashes and 202s."""

    def __init__(self, client: Client) -> None:
        """All requests go by `client`."""
        self._client = client
        # Open while the process is up; closed, everybody waits.
        self.up = asyncio.Event()
        self.retries = 0
        self.accepted = 0

    async def until(
        self, statuses: set[int], method: str, path: str, key: str, body: Any = None
    ) -> Reply:
        """Return the first answer with one of these statuses; only a 202 may come before it."""
        while True:
            await self.up.wait()
            try:
                reply = await self._client.send(
                    method, path, json=body, headers={"Idempotency-Key": key}
                )
            except (aiohttp.ClientError, ConnectionError):
                self.retries += 1
                # Until it is known that the process was killed; a busy loop would not let us know.
                await asyncio.sleep(0.01)
                continue
            if reply.status in statuses:
                return reply
            assert reply.status == 202, f"{method} {path} {key}: {reply.status} {reply.body!r}"
            self.accepted += 1
            await asyncio.sleep(0.1)
