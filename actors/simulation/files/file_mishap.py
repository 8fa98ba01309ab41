"""One thing that happens to a folder at rest, and whether the next process sees it.

Guarantees 25 to 31: a service whose past is missing, or whose file is another's, damaged or of a
later version, is down before it answers anything, what is there stays as it is, and the rest
serves on; what an operator does about it helps.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from actors.errors import (
    BackupRefused,
    DressRehearsalError,
    LettersFull,
    ServiceUnavailable,
    StoreError,
)
from actors.simulation.files.aftermath import LOOK_S, UNKNOWN, Aftermath
from actors.store.files.backup import check_backup, prepare, restore_backup, write_backup
from actors.store.files.loss_acceptance import accept_loss
from actors.store.files.manifest import MANIFEST, read_manifest
from actors.store.files.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from actors.config import StoreConfig
    from actors.simulation.files.aftermath import NextProcess

T = TypeVar("T")

LETTERS_MAX: Final = 1_000
# What a torn write lacks.
TORN_BYTES: Final = 24
# What another version of the program leaves: a migration more, or one that says something else.
LATER: Final = (
    "INSERT INTO migration SELECT schema, max(number) + 1, 'later', checksum, applied_us"
    " FROM migration WHERE schema = ?"
)
ALTERED: Final = "UPDATE migration SET checksum = 'another' WHERE schema = ?"
NEXT: Final = "SELECT coalesce(max(last), 0) + 1 FROM channel WHERE receiver = ?"
LAST: Final = "INSERT OR REPLACE INTO channel (receiver, last) VALUES (?, ?)"
SEND: Final = (
    "INSERT INTO outbox (receiver, number, message_type, message, trace, at_us)"
    " VALUES (?, ?, ?, ?, NULL, 0)"
)
TIME: Final = "INSERT INTO timer (seq, due_us, message_type, message) VALUES (?, 0, ?, ?)"
TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"


class FileMishap:
    """Happens to a service's file; `happens` says what was wrong with what came of it."""

    def __init__(
        self,
        folder: Path,
        process: NextProcess,
        *,
        before: Path,
        service: str,
        other: str,
        siblings: Mapping[str, str],
        config: StoreConfig,
    ) -> None:
        """`before` is the folder as it was at first; `siblings` who stands in which group."""
        self._folder = folder
        self._process = process
        self._before = before
        self._service = service
        self._other = other
        self._after = Aftermath(folder, process, other=other, siblings=siblings)
        self._config = config
        self._path = folder / f"{service}.db"

    @property
    def every(self) -> dict[str, Callable[[], Awaitable[list[str]]]]:
        """All that can happen, by what it is called."""
        return {
            "its file is lost": self._lose,
            "an older copy of its file lies there": self._age,
            "it has another's file": self._swap,
            "its file is torn": self._tear,
            "its file is of a later version": partial(self._change_version, LATER),
            "its schema was altered": partial(self._change_version, ALTERED),
            "its file goes while it is up": self._lose_in_use,
            "the folder's manifest is lost": self._forget,
            "something there that nobody can read": self._confuse,
            "a backup is put back": self._back_up,
        }

    async def happens(self, name: str) -> list[str]:
        """Let it happen, and leave nothing running."""
        try:
            found = await self.every[name]()
        except DressRehearsalError as error:
            found = [f"{type(error).__name__}: {error}"]
            await self._process.end()
        found += [
            f"crashed by itself: {each}"
            for each in self._process.crashes
            if each.partition(": ")[0] not in self._after.concerned
        ]
        return [f"{self._service}: {name}: {each}" for each in found]

    # --- What happens ------------------------------------------------------------------------

    async def _lose(self) -> list[str]:
        self._remove(self._service)
        await self._process.boot()
        found = await self._after.is_down(self._service)
        if self._path.exists():
            found.append("it was made anew in silence")
        return [*found, *await self._accept()]

    async def _age(self) -> list[str]:
        self._remove(self._service)
        for each in self._before.glob(f"{self._service}.db*"):
            shutil.copy(each, self._folder / each.name)
        found = await self._after.is_left_alone(self._service)
        return [*found, *await self._accept()]

    async def _swap(self) -> list[str]:
        self._exchange()
        found = await self._after.is_left_alone(self._service, self._other)
        self._exchange()
        for each in (self._service, self._other):
            self._process.signal("restart", each)
        return [*found, *await self._after.all_are_up()]

    async def _tear(self) -> list[str]:
        """Its last page is there in part."""
        content = self._after.content(self._service)
        with self._path.open("r+b") as file:
            file.truncate(len(content[self._path.name]) - TORN_BYTES)
        found = await self._after.is_left_alone(self._service)
        return [*found, *await self._put_back(content)]

    async def _change_version(self, change: str) -> list[str]:
        content = self._after.content(self._service)
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute(change, [self._service])
        found = await self._after.is_left_alone(self._service)
        return [*found, *await self._put_back(content)]

    async def _lose_in_use(self) -> list[str]:
        """What would be committed there is refused, and nobody has to end the service."""
        with closing(sqlite3.connect(self._path)) as connection, connection:
            ((seq,),) = connection.execute(NEXT, [""])
            connection.execute(LAST, ["", seq])
            connection.execute(TIME, [seq, UNKNOWN, b"{}"])
        await self._process.boot()
        found = await self._after.all_are_up(stop=False)
        await self._make_room()
        self._remove(self._service)
        with suppress(ServiceUnavailable, StoreError):
            gone = await self._process.system.let_timers_go(self._service, UNKNOWN)
            found.append(f"it was acknowledged into no file that {gone} timers were let go")
        found += await self._after.is_down(self._service)
        if self._path.exists():
            found.append("it was made anew in silence")
        return [*found, *await self._accept()]

    async def _forget(self) -> list[str]:
        known = read_manifest(self._folder)
        (self._folder / MANIFEST).unlink()
        await self._process.boot()
        found = await self._after.all_are_up()
        made = read_manifest(self._folder)
        if known is None or made is None or {*known.stores} != {*made.stores}:
            found.append(f"{known} has become {made}")
        return found

    async def _confuse(self) -> list[str]:
        """A message and a timer wait, until an operator lets them go; what is buried is let go."""
        with closing(sqlite3.connect(self._path)) as connection, connection:
            ((number,),) = connection.execute(NEXT, [self._other])
            ((seq,),) = connection.execute(NEXT, [""])
            connection.execute(LAST, [self._other, number])
            connection.execute(LAST, ["", seq])
            connection.execute(SEND, [self._other, number, UNKNOWN, b"{}"])
            connection.execute(TIME, [seq, UNKNOWN, b"{}"])
        await self._process.boot()
        found = await self._after.all_are_up(stop=False)
        await asyncio.sleep(LOOK_S)
        system = self._process.system
        waits = [
            (each.receiver, each.depth)
            for each in await system.channels()
            if each.sender == self._service and each.state == "unreadable"
        ]
        timers = [
            (each.service, [(rows.message_type, rows.count) for rows in each.unreadable])
            for each in await system.timers()
            if each.state == "unreadable"
        ]
        if waits != [(self._other, 1)] or timers != [(self._service, [(UNKNOWN, 1)])]:
            found.append(f"what waits is {waits} and {timers}")
        await self._with_room(lambda: system.let_messages_go(self._service, self._other, UNKNOWN))
        gone = await self._with_room(lambda: system.let_timers_go(self._service, UNKNOWN))
        await asyncio.sleep(LOOK_S)
        letters = [
            each
            for each in await system.dead_letters(limit=LETTERS_MAX)
            if each.message_type == UNKNOWN
        ]
        if gone != 1 or sorted(each.actor for each in letters) != sorted(
            [self._service, self._other]
        ):
            found.append(f"{gone} timers were let go, and the letters are {letters}")
        for each in letters:
            await self._cannot_be_replayed(each.id, found)
            await system.discard(each.id)
        left = [each.sender for each in await system.channels() if each.depth]
        late = [each.service for each in await system.timers() if each.state == "unreadable"]
        if left or late:
            found.append(f"what was let go still waits: {left}, {late}")
        await self._process.stop()
        return found

    async def _with_room(self, let_go: Callable[[], Awaitable[T]]) -> T:
        """Let something go; where no dead letter more can be kept, all are discarded before."""
        try:
            return await let_go()
        except LettersFull:
            await self._make_room()
        return await let_go()

    async def _make_room(self) -> None:
        for each in await self._process.system.dead_letters(limit=LETTERS_MAX):
            await self._process.system.discard(each.id)

    async def _cannot_be_replayed(self, letter_id: str, found: list[str]) -> None:
        try:
            found.append(f"it was run: {await self._process.system.replay(letter_id)}")
        except DressRehearsalError as error:
            if UNKNOWN not in str(error):
                found.append(f"it is not run again, for {error}")

    async def _back_up(self) -> list[str]:
        """A file that is changed on its way is seen; what is put back is what there was."""
        rows, manifest = _rows(self._folder), read_manifest(self._folder)
        assert manifest is not None, "a system has run there"
        target = self._folder.with_name(f"{self._folder.name}-backup")
        try:
            prepare(target, self._folder)
            with ExitStack() as stack:
                snapshots = {}
                for service in manifest.stores:
                    path = self._folder / f"{service}.db"
                    snapshots[service] = snapshot = Snapshot(path, self._config)
                    stack.callback(snapshot.close)
                    snapshot.begin()
                contents = write_backup(
                    snapshots, manifest, data_dir=self._folder, target=target, at_us=0
                )
            found = [f"{name} is missing: {why}" for name, why in contents.missing.items()]
            found += self._is_refused_where_changed(target)
            restore_backup(target, self._folder)
        finally:
            shutil.rmtree(target, ignore_errors=True)
        if _rows(self._folder) != rows:
            found.append("what was put back is not what there was")
        await self._process.boot()
        return [*found, *await self._after.all_are_up()]

    def _is_refused_where_changed(self, target: Path) -> list[str]:
        path = target / f"{self._service}.db"
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        try:
            check_backup(target)
        except BackupRefused:
            return []
        finally:
            path.write_bytes(whole)
        return ["a backup of which a byte was changed counts as whole"]

    # --- What an operator does ---------------------------------------------------------------

    async def _accept(self) -> list[str]:
        """Who begins with what there is begins."""
        accept_loss(self._folder, self._service)
        self._process.signal("restart", self._service)
        return await self._after.all_are_up()

    # --- Inside ------------------------------------------------------------------------------

    async def _put_back(self, content: Mapping[str, bytes]) -> list[str]:
        """All are up on what lay there before."""
        self._remove(self._service)
        for name, each in content.items():
            (self._folder / name).write_bytes(each)
        self._process.signal("restart", self._service)
        return await self._after.all_are_up()

    def _remove(self, service: str) -> None:
        for each in self._folder.glob(f"{service}.db*"):
            each.unlink()

    def _exchange(self) -> None:
        """Each has the other's file, with its log."""
        mine = {each.name: each.read_bytes() for each in self._folder.glob(f"{self._service}.db*")}
        theirs = {each.name: each.read_bytes() for each in self._folder.glob(f"{self._other}.db*")}
        self._remove(self._service)
        self._remove(self._other)
        for files, own, other in (
            (mine, self._service, self._other),
            (theirs, self._other, self._service),
        ):
            for name, content in files.items():
                (self._folder / f"{other}{name.removeprefix(own)}").write_bytes(content)


def _rows(folder: Path) -> dict[tuple[str, str], list[Any]]:
    """Return every row of every file, by file and table."""
    found = {}
    for path in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(path)) as connection:
            for (table,) in connection.execute(TABLES).fetchall():
                every = f'SELECT * FROM "{table}"'  # noqa: S608 - a schema's own name
                found[path.name, table] = connection.execute(every).fetchall()
    return found
