"""The protocol of a store, and what it is told about its service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from actors.kernel.behavior import BatchResult
    from actors.kernel.dead_letters import DeadLetter
    from actors.kernel.envelope import Envelope


class Handler(msgspec.Struct, frozen=True):
    """A bound handler: `function(tx, message)`, and the type of its reply, for stored ones."""

    function: Callable[[Any, Any], Any]
    reply: msgspec.json.Decoder[Any]


class StoreSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Where a service's file is, and the folder of its numbered .sql files."""

    name: str
    path: Path
    migrations: Path
    attempts_max: int
    handler_s_max: float
    dead_letters_max: int


class Store(Protocol):
    """One incarnation's hold on its service's file.

    Batches are envelopes; a handler is looked up by the message's type. Each call's result says
    how far it got (see BatchResult); what has no outcome was not kept, or (where a thread was given
    up that was only slow) is recognised when it comes again.
    """

    async def open(self, *, verify: bool, first: bool) -> None:
        """Migrate, check if asked to, take the next epoch. Raises StoreError.

        `first` marks the first open in this process.
        """
        ...

    async def write(
        self, batch: Sequence[Envelope], handlers: Mapping[type, Handler]
    ) -> BatchResult:
        """Run commands in one transaction; returns after its commit."""
        ...

    async def read(
        self, batch: Sequence[Envelope], handlers: Mapping[type, Handler]
    ) -> BatchResult:
        """Run queries on one snapshot, without waiting for a commit."""
        ...

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the latest dead letters, newest first."""
        ...

    async def close(self) -> None:
        """Close in order; nothing may be running."""
        ...

    async def abandon(self) -> None:
        """Stop what is running and let nothing more commit: the incarnation is dead."""
        ...
