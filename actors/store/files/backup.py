"""A data folder as it was at one moment, in a folder of its own: written, checked, put back."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from actors.errors import BackupRefused, StoreCorrupt
from actors.program import PROGRAM
from actors.store.files.manifest import MANIFEST, Manifest, sync_folder, write_manifest, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from actors.store.files.manifest import ManifestEntry
    from actors.store.files.snapshot import Snapshot

# Written last: a folder without it is no backup, however much it holds.
CONTENTS: Final = "backup.json"
# As a system notes whose data the files are. What opens doors (admin.token, credentials) is made
# anew where it is missing, and does not lie about in backups.
COMPANIONS: Final = "*.account"
# While it is there, what is in the folder is of two moments.
UNFINISHED: Final = "restore.unfinished"
REPLACED: Final = "replaced"


class BackupFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    bytes: int
    sha256: str


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds; `at_us` is its moment, in microseconds since the epoch.

    `missing` are the services of which it has not all that the folder knows of, each with why.
    """

    at_us: int
    files: tuple[BackupFile, ...]
    missing: dict[str, str] = {}

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(file.bytes for file in self.files)


def prepare(target: Path, data_dir: Path) -> None:
    """Make the folder for a backup, for this user alone. Raises BackupRefused."""
    if not target.is_absolute():
        message = f"name the backup's folder by its whole path, and not as {target}"
        raise BackupRefused(message)
    real, data = target.resolve(), data_dir.resolve()
    if real == data or data in real.parents or real in data.parents:
        message = f"{target} and the data folder {data_dir} lie in each other; name another folder"
        raise BackupRefused(message)
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(target.iterdir()):
            message = f"{target} is not empty; name a new folder, a backup is never written over"
            raise BackupRefused(message)
    except OSError as error:
        message = f"cannot make the folder {target}: {error.strerror}"
        raise BackupRefused(message) from error


def write_backup(
    snapshots: Mapping[str, Snapshot],
    manifest: Manifest,
    *,
    data_dir: Path,
    target: Path,
    at_us: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Contents:
    """Copy the snapshots of `manifest`'s services into the prepared folder, and check the copies.

    `manifest` is what the folder knew when they began, or before. On disk when it returns; on any
    failure the folder is empty again. `stopped` is asked between files. Raises BackupRefused, and
    StoreError where a file cannot be read; one that is damaged is left out, and `missing`.
    """
    companions = sorted(path.name for path in data_dir.glob(COMPANIONS))
    names = [f"{service}.db" for service in snapshots]
    names += [MANIFEST, *companions, CONTENTS]
    try:
        manifest, missing = _copy_all(snapshots, manifest, target, stopped)
        write_manifest(target, manifest)
        for name in companions:
            write_whole(target / name, (data_dir / name).read_bytes())
        files = tuple(_describe(target / name) for name in names if (target / name).exists())
        contents = Contents(at_us=at_us, files=files, missing=missing)
        write_whole(target / CONTENTS, msgspec.json.format(msgspec.json.encode(contents)) + b"\n")
    except BaseException as error:
        for name in names:
            (target / name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            message = f"cannot write the backup to {target}: {error.strerror or error}"
            raise BackupRefused(message) from error
        raise
    return contents


def check_backup(source: Path) -> Contents:
    """Compare every file with what the backup says it holds. Raises BackupRefused."""
    try:
        contents = msgspec.json.decode((source / CONTENTS).read_bytes(), type=Contents)
    except (OSError, msgspec.MsgspecError) as error:
        message = f"{source} is no whole backup: its {CONTENTS} cannot be read ({error})"
        raise BackupRefused(message) from error
    for file in contents.files:
        try:
            found = None if "/" in file.name else _describe(source / file.name)
        except OSError as error:
            message = f"{source / file.name} cannot be read: {error.strerror}; use another backup"
            raise BackupRefused(message) from error
        if found != file:
            message = f"{source / file.name} is not what was written there; use another backup"
            raise BackupRefused(message)
    if MANIFEST not in {file.name for file in contents.files}:
        message = f"{source} holds no {MANIFEST}; use another backup"
        raise BackupRefused(message)
    return contents


def restore_backup(source: Path, data_dir: Path) -> tuple[Contents, Path | None]:
    """Put the backup in the place of what `data_dir` holds, whose lock the caller has.

    What was there is moved to a folder beside it, which is returned, and never removed. One that
    was interrupted leaves a mark, by which the next start refuses, and goes on when it is called
    again. Raises BackupRefused.
    """
    contents = check_backup(source)
    if source.resolve() == data_dir.resolve():
        message = f"{source} is the backup itself; restore it into another folder"
        raise BackupRefused(message)
    try:
        (data_dir / UNFINISHED).touch(mode=0o600)
        sync_folder(data_dir)
        replaced = _set_aside(data_dir)
        for file in contents.files:
            _copy(source / file.name, data_dir / file.name)
            if _describe(data_dir / file.name) != file:
                message = "what was copied is not what the backup holds"
                raise OSError(errno.EIO, message)  # noqa: TRY301 - as if the disk had said so
        sync_folder(data_dir)
        (data_dir / UNFINISHED).unlink()
        sync_folder(data_dir)
    except OSError as error:
        message = (
            f"the restore into {data_dir} is not finished: {error.strerror or error}; mend that "
            f"and call it again: nothing starts there before"
        )
        raise BackupRefused(message) from error
    return contents, replaced


def refuse_unfinished(data_dir: Path) -> None:
    """Raise BackupRefused where a restore was interrupted: some files are of another moment."""
    if (data_dir / UNFINISHED).exists():
        message = (
            f"a restore into {data_dir} was interrupted; call `{PROGRAM} restore DIR "
            f"--data-dir {data_dir}` again"
        )
        raise BackupRefused(message)


def refuse_backup(data_dir: Path) -> None:
    """Raise BackupRefused where the data folder is a backup, which a system would change."""
    if (data_dir / CONTENTS).exists():
        message = (
            f"{data_dir} is a backup, and would be none any more if a system ran in it; "
            f"`{PROGRAM} restore {data_dir} --data-dir DIR`, and run that"
        )
        raise BackupRefused(message)


# --- Inside ----------------------------------------------------------------------------------


def _copy_all(
    snapshots: Mapping[str, Snapshot],
    manifest: Manifest,
    target: Path,
    stopped: Callable[[], bool],
) -> tuple[Manifest, dict[str, str]]:
    """Return the manifest of the copies, and what they lack of what the folder knows of."""
    missing = {
        service: f"{service}.db is gone"
        for service, row in manifest.stores.items()
        if service not in snapshots and row.store is not None
    }
    for service, snapshot in snapshots.items():
        if stopped():
            message = "the backup was given up"
            raise BackupRefused(message)
        path = target / f"{service}.db"
        try:
            snapshot.copy_to(path)
        except StoreCorrupt as error:
            path.unlink(missing_ok=True)
            missing[service] = str(error)
            continue
        row = snapshot.row()
        if (wrong := _contradicts(row, manifest.stores.get(service))) is not None:
            # The backup does not make up for it: restored, the service is parked as it is now.
            missing[service] = f"{service}.db {wrong}"
        elif row is not None:
            known = manifest.stores.get(service)
            shard = None if known is None else known.shard
            manifest = manifest.with_entry(service, msgspec.structs.replace(row, shard=shard))
    return manifest, missing


def _contradicts(row: ManifestEntry | None, known: ManifestEntry | None) -> str | None:
    """Return what the file lacks of what the folder knows of it, in words that follow its name."""
    if known is None or known.store is None:
        return None
    if row is None or row.store != known.store:
        return "is not the file that the data folder knows"
    if row.epoch < known.epoch:
        return "is older than what was acknowledged from it"
    return None


def _describe(path: Path) -> BackupFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return BackupFile(name=path.name, bytes=path.stat().st_size, sha256=digest)


def _set_aside(data_dir: Path) -> Path | None:
    """Move what the services remember to a folder of its own, the newest of them if there are."""
    own = [
        path
        for path in sorted(data_dir.iterdir())
        if path.name == MANIFEST
        or path.match(COMPANIONS)
        or path.name.endswith((".db", ".db-wal", ".db-shm", ".db-checked"))
        or path.name.startswith("accept-loss.")
    ]
    if not own:
        return None
    numbers = [0]
    for path in data_dir.glob(f"{REPLACED}.*"):
        with suppress(ValueError):
            numbers.append(int(path.suffix[1:]))
    aside = data_dir / f"{REPLACED}.{max(numbers) + 1}"
    aside.mkdir(mode=0o700)
    for path in own:
        path.rename(aside / path.name)
    sync_folder(aside)
    return aside


def _copy(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with source.open("rb") as read, os.fdopen(descriptor, "wb") as write:
        shutil.copyfileobj(read, write)
        write.flush()
        os.fsync(write.fileno())
