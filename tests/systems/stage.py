"""One service on an inline store: its handlers as they run in the system, without the system."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.kernel.envelope import Envelope
from actors.kernel.messages import Query
from actors.kernel.rng import Rng
from actors.store.inline_store import InlineStore
from actors.store.store import Handler, StoreSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from actors.service.service import Service


class Stage:
    """Sends messages to a service, and returns what it replies."""

    def __init__(self, service: Service, store: InlineStore) -> None:
        self._store = store
        self._seq = 0
        self._handlers = {
            message: Handler(spec.function.__get__(service), msgspec.json.Decoder(spec.reply))
            for message, spec in type(service).handlers.items()
        }

    async def send(self, *messages: Any, key: str | None = None) -> list[Any]:
        """Send commands as one batch, or queries on one snapshot; return their replies."""
        batch = []
        for message in messages:
            self._seq += 1
            batch.append(Envelope(message, key=key))
            batch[-1].seq = self._seq
        queries = isinstance(messages[0], Query)
        call = self._store.read if queries else self._store.write
        result = await call(batch, self._handlers)
        if result.crash is not None:
            raise result.crash
        return list(result.outcomes)

    async def ask(self, message: Any, *, key: str | None = None) -> Any:
        (reply,) = await self.send(message, key=key)
        return reply

    async def pages(self, question: Any) -> list[list[Any]]:
        """Follow the cursors from the question's page to the last; return each page's items."""
        pages = []
        while True:
            page = await self.ask(question)
            pages.append(page.items)
            if page.next is None:
                return pages
            question = msgspec.structs.replace(question, after=int(page.next))


@contextlib.asynccontextmanager
async def stage(service: Service, folder: Path) -> AsyncIterator[Stage]:
    """Open a store for the service in this folder."""
    spec = StoreSpec(
        name="service",
        path=folder / "service.db",
        migrations=service.schema,
        attempts_max=3,
        handler_s_max=1.0,
        dead_letters_max=10,
    )
    store = InlineStore(spec, load_config().store, clock=ManualClock(), rng=Rng(1))
    await store.open(verify=True, first=True)
    try:
        yield Stage(service, store)
    finally:
        await store.close()
