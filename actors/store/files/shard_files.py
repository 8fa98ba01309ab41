"""A service that is kept in shards otherwise than its files are is refused before it starts.

Whatever started would send messages to shards that the others' files do not mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import ConfigError, ManifestUnreadable
from actors.store.files.manifest import ManifestEntry, ShardMark, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from actors.kernel.discovery.sharding import Sharding


def marks_of(sharded: Iterable[Sharding]) -> dict[str, ShardMark]:
    """Return what is noted of each shard's file, by its name."""
    return {name: ShardMark(each.key, each.shards) for each in sharded for name in each.names()}


def refuse_other_shards(folder: Path, marks: Mapping[str, ShardMark], names: Iterable[str]) -> None:
    """Raise ConfigError where the folder's files of these services are of other shards.

    `names` are all that have a file here, shards and whole services.
    """
    try:
        manifest = read_manifest(folder)
    except ManifestUnreadable:  # which each service says that wants to start
        return
    known: dict[str, ManifestEntry] = {} if manifest is None else manifest.stores
    for name in names:
        mark = marks.get(name)
        service = name if mark is None else name.rpartition("-")[0]
        if mark is not None and (service in known or (folder / f"{service}.db").exists()):
            message = (
                f"service {service!r} is sharded now, and {folder} has it in one file, "
                f"{service}.db: no rows are moved. Declare it without Sharded(...), or sharded by "
                f"another name, and send it what the old one has"
            )
            raise ConfigError(message)
        for other, row in known.items():
            if row.shard not in {None, mark} and other.rpartition("-")[0] == service:
                message = _told(service, folder, row.shard, mark)
                raise ConfigError(message)
    for mark_name, mark in marks.items():
        _check_strays(folder, mark_name.rpartition("-")[0], mark)


def _told(service: str, folder: Path, was: ShardMark | None, now: ShardMark | None) -> str:
    assert was is not None, "it is the mark that does not fit"
    there = f"{was.shards} shards by {was.key!r}"
    here = "one file" if now is None else f"{now.shards} shards by {now.key!r}"
    return (
        f"service {service!r} is declared with {here}, and {folder} has it in {there}: no rows are "
        f"moved. Write Sharded(..., key={was.key!r}, shards={was.shards}), or give the new one "
        f"another name and send it what the old one has"
    )


def _check_strays(folder: Path, service: str, mark: ShardMark) -> None:
    """Look at the files themselves, as far as their names tell: a manifest may have been lost."""
    numbers = {
        int(number)
        for path in folder.glob(f"{service}-*.db")
        if (number := path.stem.rpartition("-")[2]).isdecimal()
    }
    if numbers and max(numbers) > mark.shards:
        was = ShardMark(mark.key, max(numbers))
        raise ConfigError(_told(service, folder, was, mark))
