"""Guests that never retry book while the hotel's services are killed ten times a second."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from statistics import quantiles
from typing import TYPE_CHECKING

import aiohttp
import pytest

from actors.systems.hotel.card_processor.sandbox_cards import CardBehavior
from actors.systems.hotel.invariants import SERVICES
from tests.system.client import Kills, connected
from tests.system.guests import (
    APPROVED,
    BOOKINGS,
    CARD,
    at_rest,
    check_books,
    ended,
    new_customers,
    new_rooms,
    stay,
)

if TYPE_CHECKING:
    from tests.system.client import Client
    from tests.system.conftest import Report
    from tests.system.process import Processes

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

REQUESTS = [240, pytest.param(4_000, marks=pytest.mark.long)]
BOOKINGS_A_SECOND = 100
# Ten a second, where the machine can book so often meanwhile.
BOOKINGS_A_KILL = 10
# A slower machine books less often: who piles requests up is refused, kills or no kills.
UNDER_WAY_MAX = 32
# So many that some guests meet: a third of the wishes is for a night that is taken.
ROOMS, DAYS = 10, 150
# Not those that never answer: what they wait for is the processor, and not a service.
CARDS = [APPROVED] * 8 + [CARD[CardBehavior.DECLINES], CARD[CardBehavior.LOSES_FIRST_ANSWER]]


class Storm:
    """What the guests and the killer saw."""

    def __init__(self, client: Client, kills: Kills, chance: random.Random, requests: int) -> None:
        self.client = client
        self.kills = kills
        self.requests = requests
        self.chance = chance
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self.latencies: list[float] = []
        # What was put off, and how it ended.
        self.put_off: Counter[str] = Counter()
        self.begun = 0.0

    async def blow(self, customers: list[str], rooms: list[str]) -> None:
        """Send the requests at their times, or when there is room for them; kill meanwhile."""
        self.begun = time.perf_counter()
        room = asyncio.Semaphore(UNDER_WAY_MAX)
        async with asyncio.TaskGroup() as group:
            for number in range(self.requests):
                due = self.begun + number / BOOKINGS_A_SECOND
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                if number % BOOKINGS_A_KILL == 0:
                    group.create_task(self.kills.kill(self.chance.choice(SERVICES)))
                await room.acquire()
                body = stay(
                    self.chance.choice(customers),
                    self.chance.choice(rooms),
                    self.chance.randrange(DAYS),
                    card=self.chance.choice(CARDS),
                )
                task = group.create_task(self._book(body))
                task.add_done_callback(lambda _: room.release())

    async def _book(self, body: dict[str, str]) -> None:
        begun = time.perf_counter()
        try:
            reply = await self.client.send("POST", BOOKINGS, json=body)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.failures.append(repr(error))
            return
        self.latencies.append(time.perf_counter() - begun)
        self.statuses[reply.status] += 1
        if reply.status == 202:
            booking = await ended(self.client, reply.headers["Location"])
            self.put_off[booking["status"]] += 1
        elif reply.status not in {201, 409}:
            self.failures.append(f"{reply.status} {reply.body!r}")


@pytest.mark.parametrize("requests", REQUESTS)
async def test_a_kill_storm_fails_no_booking(
    hotels: Processes, seed: int, report: Report, requests: int
) -> None:
    """100 bookings/s, a kill every tenth: 201, 202 or 409, and every 202 ends."""
    process = hotels.boot()
    async with connected(process) as client:
        storm = Storm(client, Kills(client, process), random.Random(seed), requests)
        await storm.blow(await new_customers(client, 20), await new_rooms(client, ROOMS))
        await at_rest(client)
        p50, p99 = (quantiles(storm.latencies, n=100)[at - 1] * 1e3 for at in (50, 99))
        report(
            f"seed {seed}, {dict(storm.statuses)}, put off and then {dict(storm.put_off)}; kills "
            f"{dict(storm.kills.counts)}; p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
            f"max {max(storm.latencies) * 1e3:.1f} ms"
        )
        assert storm.failures == [], f"{len(storm.failures)}, such as {storm.failures[:5]}"
        assert storm.statuses.total() == requests
        check_books(process.data_dir)
        listed = Counter(each["status"] for each in await client.list_all(BOOKINGS))
        assert listed == {
            "confirmed": storm.statuses[201] + storm.put_off["confirmed"],
            "rejected": storm.statuses[409] + storm.put_off["rejected"],
        }
        for service in storm.kills.counts:
            await storm.kills.have_ended(service, lambda _: True)
        await client.until_ready()
    assert min(storm.statuses[201], storm.statuses[409]) > requests / 10
