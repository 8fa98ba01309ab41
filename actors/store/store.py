"""The protocol of a store, and what it is told about its service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from actors.kernel.behavior import BatchResult
from actors.measures.histogram import SECONDS, Histogram
from actors.store.messaging.service_catalog import ServiceCatalog
from actors.store.messaging.untold_replies import UntoldReplies
from actors.tracing.span_book import SpanBook

if TYPE_CHECKING:
    import asyncio
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from actors.errors import StoreUnwritable
    from actors.kernel.envelope import Envelope
    from actors.store.files.data_folder import DataFolder
    from actors.store.files.directory_lock import DirectoryLock
    from actors.store.files.integrity import IntegrityCheck
    from actors.store.messaging.outbox import ChannelBacklog
    from actors.store.messaging.output import Output
    from actors.store.messaging.output_buffer import OutputBuffer
    from actors.store.participant import Participant

T = TypeVar("T")


class BoundHandler(msgspec.Struct, frozen=True):
    """A bound handler: `function(tx, message)`, and the type of its reply, for stored ones.

    `defers` is whether it may return Later.
    """

    function: Callable[[Any, Any], Any]
    reply: msgspec.json.Decoder[Any]
    defers: bool = False


class LastEpoch:
    """The epoch that this process has taken last; None before its first opening.

    It is set under SQLite's lock on the file, with the epoch itself: whoever finds another epoch
    there knows that another process has had the file meanwhile.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        """Nothing is taken yet."""
        self.number: int | None = None

    def was_interrupted(self, found: int) -> bool:
        """Whether the file's epoch is not the one that this process has left there."""
        return self.number is not None and found != self.number


class StoreSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Where a service's file is, and its schema; see load_migrations."""

    name: str
    path: Path
    migrations: Path | str
    attempts_max: int
    handler_s_max: float
    dead_letters_max: int
    catalog: ServiceCatalog = ServiceCatalog()
    # The class that has the schema, for sentences about it.
    owner: str = ""
    # What the folder knows of the file; without it, a file is whatever lies there.
    folder: DataFolder | None = None
    # What keeps other processes away from the file, where something does.
    lock: DirectoryLock | None = None
    last_epoch: LastEpoch = msgspec.field(default_factory=LastEpoch)
    untold: UntoldReplies = msgspec.field(default_factory=UntoldReplies)
    # Makes who else hears of a writer's commits, from its connection and what it publishes.
    hearer: Callable[[sqlite3.Connection, OutputBuffer], Participant] | None = None
    # How long each commit took.
    commit_s: Histogram = msgspec.field(default_factory=partial(Histogram, SECONDS))
    spans: SpanBook = msgspec.field(default_factory=SpanBook)


class WriteResult(BatchResult, frozen=True, kw_only=True):
    """How a batch of commands ended, and what left with each of its commits."""

    outputs: Sequence[Output] = ()


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What a store had to do when it was opened: its own identity, messages on their way, timers.

    `timer_us` is when its first timer is due, or was; `timer_seq` is its last timer's number.
    `requests` are the names of those whose answer was put off, and has not come.
    """

    store: str = ""
    channels: dict[str, ChannelBacklog] = {}
    timer_us: int | None = None
    timer_seq: int = 0
    requests: frozenset[str] = frozenset()


class Store(Protocol):
    """One incarnation's hold on its service's file.

    Batches are envelopes; a handler is looked up by the message's type. Each call's result says
    how far it got (see BatchResult); what has no outcome was not kept, or (where a thread was given
    up that was only slow) is recognised when it comes again.
    """

    # Why the store was opened for reading alone, where it was: every write is refused with it.
    unwritable: StoreUnwritable | None

    async def open(self, *, verify: bool, first: bool) -> None:
        """Migrate, check if asked to, take the next epoch. Raises StoreError.

        Where the disk is full or read-only, opens for reading alone, if that is possible.
        `first` marks the first open in this process.
        """
        ...

    @property
    def steps(self) -> int:
        """How far an open that is under way has got: it has failed where this stands still."""
        ...

    async def has_room(self) -> bool:
        """Whether it could write now, as far as that can be known without doing it."""
        ...

    async def check(self, check: IntegrityCheck) -> None:
        """Look at what `check` has not looked at yet, beside the work; ends early with the store.

        Raises StoreCorrupt; StoreError where it could not be read.
        """
        ...

    @property
    def backlog(self) -> Backlog:
        """What was found to do when it was opened."""
        ...

    async def write(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> WriteResult:
        """Run commands in one transaction; returns after its commit.

        One batch at a time: whoever comes with the next has told the outcomes of the last.
        """
        ...

    async def read(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> BatchResult:
        """Run queries on one snapshot, without waiting for a commit."""
        ...

    def vouches(
        self, hits: Sequence[tuple[Envelope, Any]], handlers: Mapping[Any, BoundHandler]
    ) -> bool:
        """Whether these questions may have answers that were read before: the file is still there.

        Where it is not, `read` says so.
        """
        ...

    def look(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have the reader run `function(connection)`. The future may end in a StoreError."""
        ...

    def between_batches(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Have the writer's thread run `function`, which holds it up. Raises StoreError."""
        ...

    def acknowledge(self, receiver: str, number: int) -> int:
        """Let the next transaction remove what `receiver` has applied, up to `number`.

        Returns how many rows that are.
        """
        ...

    async def close(self) -> None:
        """Close in order; nothing may be running."""
        ...

    async def abandon(self) -> None:
        """Stop what is running and let nothing more commit: the incarnation is dead."""
        ...
