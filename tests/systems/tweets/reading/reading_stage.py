"""A reader under a supervisor, on a real store, and a service that takes what it passes on."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from actors.config import load_config
from actors.kernel.clock import SystemClock
from actors.kernel.messages import Query
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems import SYSTEMS
from actors.systems.tweets.config import TweetsConfig, XConfig
from actors.systems.tweets.messages import GetReader, ReaderState, StoreXTweet
from actors.systems.tweets.reading.reader import ReaderService
from actors.systems.tweets.x.access import XAccess
from actors.systems.tweets.x.credentials import XCredentials
from tests.booting import app_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from actors.service.assembly import ServiceSystem

WAIT_S_MAX = 100.0
# Short, for tests wait for them; the reasons for the real ones are in config.toml.
SETTINGS = (
    "x.stall_s=5",
    "x_platform.keepalive_s=0.1",
    "x.reconnect_s_min=0.005",
    "x.reconnect_s_max=0.02",
)
SCHEMA = "CREATE TABLE stored (seq INTEGER PRIMARY KEY, id TEXT, text TEXT, author TEXT) STRICT;"
CREDENTIALS = XCredentials(
    bearer_token="bearer-SECRET-1",
    consumer_key="consumer-SECRET-2",
    consumer_secret="consumer-SECRET-3",
    access_token="1500000000000000001-SECRET-4",
    access_token_secret="access-SECRET-5",
)


class ListStored(Query):
    pass


class Shelf(Service):
    """Takes every tweet it is sent, also twice the same."""

    schema: ClassVar[Path] = Path()

    @command
    def store(self, tx: Transaction, cmd: StoreXTweet) -> None:
        sql = "INSERT INTO stored (id, text, author) VALUES (?, ?, ?)"
        tx.execute(sql, cmd.external_id, cmd.text, cmd.author)

    @query
    def list_stored(self, tx: ReadTransaction, question: ListStored) -> list[str]:
        return [row["id"] for row in tx.all("SELECT id FROM stored ORDER BY seq")]


class ShiftedClock(SystemClock):
    """The machine's clock, set forward or back by tests; what measures durations goes on."""

    def __init__(self) -> None:
        self.shift_s = 0.0

    def now_us(self) -> int:
        return super().now_us() + int(self.shift_s * 1_000_000)


class Reading:
    """A started system of a reader and a shelf."""

    def __init__(self, system: ServiceSystem, clock: ShiftedClock, access: XAccess) -> None:
        self.system = system
        self.clock = clock
        self.access = access

    async def state(self) -> ReaderState:
        state: ReaderState = await self.system.ask("reader", GetReader(), timeout_s=WAIT_S_MAX)
        return state

    async def until(self, holds: Callable[[ReaderState], bool]) -> ReaderState:
        """Wait until the reader's state is so, and return it."""
        async with asyncio.timeout(WAIT_S_MAX):
            while not holds(state := await self.state()):  # noqa: ASYNC110 - sets no event
                await asyncio.sleep(0.002)
        return state

    async def stored(self, count: int) -> list[int]:
        """Wait until so many tweets are stored; return the numbers of all, in their order."""
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                ids = await self.system.ask("tweets", ListStored(), timeout_s=WAIT_S_MAX)
                if len(ids) >= count:
                    return [int(id_) - 1_900_000_000_000_000_000 for id_ in ids]
                await asyncio.sleep(0.002)

    def stats(self, name: str = "reader") -> Any:
        return self.system.registry.actor(name).stats()

    async def crash(self) -> str:
        """Wait until the reader has crashed, and return why."""
        async with asyncio.timeout(WAIT_S_MAX):
            while (error := self.stats().last_error) is None:  # noqa: ASYNC110 - sets no event
                await asyncio.sleep(0.002)
        return str(error)


@contextlib.asynccontextmanager
async def reading(
    folder: Path,
    url: str | None,
    *settings: str,
    clock: ShiftedClock | None = None,
    credentials: XCredentials = CREDENTIALS,
    is_leaving: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Reading]:
    """Run a reader of the X at `url`; without one the X has not opened yet."""
    config = load_config(settings=[*SETTINGS, *settings], systems=SYSTEMS)
    clock = clock or ShiftedClock()
    access = XAccess(credentials, simulator=True, write=True, is_leaving=is_leaving)
    if url is not None:
        access.open(url)
    migrations = folder / "schema"
    migrations.mkdir(exist_ok=True)
    (migrations / "0001_stored.sql").write_text(SCHEMA)

    class Placed(Shelf):
        schema: ClassVar[Path] = migrations

    tweets, x = config.section(TweetsConfig), config.section(XConfig)
    services = {"reader": lambda: ReaderService(tweets, x, access), "tweets": Placed}
    system = app_of(services, folder, config, clock=clock).tree
    await system.start()
    try:
        yield Reading(system, clock, access)
    finally:
        await system.stop()
