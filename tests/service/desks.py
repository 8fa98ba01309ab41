"""Services in virtual time: what a desk has done is in its table, in order, with the time.

The loop's time is the test's clock, and the stores are inline: nothing happens but by the test's
word, and what needs no time happens within a few turns of the loop. Given the system's clock and
stores with threads, it is all in real time instead.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pykka import ActorRegistry

from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.kernel.messages import Command, Query
from actors.kernel.rng import Rng
from actors.service.service import Service, command, query
from actors.service.stateless.inline_runner import InlineRunner
from actors.service.stateless.thread_runner import ThreadRunner
from actors.store.inline_store import InlineStore
from actors.store.transaction import ReadTransaction, Transaction
from tests.booting import app_of
from tests.kernel.kernel_harness import turns
from tests.store.ledger import Mishap, query_file
from tests.store.leftovers import no_store_threads

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from actors.kernel.behavior import BatchResult
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.lifecycle import LifecycleEvent
    from actors.service.assembly import AnyService, ServiceSystem
    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.store import BoundHandler, WriteResult

T = TypeVar("T")

# An ask's deadline, in seconds that only the test lets pass.
ASK_S_MAX = 1000.0
STEP_S = 0.01
STEPS_MAX = 100_000
# No number of restarts parks a desk, and each follows at once.
SETTINGS = (
    "supervisor.intensity=1000000",
    "supervisor.backoff_s_min=0",
    "supervisor.backoff_s_max=0",
    "runtime.seed=1",
)


class SteppingClock(ManualClock):
    """A manual clock whose wall clock can be set, as an operator or NTP does."""

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or backward; the monotonic one goes on as it was."""
        self._start_us += int(seconds * 1_000_000)


class Note(Command):
    """Write the label down."""

    label: str


class Poison(Command):
    """Crash its handler."""

    label: str = "poison"


class Do(Command):
    """Do what the test wants."""

    what: Any = None


class Labels(Query):
    pass


def note(tx: Transaction, label: str) -> None:
    """Write the label down."""
    tx.execute("INSERT INTO entry (label, at_us) VALUES (?, ?)", label, tx.now_us)


def nothing(_tx: Any, _cmd: Any) -> None:
    """Do as little as a handler can."""


class Desk(Service):
    """Notes what it is told, and does what the test that made it wants."""

    schema: ClassVar[Path] = Path(__file__).parent / "desk_schema"

    def __init__(self, do: Callable[[Transaction, Any], Any] = nothing) -> None:
        self._do = do

    @command
    def note(self, tx: Transaction, cmd: Note) -> None:
        note(tx, cmd.label)

    @command
    def poison(self, tx: Transaction, cmd: Poison) -> None:
        note(tx, cmd.label)
        raise Mishap(cmd.label)

    @command
    def do(self, tx: Transaction, cmd: Do) -> Any:
        return self._do(tx, cmd)

    @query
    def labels(self, tx: ReadTransaction, question: Labels) -> list[str]:
        return [row["label"] for row in tx.all("SELECT label FROM entry ORDER BY seq")]


class HoppingStore(InlineStore):
    """An inline store that takes a few turns of the loop to do things, as one on a thread does.

    A kill can come before a commit, or after it and before anyone has heard of it; a look may see
    what was there before a commit, and say so after it.
    """

    hops: ClassVar[Rng] = Rng(0)
    hops_max: ClassVar[int] = 4

    async def write(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> WriteResult:
        await turns(self.hops.randrange(self.hops_max))
        result = await super().write(batch, handlers)
        await turns(self.hops.randrange(self.hops_max))
        return result

    async def read(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> BatchResult:
        await turns(self.hops.randrange(self.hops_max))
        return await super().read(batch, handlers)

    def look(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        seen = super().look(function)
        late: asyncio.Future[T] = seen.get_loop().create_future()

        def tell(hops: int) -> None:
            if hops > 0:
                late.get_loop().call_soon(tell, hops - 1)
            elif late.cancelled():
                seen.exception()
            elif (error := seen.exception()) is not None:
                late.set_exception(error)
            else:
                late.set_result(seen.result())

        tell(self.hops.randrange(2 * self.hops_max))
        return late


class HeldStore(InlineStore):
    """An inline store whose looks see what is there, and say so when the test lets them."""

    held: ClassVar[HeldLooks | None] = None

    def look(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        seen = super().look(function)
        return seen if self.held is None else self.held.keep(seen)

    @classmethod
    @contextlib.contextmanager
    def hold(cls) -> Iterator[HeldLooks]:
        """Hold back every look; let them go at the end."""
        cls.held = HeldLooks()
        try:
            yield cls.held
        finally:
            held, cls.held = cls.held, None
            held.release()


class HeldLooks:
    def __init__(self) -> None:
        self._kept: list[tuple[asyncio.Future[Any], asyncio.Future[Any]]] = []

    @property
    def count(self) -> int:
        return len(self._kept)

    def keep(self, seen: asyncio.Future[T]) -> asyncio.Future[T]:
        late: asyncio.Future[T] = seen.get_loop().create_future()
        self._kept.append((seen, late))
        return late

    def release(self) -> None:
        for seen, late in self._kept:
            late.set_result(seen.result())
        self._kept.clear()


class Office:
    """A running system of desks: one process's life."""

    def __init__(
        self, system: ServiceSystem, folder: Path, clock: Clock, events: list[LifecycleEvent]
    ) -> None:
        self.system = system
        self.folder = folder
        self.clock = clock
        self.events = events
        self.hosted = system._hosted

    def ask(self, name: str, message: Any, **options: Any) -> asyncio.Future[Any]:
        """Ask; the message is in its mailbox on return, and the reply is the future's."""
        reply = self.system.ask(name, message, **{"timeout_s": ASK_S_MAX, **options})

        async def wait() -> Any:
            return await reply

        return asyncio.ensure_future(wait())

    async def advance(self, seconds: float, *, steps: int = 1) -> None:
        """Let time pass, the loop's too, and whatever follows happen."""
        for _ in range(steps):
            if isinstance(self.clock, ManualClock):
                self.clock.advance(seconds / steps)
                await turns()
            else:
                await asyncio.sleep(seconds / steps)

    async def through(self, awaitable: Awaitable[T]) -> T:
        """Let time pass until the result is there."""
        future = asyncio.ensure_future(awaitable)
        for _ in range(STEPS_MAX):
            if future.done():
                break
            await self.advance(STEP_S)
        return future.result()

    async def until(self, condition: Callable[[], Any], *, step_s: float = STEP_S) -> None:
        """Let time pass until the condition holds, which is looked at every so many seconds."""
        for _ in range(STEPS_MAX):
            if condition():
                return
            await self.advance(step_s, steps=round(step_s / STEP_S))
        message = "the condition did not come to hold"
        raise AssertionError(message)

    def happened(self, kind: type[LifecycleEvent]) -> list[LifecycleEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def rows(self, name: str, sql: str, *params: Any) -> list[Any]:
        """Ask the service's file, through a connection of the test's own."""
        return query_file(self.folder / f"{name}.db", sql, *params)

    def labels(self, name: str) -> list[str]:
        """Return what is committed, in order."""
        return [label for (label,) in self.rows(name, "SELECT label FROM entry ORDER BY seq")]

    def count(self, name: str, table: str) -> int:
        number: int = self.rows(name, f"SELECT count(*) FROM {table}")[0][0]
        return number

    async def letters(self) -> list[Any]:
        """Return the dead letters, the latest first."""
        return list(await self.system.dead_letters(limit=1000))


@contextlib.asynccontextmanager
async def office(
    folder: Path,
    services: Mapping[str, AnyService],
    *,
    clock: Clock,
    seed: int = 1,
    settings: Sequence[str] = (),
    store: type[AiosqliteStore | InlineStore] = InlineStore,
    **options: Any,
) -> AsyncIterator[Office]:
    """Run the services, in this folder, from the process's start to its end in order."""
    config = load_config(None, [*SETTINGS, *settings])
    loop = asyncio.get_running_loop()
    loop.time = clock.monotonic  # type: ignore[method-assign]
    events: list[LifecycleEvent] = []
    rng = Rng(seed)
    HoppingStore.hops = rng.fork("hops")
    system = app_of(
        services,
        folder,
        config,
        clock=clock,
        rng=rng,
        store=store,
        runner=InlineRunner if issubclass(store, InlineStore) else ThreadRunner,
        heard=events.append,
        **options,
    ).tree
    try:
        await system.start()
        yield Office(system, folder, clock, events)
    finally:
        await system.stop()
        ActorRegistry._actor_refs.clear()
        del loop.time
        await no_store_threads()
