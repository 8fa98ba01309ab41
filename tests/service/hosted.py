"""Diaries under a supervisor on real stores: what an App wires, with misbehaving services."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from actors.config import load_config
from actors.kernel.messages import Command, Query, Refusal
from actors.kernel.rng import Rng
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from tests.booting import app_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from actors.kernel.lifecycle import LifecycleEvent
    from actors.service.assembly import ServiceSystem

SCHEMA = "CREATE TABLE entry (seq INTEGER PRIMARY KEY, label TEXT NOT NULL) STRICT;"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
ASK_S_MAX = 100.0
HANDLER_S_MAX = 0.3


class Added(msgspec.Struct, frozen=True, kw_only=True):
    seq: int


class Add(Command):
    label: str


class Poison(Command):
    label: str = "poison"


class Hang(Command):
    """Never ends: in `python`, in `sql`, or for seconds in C (`sleep`)."""

    how: str


class Labels(Query):
    pass


class PoisonQuery(Query):
    pass


class Diary(Service):
    """Adds what it is told, and misbehaves on demand."""

    schema: ClassVar[Path] = Path()  # given by each system: see `running`
    runs: ClassVar[list[str]] = []

    @command
    def add(self, tx: Transaction, cmd: Add) -> Added | Refusal:
        if not cmd.label:
            return Refusal.invalid("an entry has a label", field="label")
        tx.execute("INSERT INTO entry (label) VALUES (?)", cmd.label)
        row = tx.one("SELECT max(seq) FROM entry")
        assert row is not None
        return Added(seq=row[0])

    @command
    def crash(self, tx: Transaction, cmd: Poison) -> Added:
        self.runs.append(cmd.label)
        tx.execute("INSERT INTO entry (label) VALUES (?)", cmd.label)
        message = "bad input"
        raise ValueError(message)

    @command
    def hang(self, tx: Transaction, cmd: Hang) -> Added:
        self.runs.append(cmd.how)
        if cmd.how == "sleep":
            time.sleep(3 * HANDLER_S_MAX)
        while cmd.how == "python":
            pass
        tx.one(ENDLESS)
        return Added(seq=0)

    @query
    def labels(self, tx: ReadTransaction, question: Labels) -> list[str]:
        return [row["label"] for row in tx.all("SELECT label FROM entry ORDER BY seq")]

    @query
    def crash_reading(self, tx: ReadTransaction, question: PoisonQuery) -> list[str]:
        self.runs.append("query")
        message = "bad question"
        raise ValueError(message)


class Running:
    """A started system of diaries, each under its own name."""

    def __init__(self, system: ServiceSystem, folder: Path, events: list[LifecycleEvent]) -> None:
        self.system = system
        self.folder = folder
        self.events = events

    async def ask(self, service: str, message: Any, **options: Any) -> Any:
        """Ask as the edge does."""
        return await self.system.ask(service, message, **{"timeout_s": ASK_S_MAX, **options})

    def stats(self, name: str) -> Any:
        """Return the actor's snapshot."""
        return self.system.registry.actor(name).stats()

    async def until(self, name: str, state: str) -> None:
        """Wait until the actor is in that state."""
        async with asyncio.timeout(ASK_S_MAX):
            while self.stats(name).state != state:  # noqa: ASYNC110 - a state sets no event
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(
    folder: Path, seed: int, *names: str, **sections: dict[str, Any]
) -> AsyncIterator[Running]:
    """Run a diary under each name; `sections` change the shipped configuration."""
    config = load_config()
    # The disk of a busy machine may stall for longer than one waits for a lock as shipped.
    patient = {"store": {"busy_s_max": ASK_S_MAX}}
    changes = {"service": {"handler_s_max": HANDLER_S_MAX}, **patient, **sections}
    for name, values in changes.items():
        section = msgspec.structs.replace(getattr(config, name), **values)
        config = msgspec.structs.replace(config, **{name: section})
    migrations = folder / "schema"
    migrations.mkdir(exist_ok=True)
    (migrations / "0001_entry.sql").write_text(SCHEMA)
    events: list[LifecycleEvent] = []

    class Placed(Diary):
        schema: ClassVar[Path] = migrations

    services = dict.fromkeys(names, Placed)
    system = app_of(services, folder, config, rng=Rng(seed), heard=events.append).tree
    Diary.runs.clear()
    await system.start()
    try:
        yield Running(system, folder, events)
    finally:
        await system.stop()
