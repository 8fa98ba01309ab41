"""All services' files of one moment, while they serve on."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from actors.errors import BackupRefused, StoreError
from actors.store.files.backup import prepare, write_backup
from actors.store.files.hold import Hold
from actors.store.files.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.hosted_service import HostedService
    from actors.store.files.data_folder import DataFolder
    from actors.store.files.manifest import Manifest

T = TypeVar("T")


class Standstill(Protocol):
    """One try to have all writers stand still, as Hold is one."""

    def stop(self) -> Any:
        """Stand still; called by each writer, on its thread."""

    def take(self, steps: Iterable[Callable[[], None]], /) -> Any:
        """Take these steps meanwhile; for how long that was, in seconds, or None."""

    def give_up(self) -> None:
        """Let all go on."""


class Aside(Protocol):
    """Where that is done which would keep the loop from all else."""

    def run(self, function: Callable[..., Any], /, *arguments: Any) -> Coroutine[Any, Any, Any]:
        """Return what the function returns."""

    def hold(self, writers: int, *, limit_s: float, clock: Clock) -> Standstill:
        """Return what so many writers are held with."""


class Threads:
    """A thread for each: what blocks it blocks nobody else."""

    def run(self, function: Callable[..., Any], /, *arguments: Any) -> Coroutine[Any, Any, Any]:
        return asyncio.to_thread(function, *arguments)

    def hold(self, writers: int, *, limit_s: float, clock: Clock) -> Hold:
        return Hold(writers, limit_s=limit_s, clock=clock)


class BackedUp(msgspec.Struct, frozen=True, kw_only=True):
    """What was written where. `held_ms` is for how long no service could commit.

    Of the services that are `missing` it has not what the data folder knows of, and each says why.
    """

    dir: str
    files: int
    bytes: int
    held_ms: float
    missing: dict[str, str]


class Backups:
    """Takes backups of a running system, one at a time.

    The moment is one at which no writer is in a transaction: each writer's thread is stopped
    between two batches, and when all have stopped, a read transaction begins on each file; then
    they go on, and the copies are made from those transactions. Where that takes longer than they
    may be held, they go on without it, and it is tried again. So the files are what a crash at
    that moment would have left, whatever is on its way between services.
    """

    def __init__(
        self,
        services: Mapping[str, HostedService],
        folder: DataFolder,
        *,
        is_parked: Callable[[str], bool],
        data_dir: Path,
        config: Config,
        clock: Clock,
        aside: Aside,
    ) -> None:
        """`services` are those with a store; a parked one changes nothing in its file."""
        self._aside = aside
        self._services = services
        self._folder = folder
        self._is_parked = is_parked
        self._data_dir = data_dir
        self._config = config
        self._clock = clock
        self._running = False

    async def take(self, target: Path) -> BackedUp:
        """Write a backup into the folder, which must be new or empty, and look it through.

        Raises BackupRefused, and StoreError where a file turns out to be damaged.
        """
        if self._running:
            message = "another backup is being made; wait for its end"
            raise BackupRefused(message)
        self._running = True
        try:
            return await self._take(target)
        finally:
            self._running = False

    # --- Inside ------------------------------------------------------------------------------

    async def _take(self, target: Path) -> BackedUp:
        await self._all_are_up_or_parked()
        await self._aside.run(prepare, target, self._data_dir)
        stopped = threading.Event()
        snapshots: dict[str, Snapshot] = {}
        try:
            await _to_its_end(self._aside.run(self._open, snapshots), give_up=stopped.set)
            held_s, manifest = await self._begin(snapshots)
            write = partial(
                write_backup,
                snapshots,
                manifest,
                data_dir=self._data_dir,
                target=target,
                at_us=self._clock.now_us(),
                stopped=stopped.is_set,
            )
            contents = await _to_its_end(self._aside.run(write), give_up=stopped.set)
        finally:
            for snapshot in snapshots.values():
                snapshot.close()
        return BackedUp(
            dir=str(target),
            files=len(contents.files),
            bytes=contents.bytes,
            held_ms=round(held_s * 1000, 3),
            missing=contents.missing,
        )

    async def _all_are_up_or_parked(self) -> None:
        """Wait a while for those that start: nobody knows yet what they should have."""
        limits = self._config.backup
        starting: list[str] = []
        for _ in range(limits.attempts_max):
            starting = [
                name
                for name, each in self._services.items()
                if each.current is None and not self._is_parked(name)
            ]
            if not starting:
                return
            await asyncio.sleep(limits.retry_s)
        message = f"not up yet: {', '.join(starting)}; call again when /readyz says that they are"
        raise BackupRefused(message)

    def _open(self, snapshots: dict[str, Snapshot]) -> None:
        # Those of services that do not run here any more are kept, also in a backup.
        for name in dict.fromkeys((*self._services, *self._folder.manifest.stores)):
            path = self._folder.file_of(name)
            if path.exists():
                snapshots[name] = Snapshot(path, self._config.store)

    async def _begin(self, snapshots: Mapping[str, Snapshot]) -> tuple[float, Manifest]:
        """Begin all snapshots at one moment.

        Return for how long writers were held, in seconds, and what the folder knew just before.
        """
        limits = self._config.backup
        for _ in range(limits.attempts_max):
            manifest = self._folder.manifest
            held_s = await self._try(snapshots, limits.hold_s_max)
            if held_s is not None:
                return held_s, manifest
            await asyncio.sleep(limits.retry_s)
        message = (
            f"the writers could not be stopped together within backup.hold_s_max, "
            f"{limits.hold_s_max:g} s, in {limits.attempts_max} attempts; try again when less is "
            f"going on"
        )
        raise BackupRefused(message)

    async def _try(self, snapshots: Mapping[str, Snapshot], limit_s: float) -> float | None:
        """None where some writer was in a long batch, or a service began or ended meanwhile."""
        before = {name: each.current for name, each in self._services.items()}
        stores = [
            running.store
            for running in before.values()
            if running is not None and running.store.unwritable is None
        ]

        hold = self._aside.hold(len(stores), limit_s=limit_s, clock=self._clock)
        # On a thread of its own: no turn of the loop is waited for.
        steps = [snapshot.begin for snapshot in snapshots.values()]
        taking = asyncio.ensure_future(
            _to_its_end(self._aside.run(hold.take, steps), give_up=hold.give_up)
        )
        stopping: list[asyncio.Future[None]] = []
        try:
            stopping += [asyncio.ensure_future(each.between_batches(hold.stop)) for each in stores]
        except StoreError:  # one has just closed
            hold.give_up()
        ended = await asyncio.gather(taking, *stopping, return_exceptions=True)
        errors = [each for each in ended if isinstance(each, BaseException)]
        after = {name: each.current for name, each in self._services.items()}
        if before == after and not errors and taking.result() is not None:
            return float(taking.result())
        for snapshot in snapshots.values():
            snapshot.end()
        for error in errors:
            raise error
        return None


async def _to_its_end(work: Coroutine[Any, Any, T], *, give_up: Callable[[], None]) -> T:
    """Await work that cannot be cancelled: where the caller is, it is told, and waited for."""
    working = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        give_up()
        with suppress(Exception):  # that it was given up, most likely; nobody is left to be told
            await working
        raise
