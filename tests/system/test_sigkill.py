"""`kill -9` of the process at any instant loses nothing acknowledged and repeats nothing."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.system.client import Client, connected
from tests.system.resources import as_created

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.testing.live_system import LiveSystem
    from tests.system.conftest import Report
    from tests.system.process import Processes

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

ROUNDS = [1, pytest.param(60, marks=pytest.mark.long)]
CLIENTS = 24
# Every this many rounds the process is killed while it boots, and killed again once it is up.
BOOT_KILL_EVERY = 3
BOOT_S_MAX = 0.6
UP_S_MAX = 0.5

CUSTOMERS, ROOMS, TWEETS = "/api/v1/customers", "/api/v1/rooms", "/api/v1/tweets"
BODIES: dict[str, Callable[[str], dict[str, Any]]] = {
    CUSTOMERS: lambda key: {"name": key, "email": f"{key}@example.com"},
    ROOMS: lambda key: {
        "type": "double",
        "number": key,
        "rate": {"amount": 12_000, "currency": "EUR"},
    },
    TWEETS: lambda key: {"author": "ada", "text": key},
}
NAMED_BY = {CUSTOMERS: "name", ROOMS: "number", TWEETS: "text"}


class RetryingClients:
    """Write until told to stop, each request with its own key until it is answered."""

    def __init__(self, process: LiveSystem, client: Client) -> None:
        self.answered: dict[str, dict[str, dict[str, Any]]] = {path: {} for path in BODIES}
        self.unexpected: list[str] = []
        self.retries = 0
        # Open while the process is up; closed, everybody waits.
        self.up = asyncio.Event()
        self.stopping = False
        self._process = process
        self._client = client

    async def write(self, number: int) -> None:
        """One client; it works through all services in turn."""
        paths: Iterator[str] = itertools.cycle(BODIES)
        for count in itertools.count():
            if self.stopping:
                return
            path = next(paths)
            await self._until_answered(path, f"c{number}-{count}")

    async def _until_answered(self, path: str, key: str) -> None:
        body = BODIES[path](key)
        while True:
            await self.up.wait()
            try:
                # The same key for all services: it is the service's own, so they must not mix.
                reply = await self._client.send(
                    "POST", path, json=body, headers={"Idempotency-Key": key}
                )
            except (aiohttp.ClientError, ConnectionError):
                self.retries += 1
                # Until it is known that the process was killed; a busy loop would not let us know.
                await asyncio.sleep(0.01)
                continue
            if reply.status == 201:
                self.answered[path][key] = reply.json
                return
            self.unexpected.append(f"{path} {key}: {reply.status} {reply.body!r}")
            await asyncio.sleep(0.1)

    def have_done_enough(self, rounds: int) -> bool:
        """Whether kills so far can have met something; a slow machine takes its time."""
        return min(map(len, self.answered.values())) > rounds * 5

    async def kill_at_random(self, chance: random.Random, round_number: int) -> None:
        """Start the process, and SIGKILL it at an instant that may be before it is up."""
        if round_number % BOOT_KILL_EVERY == 0:
            await asyncio.to_thread(self._process.launch)
            await asyncio.sleep(chance.uniform(0, BOOT_S_MAX))
            await asyncio.to_thread(self._process.kill_process)
        await asyncio.to_thread(self._process.start)
        self.up.set()
        await asyncio.sleep(chance.uniform(0, UP_S_MAX))
        while not self.have_done_enough(round_number + 1):  # noqa: ASYNC110 - many may do it
            await asyncio.sleep(0.01)
        self.up.clear()
        await asyncio.to_thread(self._process.kill_process)


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_sigkill_loses_nothing_acknowledged_and_repeats_nothing(
    processes: Processes, seed: int, report: Report, rounds: int
) -> None:
    """After so many kills at random instants every key's write is there once, as acknowledged."""
    chance = random.Random(seed)
    process = processes.make()
    async with connected(process) as client:
        clients = RetryingClients(process, client)
        writers = [asyncio.create_task(clients.write(number)) for number in range(CLIENTS)]
        try:
            for round_number in range(rounds):
                await clients.kill_at_random(chance, round_number)
            await asyncio.to_thread(process.start)
            clients.stopping = True
            clients.up.set()
            await asyncio.gather(*writers)
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)
        assert clients.unexpected == [], clients.unexpected[:5]
        for path in BODIES:
            check(path, clients.answered[path], await client.list_all(path))
        await client.until_ready()
    counts = {path.rpartition("/")[2]: len(found) for path, found in clients.answered.items()}
    report(f"seed {seed}, {rounds} rounds, acknowledged {counts}, retries {clients.retries}")
    # A run in which the clients hardly wrote, or no kill met a request, would prove nothing.
    assert clients.have_done_enough(rounds)
    assert clients.retries > rounds


def check(path: str, answered: dict[str, dict[str, Any]], listed: list[dict[str, Any]]) -> None:
    """Assert that what is listed is what was acknowledged: each id, and each key's row, once."""
    by_key = Counter(item[NAMED_BY[path]] for item in listed)
    by_id = Counter(item["id"] for item in listed)
    assert [key for key, count in by_key.items() if count > 1] == [], "applied twice"
    assert [key for key, count in by_id.items() if count > 1] == [], "an id given twice"
    assert sorted(answered.keys() - by_key.keys()) == [], "acknowledged and lost"
    assert sorted(by_key.keys() - answered.keys()) == [], "applied, though nobody asked"
    found = {item[NAMED_BY[path]]: as_created(item) for item in listed}
    assert found == answered, "not as acknowledged"
