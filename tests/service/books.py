"""Whole services under a supervisor whose handlers do what each test wants."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path  # noqa: TC003 - a service's ClassVar
from typing import TYPE_CHECKING, Any, ClassVar

from actors.config import load_config
from actors.kernel.clock import SystemClock
from actors.kernel.messages import Refusal
from actors.kernel.rng import Rng
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from tests.booting import app_of
from tests.store.ledger import (
    SCHEMA,
    Add,
    Added,
    Count,
    Crash,
    Do,
    Look,
    Refuse,
    add,
    count,
    crash,
    query_file,
    refuse,
)
from tests.store.leftovers import no_store_threads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from actors.config import Config
    from actors.kernel import lifecycle
    from actors.kernel.messages import Message
    from actors.kernel.stats import ActorStats
    from actors.service.assembly import AnyService

TIMEOUT_S = 100.0


class Books(Service):
    """`Do` and `Look` do what the test that made the service wants."""

    def __init__(self, do: Callable[[Any, Any], Any], look: Callable[[Any, Any], Any]) -> None:
        self._do = do
        self._look = look

    @command
    def add(self, tx: Transaction, cmd: Add) -> Added:
        return add(tx, cmd)

    @command
    def refuse(self, tx: Transaction, cmd: Refuse) -> Refusal | None:
        return refuse(tx, cmd)

    @command
    def crash(self, tx: Transaction, cmd: Crash) -> None:
        crash(tx, cmd)

    @command
    def do(self, tx: Transaction, cmd: Do) -> Any:
        return self._do(tx, cmd)

    @query
    def count(self, tx: ReadTransaction, question: Count) -> int:
        return count(tx, question)

    @query
    def look(self, tx: ReadTransaction, question: Look) -> Any:
        return self._look(tx, question)


class Shelf:
    """Services, each with its own file, in one tree."""

    def __init__(
        self,
        folder: Path,
        services: Mapping[str, AnyService],
        config: Config,
        *,
        seed: int,
    ) -> None:
        self.folder = folder
        self.config = config
        self.events: list[lifecycle.LifecycleEvent] = []
        self._clock = SystemClock()
        self._rng = Rng(seed)
        self.system = app_of(
            services,
            folder,
            config,
            clock=self._clock,
            rng=self._rng,
            heard=self.events.append,
        ).tree
        self.hosted = self.system._hosted

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.db"

    async def ask(self, name: str, message: Message, **options: Any) -> Any:
        return await self.system.ask(name, message, **{"timeout_s": TIMEOUT_S, **options})

    def send(self, name: str, message: Message, **options: Any) -> asyncio.Future[Any]:
        """Ask, and do not wait for the reply yet; the message is in its mailbox on return."""
        reply = self.system.ask(name, message, **{"timeout_s": TIMEOUT_S, **options})

        async def wait() -> Any:
            return await reply

        return asyncio.ensure_future(wait())

    def stats(self, name: str) -> ActorStats:
        return self.system.registry.actor(name).stats()

    async def until(self, name: str, state: str) -> None:
        """Wait until the actor is in this state."""
        async with asyncio.timeout(TIMEOUT_S):
            while self.stats(name).state != state:  # noqa: ASYNC110 - as an operator would see it
                await asyncio.sleep(0.005)

    def happened(self, kind: type[lifecycle.LifecycleEvent], name: str) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind) and event.name == name]

    def labels(self, name: str) -> list[str]:
        """Return what is committed, in order."""
        rows = query_file(self.file(name), "SELECT label FROM entry ORDER BY seq")
        return [label for (label,) in rows]


def nothing(_tx: Any, _message: Any) -> None:
    """Do as little as a handler can."""


def configured(settings: Sequence[str]) -> Config:
    """Return the shipped configuration with quick restarts, and `settings` over it.

    A disk may stall for longer than one waits for a lock, and whoever holds that waits for it too.
    """
    quick = ["supervisor.backoff_s_min=0.001", f"store.busy_s_max={TIMEOUT_S}"]
    return load_config(None, [*quick, *settings])


def unstarted(
    folder: Path,
    *names: str,
    settings: Sequence[str] = (),
    seed: int = 1,
    do: Callable[[Any, Any], Any] = nothing,
    look: Callable[[Any, Any], Any] = nothing,
) -> Shelf:
    """Make a service of `Books` under each name."""
    migrations = folder / "schema"
    migrations.mkdir(exist_ok=True)
    (migrations / "0001_books.sql").write_text(SCHEMA)

    class Placed(Books):
        schema: ClassVar[Path] = migrations

    services = dict.fromkeys(names, lambda: Placed(do, look))
    return Shelf(folder, services, configured(settings), seed=seed)


@contextlib.asynccontextmanager
async def hosted(folder: Path, *names: str, **options: Any) -> AsyncIterator[Shelf]:
    """Run a service of `Books` under each name; leave no thread."""
    async with started(unstarted(folder, *names, **options)) as shelf:
        yield shelf


@contextlib.asynccontextmanager
async def started(shelf: Shelf) -> AsyncIterator[Shelf]:
    """Run the services; leave no thread."""
    await shelf.system.start()
    try:
        yield shelf
    finally:
        await shelf.system.stop()
        await no_store_threads()
