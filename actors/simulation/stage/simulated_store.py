"""Real SQLite in a simulation: in place, at a simulated cost, on a disk slow or full at will."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from actors.errors import Fenced, StoreError, StoreRefused, StoreUnwritable
from actors.kernel.messages import Refusal
from actors.simulation.files.failing_connections import (
    FAILURES,
    BrokenCommit,
    FullDisk,
    working_through,
)
from actors.simulation.oracles.answers.cache_oracle import TimelessTransaction
from actors.simulation.script.crash_points import message_name
from actors.simulation.stage.disk import COST_S_MAX, SLOW_CHANCE, SLOW_FACTOR
from actors.simulation.stage.handler_faults import WishedBreak
from actors.store.inline_store import InlineStore
from actors.store.store import WriteResult

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from actors.config import StoreConfig
    from actors.kernel.behavior import BatchResult
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.simulation.stage.disk import Disk, Phase
    from actors.store.group_commit import Run
    from actors.store.sqlite_store import Connect
    from actors.store.store import BoundHandler, StoreSpec

T = TypeVar("T")

EPOCH = "SELECT value FROM epoch"

# A kill is heard within a turn or two of the loop, each of which may take REACH_S.
KILL_S_MAX = 0.02


# At which write of a batch there is no room, 0 being its commit.
WRITES_MAX = 8


class SimulatedStore(InlineStore):
    """Takes its time before a commit and after it: a kill can come at either moment.

    Before it, nothing was written; after it, everything was, and nobody has heard of it. As a
    thread would, a batch that was under way when its incarnation was killed goes on and tries to
    commit: the store must see to it that it cannot.
    """

    def __init__(
        self, spec: StoreSpec, config: StoreConfig, *, clock: Clock, rng: Rng, disk: Disk
    ) -> None:
        """`disk` is the machine's."""
        super().__init__(spec, config, clock=clock, rng=rng)
        self._name = spec.name
        self._disk = disk
        self._costs = rng.fork("costs")
        self._leftover: asyncio.Task[None] | None = None
        # One batch at a time, or who has it stand still between two.
        self._turn = asyncio.Lock()
        self._standing: set[asyncio.Task[Any]] = set()
        if disk.engine is not None:
            disk.engine.begun(spec.name)

    async def open(self, *, verify: bool, first: bool) -> None:
        """Open as the real one does, but never verify: whole files are not what is simulated."""
        await self._take_time()
        del verify
        if self._disk.strikes_start(self._name):
            await asyncio.sleep(KILL_S_MAX)  # cancelled by the kill
        self._disk.check_lock(self._name)
        full = self._disk.refuse(self._name)
        if full is not None and self._spec.path.exists():
            self._degrade(full, verified=False)
            self._disk.trace.add("open", self._name, "for reading alone: the disk is full")
            return
        await super().open(verify=False, first=first)
        if self._disk.engine is not None and self._writer is not None:
            (epoch,) = self._writer.execute(EPOCH).fetchone()
            self._disk.engine.opened(self._name, epoch)
        self._settle()
        self._disk.connections.seal(self._writer, self._reader)
        self._disk.trace.add("open", self._name)

    async def has_room(self) -> bool:
        """As the simulated disk has it."""
        await self._take_time()
        return not self._disk.is_full(self._name)

    async def write(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> WriteResult:
        """Run commands in one transaction, unless it is to stand still."""
        async with self._turn:
            return await self._write(batch, handlers)

    async def _write(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> WriteResult:
        types = [message_name(envelope.message) for envelope in batch]
        if self._disk.engine is not None:
            self._disk.engine.given(self._name, batch)
        try:
            await self._take_time()
            await self._pass(types, "before")
            await self._dawdle(types)
        except asyncio.CancelledError:
            if not self._disk.lost:
                leftover = self._go_on(batch, handlers)
                self._leftover = asyncio.get_running_loop().create_task(leftover)
            raise
        refused = self._disk.refuse(self._name)
        if refused is not None:
            self._disk.trace.add("refuse", self._name, "the disk is full")
            return await self._run_out_of_room(batch, handlers, refused)
        try:
            with self._perhaps_breaking(types):
                result = await self._commit_all(batch, handlers)
            self._note(types, batch, result)
            await self._take_time()
            await self._pass(types, "after")
        finally:
            self._settle()
        return result

    async def read(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> BatchResult:
        """Run queries on one snapshot."""
        await self._take_time(of_disk=False)
        await self._dawdle([message_name(envelope.message) for envelope in batch])
        if self._reader is not None and self._reader is self._writer:
            self._reader = self._disk.connections.reader(self._spec.path, self._config)
        self._settle()
        result = await super().read(batch, handlers)
        if self._spec.hearer is not None:
            await self._take_time(of_disk=False)  # what is read may be overtaken before it is told
        if self._disk.engine is not None:
            self._disk.engine.read(self._name, batch, result.outcomes)
        for envelope, outcome in zip(batch, result.outcomes, strict=False):
            asked = envelope.message
            name = message_name(asked)
            self._disk.asked[f"{self._name}.{name}"] += 1
            self._disk.trace.add("query", self._name, name, (asked, outcome))
        return result

    def vouches(
        self, hits: Sequence[tuple[Envelope, Any]], handlers: Mapping[Any, BoundHandler]
    ) -> bool:
        """As the real one; and who judges the run has each of them asked again."""
        vouched = super().vouches(hits, handlers)
        engine, reader = self._disk.engine, self._reader
        if not vouched or reader is None:
            return vouched
        self._settle()
        for envelope, told in hits:
            asked = envelope.message
            name = message_name(asked)
            self._disk.asked[f"{self._name}.{name}"] += 1
            self._disk.trace.add("query", self._name, f"{name}, known", (asked, told))
            if engine is not None:
                ask = partial(_ask, handlers[type(asked)], asked)
                reader.execute("BEGIN")
                try:
                    tx = TimelessTransaction(reader, self._clock.now_us())
                    engine.known(self._name, (envelope, told), ask, tx)
                finally:
                    reader.rollback()
        return vouched

    def look(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `function(connection)` on the reader, a little later."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        loop.call_later(self._cost_s(), self._look_now, function, future)
        return future

    def between_batches(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Have it stand still for as long as what `function` returns is awaited."""
        if self._writer is None:
            message = f"{self._name} is not open"
            raise StoreError(message)
        standing = asyncio.get_running_loop().create_task(self._stand_still(function))
        self._standing.add(standing)
        standing.add_done_callback(self._standing.discard)
        return standing

    async def abandon(self) -> None:
        """Let nothing more commit; what the batch under way still tries is seen to the end."""
        self._abandoned = True
        if self._standing and not self._disk.lost:
            await asyncio.wait(self._standing)
        if self._leftover is not None:
            await asyncio.wait([self._leftover])
        await super().abandon()

    async def close(self) -> None:
        """Close in order, unless the process has died amid that: then nothing is said any more."""
        if self._standing and not self._disk.lost:
            await asyncio.wait(self._standing)
        await (self.abandon() if self._disk.lost else super().close())

    # --- Inside ------------------------------------------------------------------------------

    def _open_for_reading(self) -> sqlite3.Connection:
        # Of services that are never asked no reader is needed: what the store itself looks at is
        # committed, also as its writer sees it, for whoever writes here ends before others look.
        return self._writer or super()._open_for_reading()

    def _open_for_writing(
        self, run: Run, *, verified: bool, first: bool, connect: Connect | None = None
    ) -> sqlite3.Connection:
        connect = connect or self._disk.connections.writer
        return super()._open_for_writing(run, verified=verified, first=first, connect=connect)

    def _close(self) -> None:
        self._settle()  # its last word, too: the folder may know of that
        reader = None if self._reader is self._writer else self._reader
        self._reader, self._writer = self._disk.connections.keep(reader, self._writer)
        super()._close()

    def _settle(self) -> None:
        """Whoever is to see what was committed sees what is synced."""
        if not self._disk.lost:
            self._disk.unsynced.settle(self._name, self._spec.path, self._writer)

    async def _stand_still(self, function: Callable[[], Any]) -> None:
        await self._take_time()
        async with self._turn:
            await function()

    async def _go_on(self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]) -> None:
        await self._take_time()
        result = await self._commit_all(batch, handlers)
        self._settle()
        if self._has_committed(result) and self._disk.engine is not None:
            self._disk.engine.wrote_dead(self._name, [message_name(each.message) for each in batch])
        if isinstance(result.crash, Fenced):
            self._disk.trace.add("fenced", self._name, "a dead incarnation's batch")

    def _has_committed(self, result: WriteResult) -> bool:
        """Whether any of it is in the file: what was refused as a whole is no crash either."""
        is_refused = any(isinstance(each, StoreRefused) for each in result.outcomes)
        return result.crash is None and not self.unwritable and not is_refused

    async def _commit_all(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, BoundHandler]
    ) -> WriteResult:
        if self._disk.engine is None:
            return await super().write(batch, handlers)
        commits = self._disk.engine.commits
        result = await super().write(batch, commits.watched(self._name, handlers))
        tell = commits.wrote(self._name, batch, result)
        self._disk.unsynced.wrote(self._name, self._spec.path, self._writer, tell)
        return result

    async def _run_out_of_room(
        self,
        batch: Sequence[Envelope],
        handlers: Mapping[Any, BoundHandler],
        refused: StoreUnwritable,
    ) -> WriteResult:
        """Do all of it until there is no room: at a write, or at the commit."""
        commit = self._commit
        if commit is None or self.unwritable:
            return WriteResult(outcomes=[refused] * len(batch))
        connection = commit._connection  # noqa: SLF001 - nobody else may see that it is another
        writes = self._costs.randrange(WRITES_MAX)
        full = FullDisk(connection, writes, FAILURES[writes % len(FAILURES)])
        try:
            with working_through(commit, full):
                result = await self._commit_all(batch, handlers)
        finally:
            self._settle()
        # Where the file lies is of this run alone.
        outcomes = [
            refused if isinstance(each, StoreUnwritable) else each for each in result.outcomes
        ]
        return msgspec.structs.replace(result, outcomes=outcomes)

    def _perhaps_breaking(self, types: Sequence[str]) -> AbstractContextManager[None]:
        """Let what one of them writes break a constraint at the commit, if that is wanted."""
        number = self._disk.handlers.breaking(self._name, types)
        commit = self._commit
        if number is None or commit is None:
            return nullcontext()
        error = WishedBreak("FOREIGN KEY constraint failed")
        connection = commit._connection  # noqa: SLF001 - as above
        return working_through(commit, BrokenCommit(connection, number, error))

    def _look_now(
        self, function: Callable[[sqlite3.Connection], T], future: asyncio.Future[T]
    ) -> None:
        if future.done():
            return
        self._settle()
        try:
            looked = super().look(function)
        except StoreError as error:
            future.set_exception(error)
            return
        failed = looked.exception()
        if failed is None:
            future.set_result(looked.result())
        else:
            future.set_exception(failed)

    async def _take_time(self, *, of_disk: bool = True) -> None:
        slower_s = self._disk.slower_s.get(self._name, 0.0) if of_disk else 0.0
        await asyncio.sleep(self._cost_s() + slower_s)

    async def _dawdle(self, types: Sequence[str]) -> None:
        """Take as long as the handlers do that are slow: a batch waits for each of them."""
        handlers = self._disk.handlers
        if handlers.slow_s:
            budget_s = self._spec.handler_s_max
            delays_s = [handlers.delay_s(self._name, name, budget_s) for name in types]
            await asyncio.sleep(sum(delays_s))

    def _cost_s(self) -> float:
        factor = SLOW_FACTOR if self._costs.random() < SLOW_CHANCE else 1.0
        return self._costs.uniform(0.0, COST_S_MAX) * factor

    async def _pass(self, types: Sequence[str], phase: Phase) -> None:
        passes = self._disk.passes
        if passes is not None and not self._abandoned:
            struck = [passes(self._name, name, phase) for name in dict.fromkeys(types)]
            if any(struck):
                await asyncio.sleep(KILL_S_MAX)  # cancelled by the kill

    def _note(self, types: Sequence[str], batch: Sequence[Envelope], result: WriteResult) -> None:
        add = self._disk.trace.add
        for name, envelope, outcome in zip(types, batch, result.outcomes, strict=False):
            data = (envelope.message, outcome)
            add("message", self._name, f"{name} {_outcome(outcome)}", data)
        if result.crash is None:
            add("commit", self._name, f"{len(types)} messages")
        else:
            add("crash", self._name, type(result.crash).__name__)


def _ask(handler: BoundHandler, message: Any, tx: TimelessTransaction) -> Any:
    return handler.function(tx, message)


def _outcome(outcome: Any) -> str:
    if isinstance(outcome, Refusal):
        return f"refused: {outcome.kind}"
    if isinstance(outcome, StoreRefused | BaseException):
        return f"failed: {type(outcome).__name__}"
    return "handled"


def stores_on(disk: Disk) -> Any:
    """Return what ServiceSystem makes its stores with."""
    return partial(SimulatedStore, disk=disk)
