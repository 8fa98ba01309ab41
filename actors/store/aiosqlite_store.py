"""A store on threads of its own, through aiosqlite: a batch is one hop there and back.

aiosqlite's own methods cost a hop each; a batch of commands statement by statement is five to ten
times slower. So `BatchConnection` adds the one call that is missing, and only this file knows how.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiosqlite

from actors.errors import StoreError, StoreUnwritable
from actors.store.files.sqlite_file import has_room, look, open_reader
from actors.store.sqlite_store import SqliteStore
from actors.store.store import WriteResult
from actors.store.watched_thread import WatchedThread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.config import StoreConfig
    from actors.kernel.behavior import BatchResult
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.store.files.integrity import IntegrityCheck
    from actors.store.store import BoundHandler, StoreSpec

T = TypeVar("T")

# How often a check looks whether its store is being closed, in steps of SQLite's machine.
CHECK_INSTRUCTIONS: Final = 10_000
# As nice as a thread can be made: it takes what processor time nobody else wants.
NICENESS: Final = 19


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

    def interrupt_now(self) -> None:
        """Cut short what runs on the thread now, from the loop."""
        if self._connection is not None:
            with suppress(sqlite3.ProgrammingError):  # it is closed already
                self._connection.interrupt()

    def join(self) -> None:
        """Wait for the microseconds between the last word of the thread and its end."""
        self._thread.join()

    def _open(self) -> None:
        self._connection = self._connector()


class ConnectionThread(WatchedThread[BatchConnection]):
    """A connection on its own thread, with a watch over the handler that runs there."""

    async def connect(self, connector: Callable[[], sqlite3.Connection]) -> None:
        """Start the thread and open the connection on it. Raises what `connector` raises."""

        def connect() -> sqlite3.Connection:
            connection = connector()
            self.watch.attach(connection)
            return connection

        self.worker = BatchConnection(connect, self._name)
        try:
            await self.worker.connect()
        except BaseException:
            self.finish(self.worker)
            raise

    def look(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `function(connection)` on the thread. Raises StoreError where it is closed."""
        return self.submit(partial(function, self.open_worker._conn))  # noqa: SLF001

    async def run(self, function: Callable[[sqlite3.Connection], BatchResult]) -> BatchResult:
        """Run a batch of handlers on the connection; one that exceeds its budget is struck."""
        return await self.run_batch(partial(function, self.open_worker._conn))  # noqa: SLF001


class AiosqliteStore(SqliteStore):
    """The store of a running system: one thread writes, another reads, none waits for the other."""

    def __init__(self, spec: StoreSpec, config: StoreConfig, *, clock: Clock, rng: Rng) -> None:
        """Open nothing yet."""
        super().__init__(spec, config, clock=clock, rng=rng)
        self._writer = ConnectionThread(clock, spec.handler_s_max, f"{spec.name}-writer")
        self._reader = ConnectionThread(clock, spec.handler_s_max, f"{spec.name}-reader")
        self._checker: ConnectionThread | None = None
        self._checks = True

    async def open(self, *, verify: bool, first: bool) -> None:
        """Migrate, check if asked to, take the next epoch. Raises StoreError."""
        run = self._writer.watch.run
        try:
            await self._writer.connect(
                partial(self._open_for_writing, run, verified=verify, first=first)
            )
        except StoreUnwritable as error:
            await self._reader.connect(partial(self._open_degraded, error, verified=verify))
            self.unwritable = error
        else:
            await self._reader.connect(self._open_for_reading)

    async def has_room(self) -> bool:
        """Try it, beside the file."""
        return await asyncio.to_thread(has_room, self._spec.path)

    async def check(self, check: IntegrityCheck) -> None:
        """Look at a table at a time, on a thread of its own that gives way to all others."""

        def open_checker() -> sqlite3.Connection:
            _give_way()
            connection = open_reader(self._spec.path, self._config)
            connection.set_progress_handler(lambda: not self._checks, CHECK_INSTRUCTIONS)
            return connection

        if not self._checks:
            return
        self._checker = thread = ConnectionThread(
            self._clock, self._spec.handler_s_max, f"{self._spec.name}-checker"
        )
        await thread.connect(open_checker)
        try:
            while table := await thread.look(check.next_table):
                await thread.look(partial(check.look_at, table=table))
        except StoreError:
            if self._checks:
                await thread.close()
                raise
        await thread.close()

    async def _end_check(self) -> None:
        self._checks = False
        thread = self._checker
        if thread is not None and thread.worker is not None:
            thread.worker.interrupt_now()
            await thread.abandon()

    async def write(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> WriteResult:
        """Run commands in one transaction; returns after its commit."""
        if why := self.unwritable:
            return await self.look(lambda reader: self._refuse(reader, batch, handlers, why))
        commit = self._opened()
        result = await self._writer.run(lambda _: commit.write(batch, handlers))
        if isinstance(result, WriteResult):
            return result
        return WriteResult(outcomes=(), crash=result.crash, culprit=result.culprit)  # given up

    async def read(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> BatchResult:
        """Run queries on one snapshot, without waiting for a commit."""
        run = self._reader.watch.run
        return await self._reader.run(
            lambda connection: self._read(connection, batch, handlers, run=run)
        )

    def look(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have the reader run `function(connection)`. The future may end in a StoreError."""
        return self._reader.look(partial(look, self._spec.path, function))

    def between_batches(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Have the writer's thread run `function`, which holds it up. Raises StoreError."""
        return self._writer.submit(function)

    async def close(self) -> None:
        """Close all connections in order; nothing but the check may be running."""
        await self._end_check()
        await self._reader.close()
        try:
            if self._commit is not None:
                await self._writer.submit(self._commit.retire)
        finally:
            await self._writer.close()

    async def abandon(self) -> None:
        """Stop what is running and let nothing more commit: the incarnation is dead."""
        self._abandoned = True
        await asyncio.gather(self._writer.abandon(), self._reader.abandon(), self._end_check())


def _give_way() -> None:
    """Let this thread have only the time that the others leave, where the system can do that."""
    if sys.platform == "linux":  # where a thread has a niceness of its own
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
