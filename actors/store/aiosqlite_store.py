"""A store on threads of its own, through aiosqlite: a batch is one hop there and back.

aiosqlite's own methods cost a hop each; a batch of commands statement by statement is five to ten
times slower. So `BatchConnection` adds the one call that is missing, and only this file knows how.
"""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import aiosqlite

from actors.errors import HandlerTimeout, StoreError
from actors.kernel.behavior import BatchResult
from actors.store.connection import look, open_reader
from actors.store.handler_watch import HandlerWatch
from actors.store.opening import open_for_writing
from actors.store.read_batch import read_batch
from actors.store.store import WriteResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.config import StoreConfig
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.store.group_commit import GroupCommit
    from actors.store.handler_watch import Call
    from actors.store.store import Handler, Standing, StoreSpec

T = TypeVar("T")

# A struck handler that does not end within this many more budgets is stuck in C code, where
# nothing can reach it: its thread is given up, its transaction rolled back under it.
PATIENCE_BUDGETS = 1.0
# How long an abandoned thread may take to notice, in seconds, before its transaction is taken
# away; and how often it is struck meanwhile: a handler may survive a strike, or begin after it.
ABANDON_S = 1.0
ABANDON_STRIKES = 5


class BatchConnection(aiosqlite.Connection):
    """An aiosqlite connection that can run any function on its thread in one hop."""

    def __init__(self, connector: Callable[[], sqlite3.Connection], name: str) -> None:
        """`connector` runs on the new thread, which is called `name`."""
        super().__init__(connector, iter_chunk_size=64)
        self._thread.name = name
        # A handler stuck in C code must not be able to keep the process from exiting.
        self._thread.daemon = True

    async def connect(self) -> None:
        """Start the thread and open the connection on it, for the thread itself to remember.

        Awaiting the connection, as aiosqlite means it, would lose one whose opener is cancelled.
        """
        self._thread.start()
        await self.submit(self._open)

    def submit(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Queue `function` for the connection's thread; the future is its result."""
        future = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((future, function))
        return future

    def finish(self) -> asyncio.Future[Any]:
        """Queue the close and the end of the thread, behind whatever it has to do."""
        ended = self.stop()
        assert ended is not None, "there is a running loop"
        return ended

    def join(self) -> None:
        """Wait for the microseconds between the last word of the thread and its end."""
        self._thread.join()

    def _open(self) -> None:
        self._connection = self._connector()


class Lane:
    """A connection on its own thread, with a watch over the handler that runs there."""

    def __init__(self, clock: Clock, budget_s: float, name: str) -> None:
        """No thread yet: `connect` starts it."""
        self.watch = HandlerWatch(clock)
        self._budget_s = budget_s
        self._name = name
        self._connection: BatchConnection | None = None
        self._ended: asyncio.Future[Any] | None = None
        self._pending: set[asyncio.Future[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def connect(self, connector: Callable[[], sqlite3.Connection]) -> None:
        """Start the thread and open the connection on it. Raises what `connector` raises."""

        def connect() -> sqlite3.Connection:
            connection = connector()
            self.watch.attach(connection)
            return connection

        self._connection = BatchConnection(connect, self._name)
        try:
            await self._connection.connect()
        except BaseException:
            self._finish(self._connection)
            raise

    def submit(self, function: Callable[[sqlite3.Connection], Any]) -> asyncio.Future[Any]:
        """Run `function(connection)` on the thread. Raises StoreError where it is closed."""
        connection = self._connection
        if connection is None or self._ended is not None:
            message = f"{self._name} is not open"
            raise StoreError(message)
        future = connection.submit(partial(function, connection._conn))  # noqa: SLF001
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    async def run_batch(self, function: Callable[[sqlite3.Connection], BatchResult]) -> BatchResult:
        """Run a batch of handlers; one that exceeds its budget is struck."""
        loop = asyncio.get_running_loop()
        future = self.submit(function)
        self._timer = loop.call_later(self._budget_s, self._check, loop, future)
        try:
            result: BatchResult = await future
        finally:
            self._timer.cancel()
        return result

    def _check(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[BatchResult]) -> None:
        """Strike the handler that is over its budget; else look again when it could be."""
        call = self.watch.call
        again_s = self._budget_s
        if call is not None:
            spent_s = self.watch.spent_s(call)
            if spent_s >= self._budget_s * (1 + PATIENCE_BUDGETS):
                self._give_up(call, future)
                return
            if spent_s >= self._budget_s:
                self.watch.strike(call)
                again_s = self._budget_s * PATIENCE_BUDGETS / 4
            else:
                again_s = self._budget_s - spent_s
        self._timer = loop.call_later(again_s, self._check, loop, future)

    def _give_up(self, call: Call, future: asyncio.Future[BatchResult]) -> None:
        if not future.done():
            spent_s = self.watch.spent_s(call)
            message = f"a handler did not stop {spent_s:.1f} s after its start; its thread is lost"
            future.set_result(
                BatchResult(outcomes=(), crash=HandlerTimeout(message), culprit=call.index)
            )

    async def close(self) -> None:
        """Close the connection and end the thread."""
        if self._connection is not None:
            await self._finish(self._connection)
            self._connection.join()

    async def abandon(self) -> None:
        """Interrupt whatever runs, then close; a thread that does not answer loses its hold."""
        if self._connection is None:
            return
        ended = self._finish(self._connection)
        for _ in range(ABANDON_STRIKES):
            # Patience first: an abandoned batch ends after the handler at work, and most are short.
            # A strike may meet a finalizer of somebody else's object, which the garbage collector
            # happens to run in the handler, and is lost there.
            call = self.watch.call
            await asyncio.wait([ended], timeout=ABANDON_S / ABANDON_STRIKES)
            if ended.done():
                return
            if call is not None:
                self.watch.strike(call)
        # What is stuck outside a handler is SQLite itself, which ends, or a disk, which may not.
        call = self.watch.call
        if call is not None:
            await asyncio.to_thread(self.watch.give_up, call)
        for future in list(self._pending):
            if not future.done():
                future.set_exception(StoreError(f"{self._name} is stuck and was given up"))

    def _finish(self, connection: BatchConnection) -> asyncio.Future[Any]:
        """End the thread, once: a second order would never be read."""
        if self._ended is None:
            self._ended = connection.finish()
            # Where nobody waits for it: already closed is closed.
            self._ended.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return self._ended


class AiosqliteStore:
    """The store of a running system: one thread writes, another reads, none waits for the other."""

    def __init__(self, spec: StoreSpec, config: StoreConfig, *, clock: Clock, rng: Rng) -> None:
        """Open nothing yet."""
        self._spec = spec
        self._config = config
        self._clock = clock
        self._rng = rng
        self._writer = Lane(clock, spec.handler_s_max, f"{spec.name}-writer")
        self._reader = Lane(clock, spec.handler_s_max, f"{spec.name}-reader")
        self._commit: GroupCommit | None = None
        # Looked at by the writer's thread, also while it is still opening.
        self._abandoned = False

    async def open(self, *, verify: bool, first: bool) -> None:
        """Migrate, check if asked to, take the next epoch. Raises StoreError."""

        def open_writer() -> sqlite3.Connection:
            connection, self._commit = open_for_writing(
                self._spec,
                self._config,
                clock=self._clock,
                rng=self._rng,
                run=self._writer.watch.run,
                abandoned=lambda: self._abandoned,
                verified=verify,
                first=first,
            )
            return connection

        def open_for_reading() -> sqlite3.Connection:
            connection = open_reader(self._spec.path, self._config)
            connection.row_factory = sqlite3.Row
            return connection

        await self._writer.connect(open_writer)
        await self._reader.connect(open_for_reading)

    @property
    def standing(self) -> Standing:
        """What was found to do when it was opened."""
        return self._opened().standing

    async def write(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, Handler]
    ) -> WriteResult:
        """Run commands in one transaction; returns after its commit."""
        commit = self._opened()
        result = await self._writer.run_batch(lambda _: commit.write(batch, handlers))
        if isinstance(result, WriteResult):
            return result
        return WriteResult(outcomes=(), crash=result.crash, culprit=result.culprit)  # given up

    async def read(self, batch: Sequence[Envelope], handlers: Mapping[Any, Handler]) -> BatchResult:
        """Run queries on one snapshot, without waiting for a commit."""
        run = self._reader.watch.run
        now_us = self._clock.now_us()
        return await self._reader.run_batch(
            lambda connection: read_batch(
                connection,
                self._spec,
                batch,
                handlers,
                now_us=now_us,
                run=run,
                abandoned=lambda: self._abandoned,
            )
        )

    def look(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have the reader run `function(connection)`. The future may end in a StoreError."""
        return self._reader.submit(partial(look, self._spec.path, function))

    def acknowledge(self, receiver: str, number: int) -> None:
        """Let the next transaction remove what `receiver` has applied, up to `number`."""
        self._opened().outbox.acknowledged[receiver] = number

    async def close(self) -> None:
        """Close both connections in order; nothing may be running."""
        await self._reader.close()
        await self._writer.close()

    def _opened(self) -> GroupCommit:
        assert self._commit is not None, "open() comes first"
        return self._commit

    async def abandon(self) -> None:
        """Stop what is running and let nothing more commit: the incarnation is dead."""
        self._abandoned = True
        await asyncio.gather(self._writer.abandon(), self._reader.abandon())
