"""What a disk has of the files beside the databases: what was written counts from its sync on.

A file has what it held when it was synced last, and a folder the names that it had then
(fsync(2): to sync a file does not sync its name). Who replaces a file and syncs it too late finds
it empty, as on ext4 before 2009; who never syncs the folder finds the one before.
"""

from __future__ import annotations

import os
from stat import ST_INO
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from actors.simulation.files.write_ahead_log import Loss

# SQLite's own, of which is known otherwise how far they are synced.
DATABASES: Final = (".db", ".db-wal", ".db-shm", ".db-journal")


class _Kept(NamedTuple):
    """A file under its name, by its inode, with what it holds on the disk."""

    inode: int
    content: bytes


class SmallFiles:
    """Those of one folder, none below it."""

    def __init__(self, folder: Path) -> None:
        """All that is there is synced."""
        self._folder = folder
        self._inode = os.stat(folder)[ST_INO]  # noqa: PTH116 - Path's has no number to index by
        # What is synced of each inode; and which names the disk has, with the last synced content
        # of what has gone from the folder since.
        self._contents = {inode: self._read(name) for name, inode in self._files()}
        self._names: dict[str, _Kept] = {}
        self._sync_names()

    def synced(self, descriptor: int) -> None:
        """Hear that a file or the folder was synced."""
        found = os.fstat(descriptor)[ST_INO]
        if found == self._inode:
            self._sync_names()
            return
        for name, inode in self._files():
            if inode == found:
                content = self._contents[inode] = self._read(name)
                if name in self._names and self._names[name].inode == inode:
                    self._names[name] = _Kept(inode, content)

    def after_cut(self, loss: Loss) -> dict[Path, bytes | None]:
        """Return what the disk may hold of each file after a power cut; None is no file.

        What was not synced is there all the same (`keep`), or not at all, names too (`lose`); or
        names are there, and of what was not synced nothing, or half (`tear`).
        """
        there = {name: _Kept(inode, self._read(name)) for name, inode in self._files()}
        if loss == "lose":
            names = there.keys() | self._names.keys()
            found = {name: self._names.get(name) for name in sorted(names)}
            return {self._folder / name: kept and kept.content for name, kept in found.items()}
        return {
            self._folder / name: kept.content if loss == "keep" else self._left(kept, loss)
            for name, kept in there.items()
        }

    # --- Inside ------------------------------------------------------------------------------

    def _left(self, kept: _Kept, loss: Loss) -> bytes:
        synced = self._contents.get(kept.inode, b"")
        if kept.content == synced or loss != "tear":
            return synced
        return kept.content[: len(kept.content) // 2]

    def _sync_names(self) -> None:
        files = self._files()
        inodes = {inode for _, inode in files}
        # A number is another file's soon.
        self._contents = {
            inode: content for inode, content in self._contents.items() if inode in inodes
        }
        self._names = {name: _Kept(inode, self._contents.get(inode, b"")) for name, inode in files}

    def _read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def _files(self) -> list[tuple[str, int]]:
        """Return names and inodes, without a look at each file: a run syncs some dozens."""
        with os.scandir(self._folder) as entries:
            found = [
                (each.name, each.inode())
                for each in entries
                if not each.name.endswith(DATABASES) and each.is_file()
            ]
        return sorted(found)
