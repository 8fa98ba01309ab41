"""A store on the caller's own thread, without a hop: for simulations and for tests."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from actors.errors import StoreError, StoreUnwritable
from actors.store.files.sqlite_file import has_room, look, open_reader
from actors.store.messaging.idempotency import refuse_new
from actors.store.messaging.request_keys import RequestKeys
from actors.store.opening import open_degraded, open_for_writing
from actors.store.read_batch import read_batch
from actors.store.store import Backlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.config import StoreConfig
    from actors.kernel.behavior import BatchResult
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.store.files.integrity import IntegrityCheck
    from actors.store.group_commit import GroupCommit
    from actors.store.store import BoundHandler, StoreSpec, WriteResult

T = TypeVar("T")


class InlineStore:
    """Real SQLite, called in place. Handlers have no budget: nothing could interrupt them."""

    def __init__(self, spec: StoreSpec, config: StoreConfig, *, clock: Clock, rng: Rng) -> None:
        """Open nothing yet."""
        self._spec = spec
        self._config = config
        self._clock = clock
        self._rng = rng
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._commit: GroupCommit | None = None
        self._abandoned = False
        self.steps = 0
        self.unwritable: StoreUnwritable | None = None

    async def open(self, *, verify: bool, first: bool) -> None:
        """Migrate, check if asked to, take the next epoch. Raises StoreError."""
        try:
            self._writer, self._commit = open_for_writing(
                self._spec,
                self._config,
                clock=self._clock,
                rng=self._rng,
                run=_run,
                abandoned=lambda: self._abandoned,
                verified=verify,
                first=first,
                step=self._step,
            )
        except StoreUnwritable as error:
            self._degrade(error, verified=verify)
            return
        self._reader = open_reader(self._spec.path, self._config)
        self._reader.row_factory = sqlite3.Row

    def _degrade(self, why: StoreUnwritable, *, verified: bool) -> None:
        self._reader = open_degraded(
            self._spec, self._config, why, verified=verified, step=self._step
        )
        self.unwritable = why

    async def has_room(self) -> bool:
        """Try it, beside the file."""
        return has_room(self._spec.path)

    def _step(self) -> bool:
        self.steps += 1
        return self._abandoned

    async def check(self, check: IntegrityCheck) -> None:
        """Look at a table a turn of the loop."""
        with closing(open_reader(self._spec.path, self._config)) as connection:
            while self._reader is not None and (table := check.next_table(connection)):
                check.look_at(connection, table)
                await asyncio.sleep(0)

    @property
    def backlog(self) -> Backlog:
        """What was found to do when it was opened."""
        if self.unwritable:
            return Backlog()
        assert self._commit is not None, "open() comes first"
        return self._commit.backlog

    async def write(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> WriteResult:
        """Run commands in one transaction; returns after its commit."""
        if self.unwritable:
            assert self._reader is not None, "open() comes first"
            keys = RequestKeys(self._reader, self._config, self._clock)
            return refuse_new(self._reader, batch, handlers, keys=keys, why=self.unwritable)
        assert self._commit is not None, "open() comes first"
        return self._commit.write(batch, handlers)

    async def read(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> BatchResult:
        """Run queries on one snapshot."""
        assert self._reader is not None, "open() comes first"
        now_us = self._clock.now_us()
        return read_batch(
            self._reader,
            self._spec,
            batch,
            handlers,
            now_us=now_us,
            run=_run,
            abandoned=lambda: self._abandoned,
            files=None if self._commit is None else self._commit.epoch.files,
        )

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

    def acknowledge(self, receiver: str, number: int) -> None:
        """Let the next transaction remove what `receiver` has applied, up to `number`."""
        if self.unwritable:
            return
        assert self._commit is not None, "open() comes first"
        self._commit.outbox.acknowledged[receiver] = number

    async def close(self) -> None:
        """Close both connections, in order."""
        if self._commit is not None:
            self._commit.retire()
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
