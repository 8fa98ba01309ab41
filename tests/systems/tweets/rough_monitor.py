"""The brand monitor whole, in this process: its services, the embedded X, a rough link between."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from actors.app import App
from actors.config import load_config
from actors.kernel.clock import SystemClock
from actors.system import Dependency
from actors.systems import SYSTEMS
from actors.systems.tweets.messages import GetReader, ReaderState
from actors.systems.tweets.outside import EMBEDDED_CREDENTIALS, simulated_x
from actors.systems.tweets.system import TWEETS
from actors.systems.tweets.x.access import XAccess
from actors.systems.tweets.x.credentials import load_credentials
from actors.systems.x_platform.system import X_PLATFORM
from tests.systems.tweets.rough_link import rough_link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.messages import Message
    from actors.kernel.rng import Rng
    from actors.service.assembly import ServiceSystem
    from tests.systems.tweets.rough_link import RoughLink

ASK_S_MAX = 100.0
# What tests would wait for, shorter; and a quarter of an hour's requests in seconds.
SETTINGS = (
    *[f"edge.{name}.port=0" for name in ("gateway", "hotel", "tweets", "x_platform")],
    "x_platform.tweets_per_s=0",
    "x_platform.requests_max=1000000",
    "x_platform.keepalive_s=0.1",
    "x.stall_s=0.4",
    "x.reconnect_s_min=0.005",
    "x.reconnect_s_max=0.05",
    "tweets.retry_s=0.2",
    "effect.effect_s_max=1",
    "runtime.drain_s=1",
)


class Monitor:
    """A started brand monitor. What it writes stands in `folder`, a file a service."""

    def __init__(
        self, system: ServiceSystem, folder: Path, config: Config, access: XAccess, link: RoughLink
    ) -> None:
        self.system = system
        self.folder = folder
        self.config = config
        self.access = access
        self.link = link

    async def ask(self, service: str, message: Message, *, key: str | None = None) -> Any:
        return await self.system.ask(service, message, timeout_s=ASK_S_MAX, key=key)

    async def reader(self) -> ReaderState:
        state: ReaderState = await self.ask("reader", GetReader())
        return state

    async def until_connected(self) -> None:
        while (await self.reader()).status != "connected":  # noqa: ASYNC110 - sets no event
            await asyncio.sleep(0.005)

    async def until(self, service: str, sql: str, number: int) -> None:
        """Wait until the service's file has this number for an answer."""
        found = self.count(service, sql)
        try:
            while found != number:
                await asyncio.sleep(0.05)  # a file sets no event
                found = self.count(service, sql)
        except asyncio.CancelledError as error:
            error.add_note(f"{service} has {found} of {number}: {sql}")
            raise

    def count(self, service: str, sql: str) -> int:
        """Read one number of a service's file, as it stands."""
        with closing(sqlite3.connect(self.folder / f"{service}.db")) as connection:
            (number,) = connection.execute(sql).fetchone()
            return int(number)


@contextlib.asynccontextmanager
async def monitor(folder: Path, rng: Rng, *settings: str) -> AsyncIterator[Monitor]:
    """Run it on real stores and real sockets; its X stands behind a link that can break."""
    config = load_config(settings=[*SETTINGS, *settings], systems=SYSTEMS)
    X_PLATFORM.lay_out(folder)
    keys = load_credentials(folder / EMBEDDED_CREDENTIALS)
    access = XAccess(keys, simulator=True, write=True)
    x = Dependency(live=lambda _: access, simulated=simulated_x)
    app = App(
        [replace(TWEETS, outside={"x": x}), X_PLATFORM],
        config,
        data_dir=folder,
        clock=SystemClock(),
        rng=rng,
    )
    system = app.tree
    await app.start()
    try:
        await app.listen()
        async with rough_link(app.addresses["x_platform"]) as link:
            access.open(link.url)
            yield Monitor(system, folder, config, access, link)
    finally:
        await app.drain()
        await app.stop()
