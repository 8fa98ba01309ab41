"""Deaths at a commit: just before it, or just after it and before anybody hears of it."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import StoreError
from actors.kernel.exit import Killed

if TYPE_CHECKING:
    from actors.config import StoreConfig
    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.service.assembly import ServiceSystem, StoreType
    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.inline_store import InlineStore
    from actors.store.store import StoreSpec


class Died(BaseException):
    """The service, or all of the process, ends here."""


class Death(msgspec.Struct, frozen=True):
    """`after` the commit or before it; of all the `process` or of the service that commits."""

    after: bool
    process: bool


class Fate:
    """Counts the commits of all services, and strikes at some of them.

    Where it has struck the process, `dead` is set and no file is touched any more until `revive`.
    """

    def __init__(self) -> None:
        self.system: ServiceSystem
        # The services that committed while `counts`, and what happens at commits by their number.
        self.counts = False
        self.commits: list[str] = []
        self.at: dict[int, Death] = {}
        # What happens after how many more commits of a service, counted or not.
        self.dooms: dict[str, tuple[int, Death]] = {}
        self.dead = False
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # Services whose commit is under way, on threads of their own.
        self._committing: set[str] = set()

    def store(self, kind: type[InlineStore | AiosqliteStore]) -> StoreType:
        """Return what makes stores of this kind whose commits are fate's."""

        def make(
            spec: StoreSpec, config: StoreConfig, *, clock: Clock, rng: Rng
        ) -> InlineStore | AiosqliteStore:
            store = kind(spec, config, clock=clock, rng=rng)
            open_store = store.open

            async def open_fated(*, verify: bool, first: bool) -> None:
                if self.dead:
                    error = "the process is dead"
                    raise StoreError(error)
                await open_store(verify=verify, first=first)
                assert store._commit is not None
                connection = FatedConnection(spec.name, store._commit._connection, self)
                for holder in (store._commit, store._commit.epoch):
                    holder._connection = connection  # type: ignore[assignment]

            store.open = open_fated  # type: ignore[method-assign]
            return store

        return make

    def commit(self, name: str, connection: sqlite3.Connection) -> None:
        """Commit, unless fate has it otherwise."""
        self._committing.add(name)
        try:
            self._commit(name, connection)
        finally:
            self._committing.discard(name)

    def revive(self) -> None:
        """Let the next process live."""
        self.dead = False
        self.over.clear()

    async def spare(self) -> None:
        """Lift every doom; returns when those that are being carried out are."""
        self.dooms.clear()
        while self._committing:
            await asyncio.sleep(0.001)
            self.dooms.clear()  # one that counts down is put back

    def _commit(self, name: str, connection: sqlite3.Connection) -> None:
        death = self._doom(name)
        if self.counts:
            death = self.at.pop(len(self.commits), death)
            self.commits.append(name)
        if death is None or death.after:
            connection.execute("COMMIT")
        if death is None:
            return
        if death.process:
            self.dead = True
            self._loop.call_soon_threadsafe(self.over.set)
        elif asyncio._get_running_loop() is None:  # on a store's thread
            self.system.kill(name)
        else:  # at once: the signal would come behind the news of the commit
            self.system.registry.actor(name).crash(Killed("by fate"))
        raise Died

    def _doom(self, name: str) -> Death | None:
        left, death = self.dooms.pop(name, (0, None))
        if death is not None and left > 0:
            self.dooms[name] = (left - 1, death)
            return None
        return death


class FatedConnection:
    """A writer connection whose commits are fate's, and which is dead with its process."""

    def __init__(self, name: str, connection: sqlite3.Connection, fate: Fate) -> None:
        self._name = name
        self._connection = connection
        self._fate = fate

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @property
    def total_changes(self) -> int:
        return self._connection.total_changes

    def execute(self, sql: str, *params: Any) -> Any:
        self._check()
        if sql == "COMMIT":
            return self._fate.commit(self._name, self._connection)
        return self._connection.execute(sql, *params)

    def executemany(self, sql: str, *params: Any) -> Any:
        self._check()
        return self._connection.executemany(sql, *params)

    def rollback(self) -> None:
        self._connection.rollback()

    def interrupt(self) -> None:
        self._connection.interrupt()

    def _check(self) -> None:
        if self._fate.dead:
            error = "the process is dead"
            raise sqlite3.OperationalError(error)
