"""SIGKILL of the whole process at random instants during bookings; its guests retry."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from actors.systems.hotel.card_processor.sandbox_cards import SANDBOX_CARDS
from actors.systems.hotel.invariants import ENDED
from tests.system.client import connected
from tests.system.guests import (
    APPROVED,
    BOOKINGS,
    SETTLE_S_MAX,
    Persistent,
    at_rest,
    check_books,
    new_customers,
    new_rooms,
    stay,
)

if TYPE_CHECKING:
    from pathlib import Path

    from actors.testing.live_system import LiveSystem
    from tests.http_edge.serving import Reply
    from tests.system.client import Client
    from tests.system.conftest import Report
    from tests.system.process import Processes

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

ROUNDS = [1, pytest.param(60, marks=pytest.mark.long)]
# Which states two kills meet is drawn: so many more come until enough were met.
MORE_ROUNDS_MAX = 30
GUESTS = 24
ROOMS = 4
# Few enough that guests want the same nights, enough that most get some.
DAYS = 600
# Every this many rounds the process is killed while it boots, and killed again once it is up.
BOOT_KILL_EVERY = 4
BOOT_S_MAX = 0.6
UP_S_MAX = 0.5
APPROVED_SHARE = 0.8
# Cards that never answer open the breaker before the processor; it must not set the test's pace.
BREAKER = "breaker.open_s=0.05"
CANCELLED_SHARE = 0.4
# Asked again with the same key when all is over.
ASKED_AGAIN_MAX = 400


class Guests:
    """Book and cancel until told to stop; each request is repeated until it is answered."""

    def __init__(self, client: Client, chance: random.Random) -> None:
        """`chance` decides what they wish for."""
        self.client = client
        self.sender = Persistent(client)
        self.stopping = False
        self.answers: dict[str, tuple[dict[str, Any], Reply]] = {}
        self.cancelled: dict[str, Reply] = {}
        self._chance = chance

    async def book(self, number: int, customer_id: str, rooms: list[str]) -> None:
        """One guest, who gets rid of some of the bookings again."""
        chance = self._chance
        for count in itertools.count():
            if self.stopping:
                return
            card = APPROVED
            if chance.random() > APPROVED_SHARE:
                card = chance.choice(list(SANDBOX_CARDS))
            body = stay(
                customer_id,
                chance.choice(rooms),
                chance.randrange(DAYS),
                nights=chance.randint(1, 3),
                card=card,
            )
            key = f"g{number}-{count}"
            reply = await self.sender.until({201, 409}, "POST", BOOKINGS, key, body)
            self.answers[key] = body, reply
            if reply.status == 201 and chance.random() < CANCELLED_SHARE:
                path = reply.headers["Location"]
                self.cancelled[reply.json["id"]] = await self.sender.until(
                    {200}, "DELETE", path, f"{key}-cancel"
                )

    def have_done_enough(self, rounds: int) -> bool:
        """Whether kills so far can have met something; a slow machine takes its time."""
        statuses = Counter(reply.status for _, reply in self.answers.values())
        return min(statuses[201], statuses[409]) > rounds * 3 and len(self.cancelled) > rounds

    def check(self, listed: list[dict[str, Any]]) -> None:
        """Assert that each key made one booking, and that it is what its guest was told."""
        assert len(listed) == len(self.answers), "a key made no booking, or more than one"
        found = {booking["id"]: booking for booking in listed}
        for key, (body, reply) in self.answers.items():
            if reply.status == 201:
                told = reply.json
                assert told["status"] == "confirmed", (key, told)
                assert told.items() >= {k: v for k, v in body.items() if k != "card_number"}.items()
                if told["id"] in self.cancelled:
                    told = self.cancelled[told["id"]].json
                    assert told["status"] == "cancelled", (key, told)
                    assert told["refund"] == told["price"], (key, told)
                assert found[told["id"]] == told, (key, told)
        confirmed = {b["id"] for b in listed if b["status"] == "confirmed"}
        acknowledged = {r.json["id"] for _, r in self.answers.values() if r.status == 201}
        assert confirmed == acknowledged - self.cancelled.keys()

    async def ask_again(self) -> int:
        """Assert that a known key gets the answer it got before; return how many were asked."""
        keys = list(self.answers)
        keys = self._chance.sample(keys, min(ASKED_AGAIN_MAX, len(keys)))
        for key in keys:
            body, reply = self.answers[key]
            again = await self.client.send(
                "POST", BOOKINGS, json=body, headers={"Idempotency-Key": key}
            )
            assert (again.status, again.body) == (reply.status, reply.body), key
        return len(keys)


async def kill_at_random(
    process: LiveSystem, guests: Guests, chance: random.Random, round_number: int
) -> None:
    """Start the process, and SIGKILL it at an instant that may be before it is up."""
    if round_number % BOOT_KILL_EVERY == 0:
        await asyncio.to_thread(process.launch)
        await asyncio.sleep(chance.uniform(0, BOOT_S_MAX))
        await asyncio.to_thread(process.kill_process)
    await asyncio.to_thread(process.start)
    guests.sender.up.set()
    await asyncio.sleep(chance.uniform(0, UP_S_MAX))
    while not guests.have_done_enough(round_number + 1):  # noqa: ASYNC110 - many may do it
        await asyncio.sleep(0.01)
    guests.sender.up.clear()
    await asyncio.to_thread(process.kill_process)


def under_way(data_dir: Path, copy: Path) -> Counter[str]:
    """Count the bookings that the kill met by their states.

    In a copy: whoever opens and closes a database tidies up what the next process is to find.
    """
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in data_dir.glob("booking.db*"):
        shutil.copy(path, copy)
    with closing(sqlite3.connect(copy / "booking.db")) as connection:
        states = connection.execute("SELECT state FROM booking").fetchall()
    return Counter(state for (state,) in states if state not in ENDED)


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_sigkill_splits_no_booking(
    hotels: Processes, seed: int, tmp_path: Path, report: Report, rounds: int
) -> None:
    """After kills at random instants all books agree, and every guest was told the truth."""
    begun = time.monotonic()
    chance = random.Random(seed)
    process = hotels.boot(BREAKER)
    async with connected(process) as client:
        rooms, customers = await new_rooms(client, ROOMS), await new_customers(client, GUESTS)
        await asyncio.to_thread(process.kill_process)
        guests = Guests(client, chance)
        met: Counter[str] = Counter()
        tasks = [
            asyncio.create_task(guests.book(number, customer_id, rooms))
            for number, customer_id in enumerate(customers)
        ]
        try:
            for round_number in range(rounds + MORE_ROUNDS_MAX):
                await kill_at_random(process, guests, chance, round_number)
                met += under_way(process.data_dir, tmp_path / "copy")
                if round_number + 1 >= rounds and len(met) > 2 and met.total() > rounds:
                    break
            await asyncio.to_thread(process.start)
            guests.stopping = True
            guests.sender.up.set()
            async with asyncio.timeout(SETTLE_S_MAX):  # with no manual step, every request ends
                await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await at_rest(client)
        guests.check(await client.list_all(BOOKINGS))
        check_books(process.data_dir)
        again = await guests.ask_again()
        await client.until_ready()
    statuses = Counter(reply.status for _, reply in guests.answers.values())
    report(
        f"seed {seed}, {rounds} rounds in {time.monotonic() - begun:.0f} s, "
        f"{statuses[201]} confirmed, {len(guests.cancelled)} of them cancelled, "
        f"{statuses[409]} refused; {guests.sender.retries} broken connections, "
        f"{guests.sender.accepted} answers put off, {again} keys asked again; "
        f"bookings that the kills met: {dict(met)}"
    )
    # A run in which the guests hardly booked, or no kill met a booking, would prove nothing.
    assert guests.have_done_enough(rounds)
    assert guests.sender.retries > rounds
    assert met.total() > rounds
    assert len(met) > 2, "the kills met few of the saga's states"
