"""An operator's word that what a service has lost is lost: a small file, until its next start."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from actors.errors import StoreError
from actors.store.files.manifest import ManifestEntry, read_manifest, write_whole

if TYPE_CHECKING:
    from pathlib import Path

PREFIX: Final = "accept-loss."


def accept_loss(folder: Path, service: str) -> None:
    """Let the service begin with what there is, at its next start. Raises StoreError.

    Works beside the process that uses the folder, and without one. It holds for what the folder
    knows of the service now: once the service has been up, or was stopped in order, it is void.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        message = f"{folder} is no data folder: it has no manifest.json; name one with --data-dir"
        raise StoreError(message)
    row = manifest.stores.get(service)
    if row is None:
        message = f"{folder} knows no service {service!r}; it knows {', '.join(manifest.stores)}"
        shards = [
            name
            for name, each in manifest.stores.items()
            if each.shard is not None and name.rpartition("-")[0] == service
        ]
        if shards:
            message = (
                f"service {service!r} is kept in shards, each with a file of its own: accept the "
                f"loss of the one that has lost something, {' or '.join(shards)}"
            )
        raise StoreError(message)
    path = folder / f"{PREFIX}{service}"
    try:
        write_whole(path, msgspec.json.encode(row))
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise StoreError(message) from error


def is_accepted(folder: Path, service: str, row: ManifestEntry | None) -> bool:
    """Whether the loss of what the folder knows of the service is accepted."""
    try:
        with open(os.path.join(folder, f"{PREFIX}{service}"), "rb") as file:  # noqa: PTH118, PTH123
            accepted = msgspec.json.decode(file.read(), type=ManifestEntry)
    except (OSError, msgspec.MsgspecError):
        return False
    return accepted == row


def forget_acceptance(folder: Path, service: str) -> bool:
    """Remove it, so that it holds once; whether there was one. Raises OSError."""
    path = os.path.join(folder, f"{PREFIX}{service}")  # noqa: PTH118 - at each open, and faster
    if not os.path.exists(path):  # noqa: PTH110 - a read-only folder refuses to remove nothing
        return False
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
    return True
