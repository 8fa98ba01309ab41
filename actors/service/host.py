"""The behavior that hosts a service: its store, its handlers, its batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from actors.errors import StoreCorrupt, StoreError
from actors.kernel.behavior import Behavior
from actors.kernel.child_spec import ChildSpec
from actors.kernel.messages import Query
from actors.store.store import Handler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.config import ServiceConfig
    from actors.kernel.behavior import BatchResult
    from actors.kernel.dead_letters import DeadLetter
    from actors.kernel.envelope import Envelope
    from actors.kernel.messages import Message
    from actors.service.service import Service
    from actors.store.store import Store

COMMANDS, QUERIES = 0, 1


def lane_of(message: Message) -> int:
    """Sort a service's messages: queries never wait behind commands."""
    return QUERIES if isinstance(message, Query) else COMMANDS


class Hosting:
    """What outlives a service's incarnations: how to make them, and how the last one ended."""

    def __init__(
        self, name: str, service: Callable[[], Service], store: Callable[[], Store]
    ) -> None:
        """`service` and `store` make a fresh one for every incarnation."""
        self.name = name
        self.make_service = service
        self.make_store = store
        self.opened = False
        # Look for damage at the process's first open, and after damage was seen.
        self.suspicious = True
        self.current: ServiceHost | None = None

    def child(self, config: ServiceConfig) -> ChildSpec:
        """Return the service as a supervisor's child."""
        return ChildSpec(
            name=self.name,
            factory=lambda: ServiceHost(self),
            kind="service",
            service=self.name,
            lanes=2,
            lane_of=lane_of,
            batch_messages_max=config.batch_messages_max,
        )

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the service's latest dead letters; none while it is down or cannot read them."""
        host = self.current
        if host is None:
            return []
        try:
            return await host.store.dead_letters(limit)
        except StoreError:  # the other services' letters are listed all the same
            return []


class ServiceHost(Behavior):
    """One incarnation of a service: opens the store, runs batches, recognises redeliveries."""

    redelivers: ClassVar[bool] = True

    def __init__(self, hosting: Hosting) -> None:
        """Make the service and its store; the store is opened by `on_start`."""
        self._hosting = hosting
        self.store = hosting.make_store()
        service = hosting.make_service()
        self._handlers = {
            message: Handler(spec.function.__get__(service), msgspec.json.Decoder(spec.reply))
            for message, spec in type(service).handlers.items()
        }

    async def on_start(self) -> None:
        """Open the store. Raises StoreError, which is a failed start."""
        hosting = self._hosting
        await self.store.open(verify=hosting.suspicious, first=not hosting.opened)
        hosting.suspicious = False
        hosting.opened = True
        hosting.current = self

    async def on_batch(self, lane: int, batch: Sequence[Envelope]) -> BatchResult:
        """Run a batch in the store; its replies are the kernel's to send, after the commit."""
        if lane == COMMANDS:
            return await self.store.write(batch, self._handlers)
        return await self.store.read(batch, self._handlers)

    async def on_stop(self) -> None:
        """Close the store."""
        self._hosting.current = None
        await self.store.close()

    async def on_failure(self, error: BaseException) -> None:
        """Take the store away from whatever still runs on it."""
        if self._hosting.current is self:
            self._hosting.current = None
        # Only a verified open clears it: one that was killed or timed out has verified nothing.
        if isinstance(error, StoreCorrupt):
            self._hosting.suspicious = True
        await self.store.abandon()
