"""What both stores are: one incarnation's commits on its service's file, wherever they run."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from actors.store.files.sqlite_file import open_reader
from actors.store.messaging.idempotency import refuse_new
from actors.store.messaging.request_keys import RequestKeys
from actors.store.opening import open_degraded, open_for_writing
from actors.store.read_batch import read_batch, why_lost
from actors.store.store import Backlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from actors.config import StoreConfig
    from actors.errors import StoreUnwritable
    from actors.kernel.behavior import BatchResult
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.store.files.file_watch import FileWatch
    from actors.store.group_commit import GroupCommit, Run
    from actors.store.store import BoundHandler, StoreSpec, WriteResult

    Connect = Callable[[Path, StoreConfig], sqlite3.Connection]


class SqliteStore:
    """Its subclasses say which thread does what."""

    def __init__(self, spec: StoreSpec, config: StoreConfig, *, clock: Clock, rng: Rng) -> None:
        """Open nothing yet."""
        self._spec = spec
        self._config = config
        self._clock = clock
        self._rng = rng
        self._commit: GroupCommit | None = None
        # Looked at by the writer's thread, also while it is still opening.
        self._abandoned = False
        self.steps = 0
        self.unwritable: StoreUnwritable | None = None

    @property
    def backlog(self) -> Backlog:
        """What was found to do when it was opened."""
        return Backlog() if self.unwritable else self._opened().backlog

    def acknowledge(self, receiver: str, number: int) -> int:
        """Let the next transaction remove what `receiver` has applied, up to `number`.

        Returns how many rows that are.
        """
        if self.unwritable is not None:
            return 0
        outbox = self._opened().outbox
        outbox.acknowledged[receiver] = number
        return number - outbox.removed.get(receiver, 0)

    def vouches(
        self, _hits: Sequence[tuple[Envelope, Any]], _handlers: Mapping[Any, BoundHandler]
    ) -> bool:
        """Whether these questions may have answers that were read before."""
        return why_lost(self._files, self._spec.lock) is None

    # --- For subclasses ----------------------------------------------------------------------

    @property
    def _files(self) -> FileWatch | None:
        return None if self._commit is None else self._commit.epoch.files

    def _opened(self) -> GroupCommit:
        assert self._commit is not None, "open() comes first"
        return self._commit

    def _open_for_writing(
        self, run: Run, *, verified: bool, first: bool, connect: Connect | None = None
    ) -> sqlite3.Connection:
        connection, self._commit = open_for_writing(
            self._spec,
            self._config,
            clock=self._clock,
            rng=self._rng,
            run=run,
            abandoned=lambda: self._abandoned,
            verified=verified,
            first=first,
            step=self._step,
            connect=connect,
        )
        return connection

    def _open_for_reading(self) -> sqlite3.Connection:
        connection = open_reader(self._spec.path, self._config)
        connection.row_factory = sqlite3.Row
        return connection

    def _open_degraded(self, why: StoreUnwritable, *, verified: bool) -> sqlite3.Connection:
        return open_degraded(self._spec, self._config, why, verified=verified, step=self._step)

    def _read(
        self,
        connection: sqlite3.Connection,
        batch: Sequence[Envelope],
        handlers: Mapping[Any, BoundHandler],
        *,
        run: Run,
    ) -> BatchResult:
        return read_batch(
            connection,
            self._spec,
            batch,
            handlers,
            clock=self._clock,
            run=run,
            abandoned=lambda: self._abandoned,
            files=self._files,
        )

    def _refuse(
        self,
        connection: sqlite3.Connection,
        batch: Sequence[Envelope],
        handlers: Mapping[Any, BoundHandler],
        why: StoreUnwritable,
    ) -> WriteResult:
        keys = RequestKeys(connection, self._spec, self._config, self._clock)
        return refuse_new(connection, batch, handlers, keys=keys, why=why)

    def _step(self) -> bool:
        self.steps += 1
        return self._abandoned
