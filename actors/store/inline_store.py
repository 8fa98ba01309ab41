"""A store on the caller's own thread, without a hop: for simulations and for tests."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from actors.errors import StoreError, StoreUnwritable
from actors.store.files.sqlite_file import has_room, look
from actors.store.sqlite_store import SqliteStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence

    from actors.config import StoreConfig
    from actors.kernel.behavior import BatchResult
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.store.files.integrity import IntegrityCheck
    from actors.store.store import BoundHandler, StoreSpec, WriteResult

T = TypeVar("T")


class InlineStore(SqliteStore):
    """Real SQLite, called in place. Handlers have no budget: nothing could interrupt them."""

    def __init__(self, spec: StoreSpec, config: StoreConfig, *, clock: Clock, rng: Rng) -> None:
        """Open nothing yet."""
        super().__init__(spec, config, clock=clock, rng=rng)
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    async def open(self, *, verify: bool, first: bool) -> None:
        """Migrate, check if asked to, take the next epoch. Raises StoreError."""
        try:
            self._writer = self._open_for_writing(_run, verified=verify, first=first)
        except StoreUnwritable as error:
            self._degrade(error, verified=verify)
        else:
            self._reader = self._open_for_reading()

    def _degrade(self, why: StoreUnwritable, *, verified: bool) -> None:
        self._reader = self._open_degraded(why, verified=verified)
        self.unwritable = why

    async def has_room(self) -> bool:
        """Try it, beside the file."""
        return has_room(self._spec.path)

    async def check(self, check: IntegrityCheck) -> None:
        """Look at a table a turn of the loop, between what else is read."""
        while self._reader is not None and (table := check.next_table(self._reader)):
            check.look_at(self._reader, table)
            await asyncio.sleep(0)

    async def write(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> WriteResult:
        """Run commands in one transaction; returns after its commit."""
        if self.unwritable:
            assert self._reader is not None, "open() comes first"
            return self._refuse(self._reader, batch, handlers, self.unwritable)
        return self._opened().write(batch, handlers)

    async def read(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> BatchResult:
        """Run queries on one snapshot."""
        assert self._reader is not None, "open() comes first"
        return self._read(self._reader, batch, handlers, run=_run)

    def look(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `function(connection)` on the reader. The future may end in a StoreError."""
        if self._reader is None:
            message = f"{self._spec.name} is not open"
            raise StoreError(message)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            future.set_result(look(self._spec.path, function, self._reader))
        except StoreError as error:
            future.set_exception(error)
        return future

    def between_batches(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """There is no thread that could be held up. Raises StoreError."""
        del function
        message = "a store without a thread of its own is not backed up while it is in use"
        raise StoreError(message)

    async def close(self) -> None:
        """Close both connections, in order, also where the last word cannot be written."""
        try:
            if self._commit is not None:
                self._commit.retire()
        except BaseException:
            await self.abandon()
            raise
        self._close()

    def _close(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                with closing(connection):
                    pass
        self._reader = self._writer = None

    async def abandon(self) -> None:
        """Let nothing more commit. An open transaction is rolled back."""
        self._abandoned = True
        if self._writer is not None:
            # Closing alone would leave it open, and the lock taken, while a traceback somewhere
            # keeps a cursor alive.
            self._writer.rollback()
        self._close()


def _run(_index: int, function: Callable[[Any, Any], Any], tx: Any, message: Any) -> Any:
    return function(tx, message)
