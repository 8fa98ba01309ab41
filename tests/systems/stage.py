"""One service on an inline store: its handlers as they run in the system, without the system."""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec

from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.kernel.envelope import Envelope
from actors.kernel.messages import EffectOutcome, Query, outcome_type
from actors.kernel.rng import Rng
from actors.service.directory import Directory
from actors.store.inline_store import InlineStore
from actors.store.store import StoreSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from actors.service.service import Service
    from actors.store.messaging.output import Outgoing, Timer
    from actors.store.store import WriteResult


# What a service's file is before anything is in it: to migrate it takes a third of a small test.
_MIGRATED: dict[tuple[str, str], bytes] = {}


class Stage:
    """Sends messages to a service, and returns what it replies.

    What the last batch's handlers told the world is in `sent` (receiver and message; an event once
    for each subscriber), `timers` (delay in seconds and message) and `replies` (of a Later: its
    request and the value).
    """

    def __init__(
        self,
        name: str,
        service: Service,
        store: InlineStore,
        *,
        path: Path,
        directory: Directory,
        clock: ManualClock,
    ) -> None:
        self.clock = clock
        self._name = name
        self._service = service
        self._store = store
        self._path = path
        self._directory = directory
        self._seq = 0
        self._handlers = {
            message: spec.bind(service) for message, spec in type(service).handlers.items()
        }
        self.sent: list[tuple[str, Any]] = []
        self.timers: list[tuple[float, Any]] = []
        self.replies: list[tuple[str, Any]] = []

    async def send(self, *messages: Any, key: str | None = None) -> list[Any]:
        """Send commands as one batch, or queries on one snapshot; return their replies."""
        batch = []
        for message in messages:
            self._seq += 1
            batch.append(Envelope(message, key=key))
            batch[-1].seq = self._seq
        if isinstance(messages[0], Query):
            result = await self._store.read(batch, self._handlers)
        else:
            result = await self._store.write(batch, self._handlers)
            self._note(result)
        if result.crash is not None:
            raise result.crash
        return list(result.outcomes)

    async def ask(self, message: Any, *, key: str | None = None) -> Any:
        (reply,) = await self.send(message, key=key)
        return reply

    async def run_effect(self, message: Any) -> Any:
        """Run the service's effect once, and return the outcome, which is not applied."""
        handlers = type(self._service).handlers
        spec = handlers[type(message)]
        assert spec.kind == "effect"
        value = await spec.function(self._service, [message] if spec.lists else message)
        if spec.lists and value is not None:
            (value,) = value
        if outcome_type(type(message)) in handlers:
            return EffectOutcome(command=message, value=value)
        return value

    def rows(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """Read the service's own tables."""
        with closing(sqlite3.connect(self._path)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, params)]

    def execute(self, sql: str, *params: Any) -> None:
        """Write into the service's own tables, behind its back."""
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(sql, params)

    async def pages(self, question: Any) -> list[list[Any]]:
        """Follow the cursors from the question's page to the last; return each page's items."""
        pages = []
        while True:
            page = await self.ask(question)
            pages.append(page.items)
            if page.next is None:
                return pages
            question = msgspec.structs.replace(question, after=int(page.next))

    def _note(self, result: WriteResult) -> None:
        left = result.outputs
        self.sent = [(each.receiver, each.message) for one in left for each in one.messages]
        self.timers = [
            (max(0, each.due_us - self.clock.now_us()) / 1_000_000, each.message)
            for one in left
            for each in one.timers
        ]
        self.replies = [reply for one in left for reply in one.replies]
        for one in left:
            for message in one.messages:
                self._read_back(message.receiver, message)
            for timer in one.timers:
                self._read_back(self._name, timer)

    def _read_back(self, receiver: str, each: Outgoing | Timer) -> None:
        """After a crash only the stored text is there: it must mean the same."""
        assert self._directory.decode(receiver, each.message_type, each.blob) == each.message


@contextlib.asynccontextmanager
async def stage(
    service: Service,
    folder: Path,
    *,
    name: str = "service",
    others: Mapping[str, type[Service]] | None = None,
    clock: ManualClock | None = None,
) -> AsyncIterator[Stage]:
    """Open a store for the service in this folder; `others` are those it may send to."""
    clock = clock or ManualClock()
    directory = Directory({**(others or {}), name: type(service)}, load_config().store)
    spec = StoreSpec(
        name=name,
        path=folder / f"{name}.db",
        migrations=service.schema,
        attempts_max=3,
        handler_s_max=1.0,
        dead_letters_max=10,
        catalog=directory.catalog,
    )
    store = InlineStore(spec, load_config().store, clock=clock, rng=Rng(1))
    key = (name, str(service.schema))
    if not spec.path.exists():  # else it is a test's own, with something in it
        if key in _MIGRATED:
            spec.path.write_bytes(_MIGRATED[key])
        else:
            await store.open(verify=True, first=True)
            await store.close()
            _MIGRATED[key] = spec.path.read_bytes()
    await store.open(verify=True, first=True)
    try:
        yield Stage(name, service, store, path=spec.path, directory=directory, clock=clock)
    finally:
        await store.close()
