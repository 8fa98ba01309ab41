"""Clients that never retry see no error while services are killed ten times a second."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.benchmarks.process_usage import cpu_s, resident_bytes
from tests.system.client import Client, Kills, connected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.testing.live_system import LiveSystem
    from tests.system.conftest import Report
    from tests.system.process import Processes

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

REQUESTS = [400, pytest.param(30_000, marks=pytest.mark.long)]
REQUESTS_A_SECOND = 500
# Ten a second, where the machine can send so many requests meanwhile.
REQUESTS_A_KILL = 50
# A slower machine sends fewer a second: who piles them up is refused, kills or no kills.
UNDER_WAY_MAX = 64
DEADLINE = "edge.deadline_s=60"

# A request belongs to a kill if it was due within this long after it, or was under way then.
WAKE_S = 0.05

SERVICES = {"customer": "customers", "room": "rooms", "tweets": "tweets"}
NAMED_BY = {"customer": "name", "room": "number", "tweets": "text"}


@dataclass
class Storm:
    """What the clients and the killer saw. Times are seconds since the storm began."""

    client: Client
    kills: Kills
    chance: random.Random
    requests: int
    begun: float = 0.0
    failures: list[str] = field(default_factory=list)
    written: dict[str, dict[str, str]] = field(default_factory=lambda: {s: {} for s in SERVICES})
    latencies: list[tuple[str, float, float]] = field(default_factory=list)
    killed: list[tuple[float, str]] = field(default_factory=list)

    def now(self) -> float:
        """Return seconds since the storm began."""
        return time.perf_counter() - self.begun

    async def blow(self) -> None:
        """Send the requests at their times, or when there is room for them; kill meanwhile."""
        self.begun = time.perf_counter()
        room = asyncio.Semaphore(UNDER_WAY_MAX)
        async with asyncio.TaskGroup() as group:
            for number in range(self.requests):
                await asyncio.sleep(max(0.0, number / REQUESTS_A_SECOND - self.now()))
                if number % REQUESTS_A_KILL == 0:
                    group.create_task(self._kill())
                await room.acquire()
                task = group.create_task(self._request(number, self.now()))
                task.add_done_callback(lambda _: room.release())

    async def _request(self, number: int, due: float) -> None:
        service = self.chance.choice(list(SERVICES))
        path = f"/api/v1/{SERVICES[service]}"
        known = self.written[service]
        dice = self.chance.random()
        try:
            if dice < 0.5 or not known:
                await self._write(service, path, f"w{number}")
            elif dice < 0.8:
                await self._read(path, *self.chance.choice(list(known.items())), service)
            else:
                await self._expect("GET", f"{path}?limit=20")
        except (aiohttp.ClientError, OSError, AssertionError, TimeoutError) as error:
            self.failures.append(f"at {due:.3f} s, {service}: {error!r}")
        self.latencies.append((service, due, self.now() - due))

    async def _write(self, service: str, path: str, name: str) -> None:
        body: dict[str, Any] = {NAMED_BY[service]: name}
        match service:
            case "customer":
                body["email"] = "a@example.com"
            case "room":
                body |= {"type": "single", "rate": {"amount": 9_900, "currency": "EUR"}}
            case _:
                body["author"] = "ada"
        created = await self._expect("POST", path, json=body)
        self.written[service][name] = created["id"]

    async def _read(self, path: str, name: str, id_: str, service: str) -> None:
        found = await self._expect("GET", f"{path}/{id_}")
        assert found[NAMED_BY[service]] == name, "read something else than was written"

    async def _expect(self, method: str, path: str, **options: Any) -> Any:
        reply = await self.client.send(method, path, **options)
        assert reply.status < 400, f"{method} {path}: {reply.status} {reply.body!r}"
        return reply.json

    async def _kill(self) -> None:
        service = [*SERVICES][len(self.killed) % len(SERVICES)]  # each of them, in few kills
        self.killed.append((self.now(), service))
        await self.kills.kill(service)

    def latencies_near(self, *, own: bool) -> list[float]:
        """Return the latencies of requests due shortly after a kill: of their service, or not."""
        times = [at for at, _ in self.killed]
        near = []
        for service, due, latency in self.latencies:
            last = bisect_left(times, due + latency) - 1
            if (
                last >= 0
                and times[last] > due - WAKE_S
                and (self.killed[last][1] == service) == own
            ):
                near.append(latency)
        return near

    def latencies_far(self) -> list[float]:
        """Return the latencies of requests that no kill came near to."""
        times = [at for at, _ in self.killed]
        return [
            latency
            for _, due, latency in self.latencies
            if times[bisect_left(times, due + latency) - 1] <= due - WAKE_S
        ]


@pytest.mark.parametrize("requests", REQUESTS)
async def test_a_kill_storm_fails_no_request(
    processes: Processes, seed: int, report: Report, requests: int
) -> None:
    """500 requests/s, a kill every 50 requests: no error, every write there once."""
    process = processes.boot(DEADLINE)
    async with connected(process) as client:
        used_s = cpu_s(process.pid)
        storm = Storm(client, Kills(client, process), random.Random(seed), requests)
        await storm.blow()
        used_s = cpu_s(process.pid) - used_s
        report(describe(storm, seed, used_s, resident_bytes(process.pid) / 1e6))
        assert storm.failures == [], f"{len(storm.failures)}, such as {storm.failures[:5]}"
        for service, path in SERVICES.items():
            listed = await client.list_all(f"/api/v1/{path}")
            names = Counter(item[NAMED_BY[service]] for item in listed)
            assert names == Counter(storm.written[service].keys()), f"{service}: lost or repeated"
        for service in SERVICES:
            await check_accounts(process, storm.kills, service)
        await client.until_ready()


def _ended(actor: dict[str, Any]) -> int:
    """Count what it has accepted and is done with: once nothing is queued, all of it."""
    return int(actor["handled"] + actor["refused"] + actor["dead_lettered"])


async def check_accounts(process: LiveSystem, kills: Kills, service: str) -> None:
    """No end but by a kill is in the logs; every incarnation, in the actor's counters."""
    actor, crashed = await kills.have_ended(
        service, lambda actor: _ended(actor) == actor["accepted"]
    )
    # Every kill ends an incarnation. One that had not come up yet is no restart: it only began.
    ups = process.events("started", actor=service) + process.events("restarted", actor=service)
    up = {line["incarnation"] for line in ups}
    ended = [line["incarnation"] for line in crashed]
    assert len(set(ended)) == len(ended), "an incarnation ended twice"
    assert actor["incarnation"] == 1 + len(crashed)
    assert actor["restarts"] == len(up) - 1 == len(crashed) - len(set(ended) - up)
    assert actor["last_error"].startswith("Killed")
    assert (actor["dead_lettered"], actor["rejected"]) == (0, 0)
    # An incarnation that dies takes back what it has sent to itself, as tweets does for scores.
    assert actor["refused"] == 0 or service == "tweets"


def percentile(latencies: Iterable[float], number: int) -> float:
    """Return the `number`th percentile."""
    return quantiles(latencies, n=100, method="inclusive")[number - 1]


def describe(storm: Storm, seed: int, cpu_s: float, rss_mb: float) -> str:
    """Return what was measured, on one line a kind of request."""
    took_s = storm.now()
    lines = [f"seed {seed}, {storm.requests} in {took_s:.1f} s, {len(storm.failures)} failed"]
    lines.append(
        f"{len(storm.killed)} kills; server {cpu_s / storm.requests * 1e3:.2f} ms of CPU "
        f"a request, {rss_mb:.0f} MB resident"
    )
    kinds = {
        "all": [latency for _, _, latency in storm.latencies],
        "own service just killed": storm.latencies_near(own=True),
        "another service just killed": storm.latencies_near(own=False),
        "no kill near": storm.latencies_far(),
    }
    for kind, latencies in kinds.items():
        p50, p99 = (percentile(latencies, number) * 1e3 for number in (50, 99))
        lines.append(
            f"{kind} ({len(latencies)}): p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
            f"max {max(latencies) * 1e3:.1f} ms"
        )
    return "\n  ".join(lines)
