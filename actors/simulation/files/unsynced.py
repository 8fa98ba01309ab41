"""What a disk has not synced yet: at a power cut it is as good as never written."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from actors.simulation.files.small_files import SmallFiles
from actors.simulation.files.write_ahead_log import LogEnd, after_cut, find_end
from actors.simulation.sealed.watch import watching

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from actors.simulation.files.write_ahead_log import Loss

SYNCHRONOUS: Final = "PRAGMA synchronous"
# With less than this SQLite does not sync a log at each commit.
FULL: Final = 2
# How many frames of a log are in the database already: a number of the machine's own order, at this
# place of the log's index (sqlite.org/walformat.html, section 2.1). A log is synced before any is.
BACKFILLED: Final = slice(96, 100)


class Remains(msgspec.Struct, frozen=True, kw_only=True):
    """A store's files as the next boot finds them, and how many frames of its log are gone.

    Those of no store are the others of its folder; of one that is not there it has None.
    """

    store: str
    files: Mapping[Path, bytes | None]
    lost: int

    def put_back(self) -> None:
        """Let them lie there; nobody has them open any more."""
        for path, content in self.files.items():
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content)


class Unsynced:
    """Knows of each store how far its log is synced, by SQLite's rules and what is seen in the run.

    A commit is in flight until its store has answered: its sync may be under way as long. Where
    somebody else has read it before, it is synced: SQLite shows nobody what is not. Whoever is to
    hear of a commit hears of it when it cannot be lost any more. Where a connection says that it
    does not sync at commits, none is, until a checkpoint does.
    """

    def __init__(self) -> None:
        """Nothing was written yet."""
        self._in_flight: dict[str, Callable[[], None]] = {}
        # By file, where it is of interest.
        self._synced: dict[Path, LogEnd] | None = None
        self._others: SmallFiles | None = None

    def watch(self, folder: Path) -> None:
        """Follow from now on what is synced; all that is there is."""
        self._watch_others(folder)
        self._synced = {path: find_end(_log(path)) for path in folder.glob("*.db")}

    def wrote(
        self, store: str, path: Path, writer: sqlite3.Connection | None, tell: Callable[[], None]
    ) -> None:
        """Hear that `writer` has done a batch; `tell` is called when that cannot be lost any more.

        Of several commits all but the last were synced before it; nobody tells which is in flight.
        """
        self.settle(store)
        self._in_flight[store] = tell
        if self._synced is not None:
            known = self._synced.get(path, LogEnd())
            if find_end(_log(path), known).since(known).commits != 1 and _syncs(writer):
                self.settle(store, path, writer)

    def settle(
        self,
        store: str,
        path: Path | None = None,
        writer: sqlite3.Connection | None = None,
    ) -> None:
        """Hear that whatever is in flight has come to its end, or was seen by somebody."""
        tell = self._in_flight.pop(store, None)
        if self._synced is not None and path is not None and _syncs(writer):
            self._synced[path] = find_end(_log(path), self._synced.get(path, LogEnd()))
        if tell is not None:
            tell()

    def settle_all(self) -> None:
        """Hear that the process ends, and the machine goes on: what was written is there."""
        for store in list(self._in_flight):
            self.settle(store)

    def cut(self, folder: Path, loss: Loss) -> list[Remains]:
        """Return what is left of every file where the power goes now; it is not put back yet.

        While they are open: closing them would write to them.
        """
        found = [self._left(path, loss) for path in sorted(folder.glob("*.db"))]
        for each in found:
            tell = self._in_flight.pop(each.store, None)
            if tell is not None and not each.lost:
                tell()
        self.settle_all()
        if self._synced is not None:
            self._synced.clear()
        if self._others is not None:
            found.append(Remains(store="", files=self._others.after_cut(loss), lost=0))
        return found

    def resume(self, folder: Path) -> None:
        """Hear that the power is on again: all that is there is synced."""
        if self._others is not None:
            self._watch_others(folder)

    def _watch_others(self, folder: Path) -> None:
        self._others = others = SmallFiles(folder)
        watch = watching()
        if watch is not None:
            watch.synced = others.synced

    def _left(self, path: Path, loss: Loss) -> Remains:
        log, index = _log(path), path.with_name(f"{path.name}-shm")
        files = {each: each.read_bytes() for each in (path, log, index) if each.exists()}
        end = find_end(log)
        synced = end if self._synced is None else self._synced.get(path, end)
        lost = end.since(synced).frames
        backfilled = int.from_bytes(files.get(index, b"")[BACKFILLED], sys.byteorder)
        if backfilled > end.frames - lost:
            synced, lost = end, 0
        if log in files:
            files[log] = after_cut(files[log], synced, loss)
        return Remains(store=path.stem, files=files, lost=0 if loss == "keep" else lost)


def _syncs(writer: sqlite3.Connection | None) -> bool:
    """Whether a commit is synced when it returns."""
    return writer is not None and writer.execute(SYNCHRONOUS).fetchone()[0] >= FULL


# At each commit: whoever makes such a path anew pays as much as for reading the file.
@lru_cache(maxsize=64)
def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
