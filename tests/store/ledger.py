"""A service of one table, and stores on its file: as many incarnations as a test wants."""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.kernel.envelope import Envelope
from actors.kernel.messages import Command, Query, Refusal
from actors.kernel.rng import Rng
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.inline_store import InlineStore
from actors.store.store import BoundHandler, Store, StoreSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from actors.kernel.clock import Clock
    from actors.store.transaction import ReadTransaction, Transaction

    Body = Callable[[Any, Any], Any]

STORES: dict[str, type[AiosqliteStore | InlineStore]] = {
    "aiosqlite": AiosqliteStore,
    "inline": InlineStore,
}
# For deaths at every statement: what is written is the same on both, and threads only take longer.
STORES_THEN_LONG = ["inline", pytest.param("aiosqlite", marks=pytest.mark.long)]

SCHEMA = """
CREATE TABLE account (name TEXT PRIMARY KEY) STRICT;
INSERT INTO account VALUES ('cash');
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    label TEXT NOT NULL,
    account TEXT NOT NULL DEFAULT 'cash' REFERENCES account DEFERRABLE INITIALLY DEFERRED,
    amount INTEGER NOT NULL DEFAULT 0 CHECK (amount >= 0),
    filler BLOB
) STRICT;
"""
ADD = "INSERT INTO entry (label) VALUES (?)"
COUNT = "SELECT count(*) FROM entry"
CONFIG = load_config().store
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """`count` is how many entries there were with this one."""

    label: str
    count: int


class Add(Command):
    label: str


class Refuse(Command):
    """Adds, and then thinks better of it."""

    label: str


class Crash(Command):
    """Adds, and then crashes."""

    label: str


class Do(Command):
    """Does what the test wants."""

    what: Any = None


class Unknown(Command):
    """Has no handler."""

    what: Any = None


class Count(Query):
    pass


class Look(Query):
    """Looks as the test wants."""

    what: Any = None


class Mishap(Exception):
    """What a handler of these tests crashes with."""


def add(tx: Transaction, cmd: Add) -> Added:
    tx.execute(ADD, cmd.label)
    return Added(label=cmd.label, count=count(tx, Count()))


def refuse(tx: Transaction, cmd: Refuse) -> Refusal:
    tx.execute(ADD, cmd.label)
    return Refusal.conflict(f"no {cmd.label}")


def crash(tx: Transaction, cmd: Crash) -> None:
    tx.execute(ADD, cmd.label)
    raise Mishap(cmd.label)


def count(tx: ReadTransaction, question: Count) -> int:
    row = tx.one(COUNT)
    assert row is not None
    number: int = row[0]
    return number


def handlers(do: Body | None = None, look: Body | None = None) -> dict[type, BoundHandler]:
    """Return every handler; `do` and `look` are the bodies for the messages of that name."""
    bodies: dict[type, tuple[Body | None, Any]] = {
        Add: (add, Added),
        Refuse: (refuse, None),
        Crash: (crash, None),
        Count: (count, int),
        Do: (do, Any),
        Look: (look, Any),
    }
    return {
        message: BoundHandler(body, msgspec.json.Decoder(reply))
        for message, (body, reply) in bodies.items()
        if body is not None
    }


def query_file(path: Path, sql: str, *params: Any) -> list[Any]:
    """Ask the file, through a connection of the test's own."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, params).fetchall()


def damage(path: Path, table: str) -> None:
    """Overwrite the table's root page, and leave the schema's and every other."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * page_bytes)
        file.write(b"\xff" * page_bytes)


class Ledger:
    """The service's file in a test's folder."""

    def __init__(self, kind: str, folder: Path, clock: Clock | None = None) -> None:
        migrations = folder / "schema"
        if not migrations.exists():
            migrations.mkdir(parents=True)
            (migrations / "0001_ledger.sql").write_text(SCHEMA)
        self.kind = STORES[kind]
        self.clock = clock or ManualClock()
        self.config = CONFIG
        self.spec = StoreSpec(
            name="ledger",
            path=folder / "ledger.db",
            migrations=migrations,
            attempts_max=3,
            handler_s_max=10.0,
            dead_letters_max=5,
        )
        self._rng = Rng(1)
        self._seq = 0
        self._opened = False

    def limit(self, **limits: Any) -> None:
        """Change numbers of the spec or of the configuration, before the next store is made."""
        for name, value in limits.items():
            if name in StoreSpec.__struct_fields__:
                self.spec = msgspec.structs.replace(self.spec, **{name: value})
            else:
                self.config = msgspec.structs.replace(self.config, **{name: value})

    def make(self) -> AiosqliteStore | InlineStore:
        """Make the next incarnation's store; not open yet."""
        return self.kind(self.spec, self.config, clock=self.clock, rng=self._rng.fork("store"))

    async def open(self, *, verify: bool = False) -> AiosqliteStore | InlineStore:
        """Make a store and open it; the first is the process's first."""
        store = self.make()
        try:
            await store.open(verify=verify, first=not self._opened)
        except BaseException:
            await store.abandon()
            raise
        self._opened = True
        return store

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[AiosqliteStore | InlineStore]:
        """Open a store; close it in order."""
        store = await self.open()
        try:
            yield store
        finally:
            await store.close()

    def envelope(self, message: Any, **fields: Any) -> Envelope:
        """Wrap the message as its mailbox would."""
        self._seq += 1
        envelope = Envelope(message, key=fields.pop("key", None))
        envelope.seq = self._seq
        for name, value in fields.items():
            setattr(envelope, name, value)
        return envelope

    def batch(self, *messages: Any) -> list[Envelope]:
        return [self.envelope(message) for message in messages]

    def query(self, sql: str, *params: Any) -> list[Any]:
        return query_file(self.spec.path, sql, *params)

    def labels(self) -> list[str]:
        """Return what is committed, in order."""
        return [label for (label,) in self.query("SELECT label FROM entry ORDER BY seq")]

    def rows(self, table: str) -> int:
        number: int = self.query(f"SELECT count(*) FROM {table}")[0][0]
        return number


def writer_of(store: Store) -> sqlite3.Connection:
    """Return the connection that the store writes through."""
    if isinstance(store, InlineStore):
        assert store._writer is not None
        return store._writer
    assert isinstance(store, AiosqliteStore)
    connection = store._writer.worker
    assert connection is not None
    return connection._conn
