"""Everybody wants the same room for the same nights, at once, over HTTP."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.system.client import connected
from tests.system.guests import BOOKINGS, at_rest, check_books, new_customers, new_rooms, stay

if TYPE_CHECKING:
    from tests.system.conftest import Report
    from tests.system.process import Processes

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

ROUNDS = [6, pytest.param(400, marks=pytest.mark.long)]
GUESTS = 64
# Each round has days of its own; the middle one is what everybody wants.
DAYS = 5
MIDDLE = 2


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_the_last_room_is_sold_to_one(
    hotels: Processes, seed: int, report: Report, rounds: int
) -> None:
    """64 guests ask at once: one gets a 201, all others a 409, and the books agree.

    In even rounds for the very same nights, in odd ones for stays that share one night.
    """
    chance = random.Random(seed)
    process = hotels.boot()
    async with connected(process) as client:
        (room_id,) = await new_rooms(client, 1)
        customers = await new_customers(client, GUESTS)
        winners: Counter[str] = Counter()
        begun = time.monotonic()
        for number in range(rounds):
            chance.shuffle(customers)
            bodies = []
            for customer_id in customers:
                nights = chance.randint(1, 3) if number % 2 else 2
                first = chance.randint(MIDDLE + 1 - nights, MIDDLE) if number % 2 else MIDDLE
                bodies.append(stay(customer_id, room_id, number * DAYS + first, nights=nights))
            replies = await asyncio.gather(
                *(client.send("POST", BOOKINGS, json=body) for body in bodies)
            )
            statuses = Counter(reply.status for reply in replies)
            assert statuses == {201: 1, 409: GUESTS - 1}, f"round {number}: {statuses}"
            (won,) = [reply.json for reply in replies if reply.status == 201]
            assert won["status"] == "confirmed"
            winners[won["customer_id"]] += 1
        took_s = time.monotonic() - begun
        await at_rest(client)
        check_books(process.data_dir)
        listed = await client.list_all(BOOKINGS)
        statuses = Counter(booking["status"] for booking in listed)
        assert statuses == {"confirmed": rounds, "rejected": rounds * (GUESTS - 1)}
    report(
        f"seed {seed}, {rounds} rounds of {GUESTS} in {took_s:.1f} s, "
        f"{rounds * GUESTS / took_s:.0f} bookings/s; {len(winners)} different winners"
    )
    # Were it always the same one, nobody would have raced.
    assert len(winners) > min(rounds, GUESTS) / 4
