"""What a data folder holds: `manifest.json`, written when a store is opened and closed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Self

import msgspec

from actors.errors import ManifestUnreadable

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: Final = "manifest.json"


class ShardMark(msgspec.Struct, frozen=True):
    """Of how many shards a file is one, and by which key its rows are there."""

    key: str
    shards: int


class ManifestEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A service's file: which it is, and the least epoch that it must have reached.

    `shard` is a shard's, as in its file, which may be gone or from before files were marked.
    """

    store: str | None
    epoch: int
    shard: ShardMark | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`folder` is the data folder's own id, which all of its files carry."""

    folder: str
    stores: dict[str, ManifestEntry] = {}

    def with_entry(self, name: str, row: ManifestEntry) -> Self:
        """Return it with this row for the service."""
        return msgspec.structs.replace(self, stores={**self.stores, name: row})


def read_manifest(folder: Path) -> Manifest | None:
    """Return the folder's manifest; None where it has none. Raises ManifestUnreadable."""
    path = folder / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except OSError as error:
        message = (
            f"cannot read {path}: {error.strerror}; look at the file, its folder, their owner and "
            f"the disk"
        )
        raise ManifestUnreadable(message) from error
    except msgspec.MsgspecError as error:
        message = (
            f"cannot read {path}: {error}; put it back from a backup, or move it away, and it is "
            f"made anew from the files that are there"
        )
        raise ManifestUnreadable(message) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the folder's manifest, whole and on disk. Raises OSError."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    write_whole(folder / MANIFEST, text)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole, or as it was. Raises OSError."""
    draft = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's names durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
