"""A store on threads of its own, through aiosqlite: a batch is one hop there and back.

aiosqlite's own methods cost a hop each; a batch of commands statement by statement is five to ten
times slower. So `BatchConnection` adds the one call that is missing, and only this file knows how.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import aiosqlite

from actors.errors import HandlerTimeout
from actors.kernel.behavior import BatchResult
from actors.store.connection import open_reader
from actors.store.dead_letter_table import latest
from actors.store.group_commit import GroupCommit, read_batch
from actors.store.handler_watch import HandlerWatch
from actors.store.opening import open_for_writing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.config import StoreConfig
    from actors.kernel.clock import Clock
    from actors.kernel.dead_letters import DeadLetter
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.store.store import Handler, StoreSpec

# A struck handler that does not end within this many more budgets is stuck in C code, where
# nothing can reach it: its thread is given up, its connection closed under it.
PATIENCE_BUDGETS = 1.0
# How long an abandoned thread may take to notice, in seconds, before its connection is taken away.
ABANDON_S = 0.5


class BatchConnection(aiosqlite.Connection):
    """An aiosqlite connection that can run any function on its thread in one hop."""

    def __init__(self, connector: Callable[[], sqlite3.Connection], name: str) -> None:
        """`connector` runs on the new thread, which is called `name`."""
        super().__init__(connector, iter_chunk_size=64)
        self._thread.name = name
        # A handler stuck in C code must not be able to keep the process from exiting.
        self._thread.daemon = True

    def submit(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Queue `function` for the connection's thread; the future is its result."""
        future = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((future, function))
        return future


class Lane:
    """A connection on its own thread, with a watch over the handler that runs there."""

    def __init__(self, clock: Clock, budget_s: float, name: str) -> None:
        """No thread yet: `connect` starts it."""
        self.watch = HandlerWatch(clock)
        self._budget_s = budget_s
        self._name = name
        self._connection: BatchConnection | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def connect(self, connector: Callable[[], sqlite3.Connection]) -> None:
        """Start the thread and open the connection on it. Raises what `connector` raises."""

        def connect() -> sqlite3.Connection:
            connection = connector()
            self.watch.attach(connection)
            return connection

        self._connection = BatchConnection(connect, self._name)
        await self._connection

    def submit(self, function: Callable[[sqlite3.Connection], Any]) -> asyncio.Future[Any]:
        """Run `function(connection)` on the thread."""
        assert self._connection is not None, "connect() comes first"
        return self._connection.submit(partial(function, self._connection._conn))  # noqa: SLF001

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
        spent_s = self.watch.running_s()
        again_s = self._budget_s
        if spent_s is not None and spent_s >= self._budget_s * (1 + PATIENCE_BUDGETS):
            if not future.done():
                message = (
                    f"a handler did not stop {spent_s:.1f} s after its start; its thread is lost"
                )
                future.set_result(
                    BatchResult(
                        outcomes=(), crash=HandlerTimeout(message), culprit=self.watch.index
                    )
                )
            return
        if spent_s is not None and spent_s >= self._budget_s:
            self.watch.strike()
            again_s = self._budget_s * PATIENCE_BUDGETS / 4
        elif spent_s is not None:
            again_s = self._budget_s - spent_s
        self._timer = loop.call_later(again_s, self._check, loop, future)

    async def close(self) -> None:
        """Close the connection and end the thread."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    async def abandon(self) -> None:
        """Interrupt whatever runs, then close; from another thread if this one does not answer."""
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        raw = connection._connection  # noqa: SLF001
        self.watch.strike()
        if raw is not None:
            raw.interrupt()
        closing = asyncio.ensure_future(connection.close())
        _, stuck = await asyncio.wait([closing], timeout=ABANDON_S)
        if stuck and raw is not None:
            await asyncio.to_thread(_take_away, raw)
            closing.cancel()
            await asyncio.wait([closing])
        elif not stuck:
            closing.exception()  # already closed is closed


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

    async def open(self, *, verify: bool, first: bool) -> None:
        """Migrate, check if asked to, take the next epoch. Raises StoreError."""

        def open_writer() -> sqlite3.Connection:
            connection, self._commit = open_for_writing(
                self._spec,
                self._config,
                clock=self._clock,
                rng=self._rng,
                run=self._writer.watch.run,
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

    async def write(
        self, batch: Sequence[Envelope], handlers: Mapping[type, Handler]
    ) -> BatchResult:
        """Run commands in one transaction; returns after its commit."""
        commit = self._commit
        assert commit is not None, "open() comes first"
        return await self._writer.run_batch(lambda _: commit.write(batch, handlers))

    async def read(
        self, batch: Sequence[Envelope], handlers: Mapping[type, Handler]
    ) -> BatchResult:
        """Run queries on one snapshot, without waiting for a commit."""
        run = self._reader.watch.run
        now_us = self._clock.now_us()
        return await self._reader.run_batch(
            lambda connection: read_batch(
                connection, self._spec, batch, handlers, now_us=now_us, run=run
            )
        )

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the latest dead letters, newest first."""
        letters: list[DeadLetter] = await self._reader.submit(
            lambda connection: latest(connection, self._spec.name, limit)
        )
        return letters

    async def close(self) -> None:
        """Close both connections in order; nothing may be running."""
        await self._reader.close()
        await self._writer.close()

    async def abandon(self) -> None:
        """Stop what is running and let nothing more commit: the incarnation is dead."""
        if self._commit is not None:
            self._commit.abandoned = True
        await asyncio.gather(self._writer.abandon(), self._reader.abandon())


def _take_away(connection: sqlite3.Connection) -> None:
    """Roll back and close under a thread that hangs: it must not keep the write lock."""
    with suppress(sqlite3.Error):
        connection.rollback()
    with suppress(sqlite3.Error):
        connection.close()
