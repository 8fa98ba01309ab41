"""A thousand requests to the real edge from the real client, over ten virtual minutes."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from actors.config import load_config
from actors.kernel.rng import Rng
from actors.simulation.net.current_host import on_host
from actors.simulation.net.network import Network
from actors.simulation.sealed.escapes import forbid
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run
from actors.system import listeners_of, unbooted
from actors.systems.hotel.system import HOTEL
from actors.systems.tweets.system import TWEETS
from http_edge.edge import Edge
from tests.http_edge.fake_system import FakeSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from actors.simulation.net.fault_rules import Rule
    from actors.simulation.net.link import Link

    Client = Callable[[str, Rng, "Outcome", int], Coroutine[Any, Any, None]]

SYSTEMS = (HOTEL, TWEETS)
REQUESTS = 1_000
CLIENTS = 4
SPAN_S = 600.0


@dataclass
class Outcome:
    trace: list[str] = field(default_factory=list)
    statuses: list[Any] = field(default_factory=list)
    seconds: float = 0.0
    callbacks: int = 0

    @property
    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


def simulate(
    seed: int,
    *,
    requests: int = REQUESTS,
    rules: tuple[Rule, ...] = (),
    link: Link | None = None,
    client: Client | None = None,
) -> Outcome:
    """Run the requests from four hosts to an edge over a fake system; nothing escapes.

    `client(base, rng, outcome, requests)` makes those of one host, by aiohttp if it is not given.
    """
    outcome = Outcome()
    rng = Rng(seed)

    def make(base: str, host: str) -> Coroutine[Any, Any, None]:
        return (client or _client)(base, rng.fork(host), outcome, requests // CLIENTS)

    loop = SimulationLoop(seed=seed)

    def record(event: str, /, **fields: str | int) -> None:
        rest = " ".join(f"{name}={value}" for name, value in fields.items())
        outcome.trace.append(f"{loop.time():.9f} {event} {rest}")

    network = Network(loop, seed=seed, link=link, record=record)
    for rule in rules:
        network.install(rule)
    network.add_host("edge")
    with tempfile.TemporaryDirectory() as folder:
        token = Path(folder) / "admin.token"
        token.write_text("a-token-that-is-not-secret\n")
        token.chmod(0o600)
        config = load_config(None, [f"edge.{name}.host=edge" for name in _LISTENERS], SYSTEMS)
        with forbid(loop):
            run(_session(loop, config, Path(folder), make), loop=loop)
    outcome.seconds = loop.time()
    outcome.callbacks = loop.spending.callbacks
    assert loop.unhandled == []
    return outcome


_LISTENERS = ("gateway", "hotel", "tweets")


async def _session(
    loop: SimulationLoop,
    config: Any,
    folder: Path,
    make: Callable[[str, str], Coroutine[Any, Any, None]],
) -> None:
    system = FakeSystem()
    system.clock = loop.clock  # type: ignore[assignment]
    with on_host("edge"):
        there = listeners_of(SYSTEMS, unbooted(SYSTEMS, config, folder))
        edge = Edge(system, config.edge, there, data_dir=folder)
        await edge.start()
    async with asyncio.TaskGroup() as clients:
        for number in range(1, CLIENTS + 1):
            with on_host(host := f"client-{number}"):
                clients.create_task(make(edge.addresses["gateway"], host))
    await edge.drain(1.0)


async def _client(base: str, rng: Rng, outcome: Outcome, requests: int) -> None:
    async with aiohttp.ClientSession() as session:
        for number in range(requests):
            # Some pauses outlast keep-alive, so that connections are made again.
            await asyncio.sleep(rng.expovariate(requests / SPAN_S))
            method, path, body = rng.choice(_REQUESTS)
            try:
                async with session.request(method, base + path, json=body) as response:
                    content = await response.read()
                outcome.statuses.append(response.status)
                outcome.trace.append(f"{number} {response.status} {content.decode()}")
            except aiohttp.ClientError as error:
                outcome.statuses.append(type(error).__name__)
                outcome.trace.append(f"{number} {type(error).__name__}")


_REQUESTS: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/health", None),
    ("GET", "/api/v1/rooms", None),
    ("GET", "/api/v1/nowhere", None),
    ("POST", "/api/v1/customers", {"name": "Ada " * 20, "email": "ada@example.org"}),
)
