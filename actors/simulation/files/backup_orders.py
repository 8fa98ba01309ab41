"""Orders about backups that make no sense: each is refused, in words, and changes nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from actors.errors import BackupRefused
from actors.store.files.backup import (
    CONTENTS,
    UNFINISHED,
    Contents,
    check_backup,
    prepare,
    refuse_backup,
    refuse_unfinished,
    restore_backup,
)
from actors.store.files.manifest import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What was copied by half, and is none of a backup's own.
HALF: Final = b'{"at_us": 0, "fi'


def taken_orders(backup: Path, folder: Path, service: str) -> Iterator[str]:
    """Yield which of them are not refused; `backup` is a whole one of the data in `folder`."""
    before = {path.name for path in folder.iterdir()}
    mark = folder / UNFINISHED
    for what, order in (
        ("to no whole path", partial(prepare, type(folder)("near"), folder)),
        ("into the data", partial(prepare, folder / "inside", folder)),
        ("over another", partial(prepare, backup, folder)),
        ("below a file", partial(prepare, backup / CONTENTS / "below", folder)),
        ("of what is none", partial(check_backup, folder)),
        ("into itself", partial(restore_backup, backup, backup)),
        ("to be run", partial(refuse_backup, backup)),
    ):
        yield from _is_taken(what, order)
    refuse_backup(folder)
    refuse_unfinished(folder)
    mark.touch()
    yield from _is_taken("to be run, half restored", partial(refuse_unfinished, folder))
    mark.unlink()
    if before != {path.name for path in folder.iterdir()}:
        yield "an order about a backup that was refused has changed the data"
    yield from _where_damaged(backup, service)


def _where_damaged(backup: Path, service: str) -> Iterator[str]:
    """It is no backup where a file is changed, or missing, or its list is."""
    contents = check_backup(backup)
    if contents.bytes != sum((backup / each.name).stat().st_size for each in contents.files):
        yield f"{contents.bytes} is not what its files have together"
    path, whole = backup / f"{service}.db", (backup / f"{service}.db").read_bytes()
    listed = (backup / CONTENTS).read_bytes()
    unlisted = tuple(each for each in contents.files if each.name != MANIFEST)
    for what, damaged, content in (
        ("with a byte changed", path, whole[:-1] + bytes([whole[-1] ^ 1])),
        ("without a file", path, None),
        ("without its list", backup / CONTENTS, HALF),
        (
            "without a manifest",
            backup / CONTENTS,
            msgspec.json.encode(Contents(at_us=0, files=unlisted)),
        ),
    ):
        damaged.unlink()
        if content is not None:
            damaged.write_bytes(content)
        yield from _is_taken(what, partial(check_backup, backup))
        path.write_bytes(whole)
        (backup / CONTENTS).write_bytes(listed)


def _is_taken(what: str, order: Callable[[], object]) -> Iterator[str]:
    try:
        order()
    except BackupRefused:
        return
    yield f"a backup {what} is not refused"
