"""Ann, bob and cat in one data folder: a process's stores on it, and what befalls their files."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from actors.kernel.rng import Rng
from actors.store.files.data_folder import DataFolder
from tests.store.correspondents import made

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.clock import ManualClock
    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.inline_store import InlineStore
    from tests.store.ledger import Ledger

FILES = ("", "-wal", "-shm")


class Neighbours:
    """One data folder, used by one process after another."""

    def __init__(
        self, path: Path, clock: ManualClock, *names: str, kind: str = "inline", **limits: object
    ) -> None:
        self.path = path
        self.names = names or ("ann", "bob", "cat")
        self.ledgers: dict[str, Ledger] = {}
        self.stores: dict[str, AiosqliteStore | InlineStore] = {}
        self._kind = kind
        self._clock = clock
        self._limits = limits
        self._processes = 0
        path.mkdir(exist_ok=True)
        self.begin()

    def begin(self) -> None:
        """Begin the next process: it knows what the files say, and nothing else."""
        self._processes += 1
        rng = Rng(f"{self.path} {self._processes}")
        self.stores = {}
        self.ledgers = {
            name: made(
                self._kind, self.path.with_name(f"{self.path.name}-schemas"), name, self._clock
            )
            for name in self.names
        }
        config = self.ledgers[self.names[0]].config
        self.folder = DataFolder(self.path, self.names, config, clock=self._clock, rng=rng)
        for name, ledger in self.ledgers.items():
            ledger.limit(path=self.file(name), folder=self.folder, **self._limits)
            ledger._rng = rng.fork(name)

    def file(self, name: str, suffix: str = "") -> Path:
        return self.path / f"{name}.db{suffix}"

    async def open(self, *names: str) -> None:
        for name in names or self.names:
            self.stores[name] = await self.ledgers[name].open()

    async def close(self) -> None:
        for store in self.stores.values():
            await store.close()

    async def boot(self) -> None:
        """Start the next process, and all of its services."""
        self.begin()
        await self.open()

    def image(self, to: Path) -> Neighbours:
        """Copy the folder as a SIGKILL at this instant would leave it."""
        shutil.copytree(self.path, to)
        return Neighbours(to, self._clock, *self.names, kind=self._kind, **self._limits)

    def move(self, name: str, to: str) -> None:
        for suffix in FILES:
            if self.file(name, suffix).exists():
                self.file(name, suffix).rename(self.file(to, suffix))

    def remove(self, name: str, *suffixes: str) -> None:
        for suffix in suffixes or FILES:
            self.file(name, suffix).unlink(missing_ok=True)

    def back_up(self, name: str, to: Path) -> None:
        """Copy all that is committed, whatever of it is in the log, online."""
        to.unlink(missing_ok=True)
        with (
            closing(sqlite3.connect(f"file:{self.file(name)}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(to)) as target,
        ):
            source.backup(target)

    def restore(self, name: str, backup: Path) -> None:
        self.remove(name)
        shutil.copy(backup, self.file(name))

    def bytes_of(self, name: str) -> list[bytes]:
        return [
            self.file(name, suffix).read_bytes() if self.file(name, suffix).exists() else b""
            for suffix in ("", "-wal")
        ]
