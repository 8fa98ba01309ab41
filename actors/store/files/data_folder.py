"""The data folder knows what it holds: no service starts without its past, or begins in silence."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from actors.errors import StoreForeign, StoreLost
from actors.program import PROGRAM
from actors.store.files.file_history import (
    known_histories,
    owner_of,
    what_is_missing,
    witnesses,
)
from actors.store.files.file_watch import place_of
from actors.store.files.loss_acceptance import forget_acceptance, is_accepted
from actors.store.files.manifest import (
    MANIFEST,
    Manifest,
    ManifestEntry,
    read_manifest,
    write_manifest,
)
from actors.store.files.renewal import Renewal, renewal
from actors.store.files.shard_files import marks_of, other_shards, refuse_other_shards

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from actors.config import StoreConfig
    from actors.kernel.clock import Clock
    from actors.kernel.discovery.sharding import Sharding
    from actors.kernel.rng import Rng
    from actors.store.files.file_history import FileHistory
    from actors.store.files.manifest import ShardMark

log = structlog.get_logger()

# The device and inode of no file.
NOWHERE: Final = (-1, -1)


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """How a service may open its file: as the process's `first`, at `epoch_min` or above.

    With a `renewal` its past is lost, and that was accepted: it begins anew with what there is.
    Its file is marked as a `shard`, if it is one.
    """

    folder: str
    first: bool
    epoch_min: int = 0
    renewal: Renewal | None = None
    shard: ShardMark | None = None


class DataFolder:
    """One process's view of its data folder. Any service's thread may call it.

    The manifest has a row a service: which file is its store, and an epoch that the file is known
    to have reached. The epoch moves when the process opens the store, when the store is closed in
    order, and when the write-ahead log begins anew; so an older copy of the file, or the file
    without its log, is behind its row. A copy that is not (made since, of a service that was then
    killed) is behind what the others have had from it or given it, where there are others.
    """

    def __init__(
        self,
        path: Path,
        names: Iterable[str],
        config: StoreConfig,
        *,
        clock: Clock,
        rng: Rng,
        sharded: Iterable[Sharding] = (),
    ) -> None:
        """`names` are the services and shards that have a store here. No file is opened yet.

        Raises ConfigError where one is `sharded` otherwise than its files are.
        """
        self._path = path
        self._marks = marks_of(sharded)
        refuse_other_shards(path, self._marks, names := list(names), config)
        self._paths = {name: self.file_of(name) for name in names}
        self._config = config
        self._clock = clock
        self._rng = rng
        self._lock = threading.RLock()
        self._writing = threading.Lock()
        self._manifest: Manifest | None = None
        self._versions = self._written = 0
        self._is_new = False
        # As the files were when the process began: between a service that is down and any other
        # nothing moves. `_unused` has those whose own service has not looked yet.
        self._histories: dict[str, FileHistory] = {}
        self._unused: set[str] = set()
        # Where this process found each service's file last, and its epoch then.
        self._opened: dict[str, tuple[tuple[int, int], int]] = {}

    def file_of(self, service: str) -> Path:
        """Return where the service's file is, or will be."""
        return self._path / f"{service}.db"

    @property
    def manifest(self) -> Manifest:
        """What the folder is known to hold; the services have begun."""
        # Without the lock, which is held while files are looked at: the loop asks, too.
        assert self._manifest is not None, "admit() comes first"
        return self._manifest

    def admit(self, service: str, *, first: bool) -> Admission:
        """Look whether the service's past is there, before anything is opened. Raises StoreError.

        StoreLost where something is missing, unless an operator has accepted that.
        """
        mark = self._marks.get(service)
        with self._lock:
            manifest = self._manifest or self._begin()
            row = manifest.stores.get(service)
            accepted = is_accepted(self._path, service, row)
            # Who says that something is missing has the file looked at, where it seems the same.
            own, missing = self._look(service, manifest, first=first or accepted)
            if missing is None:
                if self._forget_acceptance(service):
                    log.info("acceptance void", service=service, reason="nothing is missing")
                if mark is not None and own is not None and own.store and own.shard is None:
                    log.info(
                        "shard adopted", service=service, key=mark.key, shards=mark.shards,
                        advice="its file had no mark yet; of how many it was one before, only "
                        f"{MANIFEST} can know",
                    )  # fmt: skip
                _, epoch = self._opened.get(service, (None, 0))
                return Admission(folder=manifest.folder, first=first, epoch_min=epoch, shard=mark)
            if not accepted:
                if row is None:  # so that its loss can be accepted
                    self._put(service, self._entry(service, None, 0))
                raise StoreLost(self._describe(service, missing))
            self._histories = known_histories(self._paths, self._config)
            _, epoch = self._opened.pop(service, (None, 0))
            epoch_min = max(epoch, 0 if row is None else row.epoch)
            given = renewal(service, own, self._others(service))
        log.warning(
            "loss accepted", service=service, missing=f"{service}.db {missing}",
            will_not_come_again={name: mark.applied for name, mark in given.marks.items()},
        )  # fmt: skip
        return Admission(
            folder=manifest.folder, first=True, epoch_min=epoch_min, renewal=given, shard=mark
        )

    def opened(self, service: str, store: str, epoch: int, place: tuple[int, int]) -> bool:
        """Note that the service has its file; whether that is on disk.

        Where it is not, the first commit has to see to it, by `reached`: it may stand in a log that
        began with this epoch, and whoever loses that log would have the file of the epoch before.
        """
        with self._lock:
            row = None if self._manifest is None else self._manifest.stores.get(service)
            is_first = service not in self._opened
            self._opened[service] = (place, epoch)
        if row is None and not self._is_new:
            log.info("store created", service=service, store=store)
        if not is_first and row is not None and row.store == store:
            return False
        noted = self.reached(service, store, epoch)
        if noted:  # what the manifest does not know yet, the next start must find accepted
            self._forget_acceptance(service)
        return noted

    def mistaken(self, service: str) -> None:
        """Note that the file is not the one this process has had open, for all that its inode is.

        A file system gives an inode that is free to the next file: the copy of a backup, say.
        """
        with self._lock:
            if service in self._opened:
                self._opened[service] = (NOWHERE, self._opened[service][1])

    def reached(self, service: str, store: str, epoch: int) -> bool:
        """Note that the service's file has reached this epoch; whether that is on disk."""
        with self._lock:
            if service in self._opened:
                self._opened[service] = (self._opened[service][0], epoch)
        return self._put(service, self._entry(service, store, epoch))

    # --- Inside ------------------------------------------------------------------------------

    def _begin(self) -> Manifest:
        """Look at every file, once, before any service has opened its own. Raises StoreError."""
        self._histories = known_histories(self._paths, self._config)
        self._unused = set(self._histories)
        manifest = read_manifest(self._path) or self._make_manifest()
        strangers = [name for name in manifest.stores if name not in self._paths]
        if strangers:
            log.warning("stores without a service", services=strangers, advice="they are kept")
        self._manifest = manifest
        return manifest

    def _make_manifest(self) -> Manifest:
        folders = Counter(
            each.folder for each in self._histories.values() if each.folder is not None
        )
        old = {
            name: history
            for name, history in self._histories.items()
            if history.store or history.epoch
        }
        self._is_new = not old
        if self._is_new:
            return Manifest(folder=self._rng.new_id(self._clock.now_us()))
        folder = max(folders, key=lambda each: (folders[each], each), default=None)
        stores = {
            name: self._entry(name, each.store, each.epoch)
            for name, each in old.items()
            if each.folder in (None, folder)
        }
        if folder is None:
            folder = self._rng.new_id(self._clock.now_us())
            log.info(
                "data folder adopted", data_dir=str(self._path), services=sorted(stores),
                advice="it had no manifest.json yet; what was missing before cannot be known",
            )  # fmt: skip
        else:
            log.warning(
                "manifest made anew", data_dir=str(self._path), services=sorted(stores),
                advice=f"{MANIFEST} was gone; which services were missing before cannot be known",
            )  # fmt: skip
        self._manifest = Manifest(folder=folder, stores=stores)
        self._write()
        return self._manifest

    def _look(
        self, service: str, manifest: Manifest, *, first: bool
    ) -> tuple[FileHistory | None, str | None]:
        """Return the file's past, and what is missing of it. Raises StoreError."""
        path = self._paths[service]
        place, _ = self._opened.get(service, (None, 0))
        moved = place is not None and place_of(path) != place
        if place is not None and not moved and not first:
            return None, None  # the file that this process has had open
        if service in self._unused:
            self._unused.discard(service)
            own: FileHistory | None = self._histories[service]
        else:
            own = owner_of(path, self._config, service)
        mark = self._marks.get(service)
        if own is not None and own.shard not in {None, mark}:
            raise StoreForeign(other_shards(service, self._path, own.shard, mark))
        row = manifest.stores.get(service)
        missing = what_is_missing(service, own, self._others(service), row, manifest.folder)
        if moved and missing in (None, "is gone"):
            there = "is gone" if own is None else "is another file now"
            missing = f"was removed while it was in use, and {there}"
        return own, missing

    def _others(self, service: str) -> dict[str, FileHistory]:
        return witnesses(service, self._histories, self.manifest)

    def _describe(self, service: str, missing: str) -> str:
        path = self._paths[service]
        return (
            f"{path} {missing}; put back what belongs there (with its {path.name}-wal, if there is "
            f"one), or begin with what there is: "
            f"{PROGRAM} accept-loss {service} --data-dir {self._path}"
        )

    def _forget_acceptance(self, service: str) -> bool:
        try:
            return forget_acceptance(self._path, service)
        except OSError as error:  # it is void all the same: the epoch moves on
            log.warning("acceptance kept", service=service, error=str(error))
            return False

    def _entry(self, service: str, store: str | None, epoch: int) -> ManifestEntry:
        return ManifestEntry(store=store, epoch=epoch, shard=self._marks.get(service))

    def _put(self, service: str, row: ManifestEntry) -> bool:
        with self._lock:
            assert self._manifest is not None, "admit() comes first"
            self._manifest = self._manifest.with_entry(service, row)
            self._versions += 1
            version = self._versions
        with self._writing:  # who waits here may find that it was written along
            if self._written < version:
                self._write()
            return self._written >= version

    def _write(self) -> None:
        with self._lock:
            manifest, version = self._manifest, self._versions
        assert manifest is not None, "there is something to write"
        try:
            write_manifest(self._path, manifest)
        except OSError as error:
            # On a full disk the services serve on. The old one knows less, and nothing wrong.
            log.warning("manifest not written", data_dir=str(self._path), error=error.strerror)
            return
        self._written = version


def missing_of(service: str, folder: Path, config: StoreConfig) -> str | None:
    """Return what a folder that nobody uses lacks of a service it knows; None where it has all.

    Raises StoreError where its file cannot be read, or is another's.
    """
    manifest = read_manifest(folder)
    if manifest is None or service not in manifest.stores:
        return "is not known"
    paths = {name: folder / f"{name}.db" for name in manifest.stores}
    own = owner_of(paths.pop(service), config, service)
    others = witnesses(service, known_histories(paths, config), manifest)
    return what_is_missing(service, own, others, manifest.stores[service], manifest.folder)
