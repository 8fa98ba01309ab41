"""A service that is kept in shards otherwise than its files are is refused before it starts.

Whatever started would send messages to shards that the others' files do not mean.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from actors.errors import ConfigError, ManifestUnreadable, StoreError
from actors.store.files.file_history import read_history
from actors.store.files.manifest import ShardMark, read_manifest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from actors.config import StoreConfig
    from actors.kernel.discovery.sharding import Sharding


def marks_of(sharded: Iterable[Sharding]) -> dict[str, ShardMark]:
    """Return what is noted of each shard's file, by its name."""
    return {name: ShardMark(each.key, each.shards) for each in sharded for name in each.names()}


def refuse_other_shards(
    folder: Path, marks: Mapping[str, ShardMark], names: Iterable[str], config: StoreConfig
) -> None:
    """Raise ConfigError where the folder's files of these services are of other shards.

    `names` are all that have a file here, shards and whole services. The manifest tells without a
    look at files, and what they cannot: of one that is gone, or from before they were marked. Those
    that it does not know are asked themselves, for it may have been lost.
    """
    try:
        manifest = read_manifest(folder)
    except ManifestUnreadable:  # which each service says that wants to start
        return
    known = {} if manifest is None else manifest.stores
    services = {_service(name, marks.get(name)): marks.get(name) for name in names}
    for service, mark in services.items():
        if mark is not None and (service in known or (folder / f"{service}.db").exists()):
            message = (
                f"service {service!r} is sharded now, and {folder} has it in one file, "
                f"{service}.db: no rows are moved. Declare it without Sharded(...), or sharded by "
                f"another name, and send it what the old one has"
            )
            raise ConfigError(message)
    found = {name: row.shard for name, row in known.items()}
    for name in _unknown_files(folder, services, known):
        with suppress(StoreError):  # its own service will say so
            found[name] = read_history(folder / f"{name}.db", config).shard
    for name, was in found.items():
        service = name.rpartition("-")[0]
        if service in services and was not in {None, services[service]}:
            raise ConfigError(other_shards(name, folder, was, services[service]))


def other_shards(name: str, folder: Path, was: ShardMark | None, now: ShardMark | None) -> str:
    """Return what to do about the file of this name, which is of other shards than declared."""
    assert was is not None, "it is the mark that does not fit"
    there = f"{was.shards} shards by {was.key!r}"
    here = "one file" if now is None else f"{now.shards} shards by {now.key!r}"
    return (
        f"service {_service(name, was)!r} is declared with {here}, and {folder} has it in {there}: "
        f"no rows are moved. Write Sharded(..., key={was.key!r}, shards={was.shards}), or give the "
        f"new one another name and send it what the old one has"
    )


def _service(name: str, mark: ShardMark | None) -> str:
    return name if mark is None else name.rpartition("-")[0]


def _unknown_files(
    folder: Path, services: Collection[str], known: Collection[str]
) -> Iterator[str]:
    for path in sorted(folder.glob("*-*.db")):
        service, _, number = path.stem.rpartition("-")
        if service in services and number.isdecimal() and path.stem not in known:
            yield path.stem
