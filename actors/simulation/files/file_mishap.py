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
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from actors.errors import (
    DressRehearsalError,
    Fenced,
    ServiceUnavailable,
    StoreError,
    StoreLocked,
    StoreShared,
)
from actors.simulation.files.aftermath import LOOK_S, UNKNOWN, Aftermath
from actors.simulation.files.backup_orders import taken_orders
from actors.simulation.files.every_row import every_row
from actors.store.files.backup import prepare, restore_backup, write_backup
from actors.store.files.data_folder import missing_of
from actors.store.files.directory_lock import DirectoryLock
from actors.store.files.loss_acceptance import accept_loss
from actors.store.files.manifest import MANIFEST, read_manifest
from actors.store.files.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from actors.config import StoreConfig
    from actors.simulation.files.aftermath import NextProcess
    from actors.store.files.backup import Contents
    from actors.store.files.manifest import Manifest

    Operator = Callable[[str, str, Any], Awaitable[Any]]

T = TypeVar("T")

LETTERS_MAX: Final = 1_000
# What a torn write lacks.
TORN_BYTES: Final = 24
# What another version of the program leaves: a migration more, or one that says something else.
LATER: Final = (
    "INSERT INTO migration SELECT schema, max(number) + 1, 'later', checksum, applied_us"
    " FROM migration WHERE schema = :service"
)
ALTERED: Final = "UPDATE migration SET checksum = 'another' WHERE schema = :service"
NO_DATABASE: Final = b"This is a letter, and no database. " * 250
FEW_BYTES: Final = b"SQLite"
# Whom no folder knows; what is locked by who uses it.
NOBODY: Final = "nobody"
CHANNELS: Final = "/admin/channels/let-go"
TIMERS: Final = "/admin/timers/let-go"
LETTERS: Final = "/admin/dead-letters"
LOCK: Final = "lock"
# Of the tables, the one that was made last.
LAST_TABLE: Final = "SELECT max(rootpage) FROM sqlite_schema WHERE type = 'table'"
# What is read of a file before it is opened in earnest: whose it is, and whether it says so.
ANOTHER_FOLDER: Final = "UPDATE epoch SET folder = 'another of ' || :service"
ANOTHER_STORE: Final = (
    "UPDATE identity SET store = 'another of ' || :service",
    "UPDATE epoch SET store = 'another of ' || :service",
)
ANOTHER_LOG: Final = "UPDATE epoch SET store = 'another of ' || :service"
NO_IDENTITY: Final = "DELETE FROM epoch WHERE :service IS NOT NULL"
# By as many as there are: row by row, no number may be another's.
RENUMBERED: Final = (
    "UPDATE migration SET number = number"
    " + (SELECT count(*) FROM migration WHERE schema = :service) WHERE schema = :service"
)
STORE_OF: Final = "SELECT store FROM identity"
# By more than any run sends.
MORE_APPLIED: Final = "INSERT OR REPLACE INTO inbox VALUES (:service, :store, 1000000)"
MORE_TOLD: Final = "INSERT OR REPLACE INTO channel VALUES (:service, 1000000 + (:store IS NULL))"
# With whom it has had to do.
RECEIVERS: Final = "SELECT receiver FROM channel WHERE receiver <> '' ORDER BY receiver"
SENDERS: Final = "SELECT DISTINCT sender FROM inbox ORDER BY sender"
NEXT: Final = "SELECT coalesce(max(last), 0) + 1 FROM channel WHERE receiver = ?"
LAST: Final = "INSERT OR REPLACE INTO channel (receiver, last) VALUES (?, ?)"
SEND: Final = (
    "INSERT INTO outbox (receiver, number, message_type, message, trace, at_us)"
    " VALUES (?, ?, ?, ?, NULL, 0)"
)
TIME: Final = "INSERT INTO timer (seq, due_us, message_type, message) VALUES (?, 0, ?, ?)"
EPOCH: Final = "SELECT value FROM epoch"
TAKEN: Final = "UPDATE epoch SET value = value + 1"
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
        operator: Operator,
    ) -> None:
        """`before` is the folder as it was at first; `siblings` who stands in which group.

        The `operator` asks what runs there, by its edge: its answers have a status and a body.
        """
        self._folder = folder
        self._process = process
        self._before = before
        self._service = service
        self._other = other
        self._after = Aftermath(folder, process, other=other, siblings=siblings)
        self._config = config
        self._operator = operator
        self._path = folder / f"{service}.db"
        # For what reason anybody may crash.
        self._excuse: str | None = None

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
            "another opens its file while it is up": self._take_over,
            "the folder's manifest is lost": self._forget,
            "something there that nobody can read": self._confuse,
            "a backup is put back": self._back_up,
            "its file is none of a database's": partial(self._replace, NO_DATABASE),
            "its file is cut to a few bytes": partial(self._replace, FEW_BYTES),
            "a folder lies in its file's place": partial(self._replace, None),
            "a page of its file is gone": self._wipe,
            "the folder's manifest is damaged": self._damage_manifest,
            "the folder's lock is removed": self._unlock,
            "its file is of another folder": partial(self._change_version, ANOTHER_FOLDER),
            "its file is another of its kind": partial(self._change_version, *ANOTHER_STORE),
            "its log is another file's": partial(self._change_version, ANOTHER_LOG),
            "it has forgotten who it is": partial(self._change_version, NO_IDENTITY),
            "it lacks a migration": partial(self._change_version, RENUMBERED),
            "another has had more of it than it sent": partial(
                self._contradict, MORE_APPLIED, RECEIVERS
            ),
            "another was told of more than it applied": partial(
                self._contradict, MORE_TOLD, SENDERS
            ),
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
            if not self._is_no_wonder(*each.split(": ", 1))
        ]
        return [f"{self._service}: {name}: {each}" for each in found]

    # --- What happens ------------------------------------------------------------------------

    async def _lose(self) -> list[str]:
        self._remove(self._service)
        await self._process.boot()
        found = await self._after.is_down(self._service)
        if self._path.exists():
            found.append("it was made anew in silence")
        found += self._lacks_in_a_backup()
        return [*found, *await self._accept()]

    async def _age(self) -> list[str]:
        self._remove(self._service)
        for each in self._before.glob(f"{self._service}.db*"):
            shutil.copy(each, self._folder / each.name)
        found = await self._after.is_left_alone(self._service)
        found += self._lacks_in_a_backup()
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

    async def _change_version(self, *changes: str) -> list[str]:
        content = self._after.content(self._service)
        with closing(sqlite3.connect(self._path)) as connection, connection:
            for change in changes:
                connection.execute(change, {"service": self._service})
        found = await self._after.is_left_alone(self._service)
        return [*found, *await self._put_back(content)]

    async def _contradict(self, change: str, partners: str) -> list[str]:
        """Another's file says that more has passed between the two, if anything has or not."""
        with closing(sqlite3.connect(self._path)) as connection:
            ((store,),) = connection.execute(STORE_OF)
            known = [self._folder / f"{name}.db" for (name,) in connection.execute(partners)]
        path = self._folder / f"{self._other}.db"
        if path not in known:
            path = next((each for each in known if each.exists()), path)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(change, {"service": self._service, "store": store})
        found = await self._after.is_left_alone(self._service)
        return [*found, *await self._accept()]

    async def _lose_in_use(self) -> list[str]:
        """What would be committed there is refused, and nobody has to end the service."""
        found = await self._have_it_wait()
        self._remove(self._service)
        with suppress(ServiceUnavailable, StoreError):
            gone = await self._process.system.let_timers_go(self._service, UNKNOWN)
            found.append(f"it was acknowledged into no file that {gone} timers were let go")
        found += await self._after.is_down(self._service)
        if self._path.exists():
            found.append("it was made anew in silence")
        return [*found, *await self._accept()]

    async def _take_over(self) -> list[str]:
        """Whose file is another's by now writes no more into it, until it has opened it anew."""
        found = await self._have_it_wait()
        self._excuse = Fenced.__name__
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute(TAKEN)
            ((taken,),) = connection.execute(EPOCH)
        with suppress(ServiceUnavailable, StoreError):
            gone = await self._process.system.let_timers_go(self._service, UNKNOWN)
            with closing(sqlite3.connect(self._path)) as connection:
                ((epoch,),) = connection.execute(EPOCH)
            if epoch == taken:
                found.append(
                    f"it was acknowledged in another's file that {gone} timers were let go"
                )
        return [*found, *await self._after.all_are_up()]

    async def _have_it_wait(self) -> list[str]:
        """Boot, with something there that an operator can have written."""
        with closing(sqlite3.connect(self._path)) as connection, connection:
            ((seq,),) = connection.execute(NEXT, [""])
            connection.execute(LAST, ["", seq])
            connection.execute(TIME, [seq, UNKNOWN, b"{}"])
        await self._process.boot()
        found = await self._after.all_are_up(stop=False)
        await self._make_room()
        return found

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
        found += await self._let_all_go()
        await asyncio.sleep(LOOK_S)
        letters = [
            each
            for each in await system.dead_letters(limit=LETTERS_MAX)
            if each.message_type == UNKNOWN
        ]
        if sorted(each.actor for each in letters) != sorted([self._service, self._other]):
            found.append(f"the letters of what was let go are {letters}")
        page = await self._operator("GET", f"{LETTERS}?limit=1", None)
        if page.status != HTTPStatus.OK or len(page.body["items"]) != 1:
            found.append(f"one of the letters was asked for, and answered is {page}")
        for each in letters:
            path = f"{LETTERS}/{each.id}"
            found += await self._order("POST", f"{path}/replay", None, 409, says=UNKNOWN)
            found += await self._order("DELETE", path, None, 200)
            found += await self._order("DELETE", path, None, 404)
        left = [each.sender for each in await system.channels() if each.depth]
        late = [each.service for each in await system.timers() if each.state == "unreadable"]
        if left or late:
            found.append(f"what was let go still waits: {left}, {late}")
        await self._process.stop()
        return found

    async def _let_all_go(self) -> list[str]:
        """Once there is room for its dead letters; what does not wait is not let go."""
        both = {"sender": self._service, "receiver": self._other, "message_type": UNKNOWN}
        timers = {"service": self._service, "message_type": UNKNOWN}
        await self._make_room()
        return [
            *await self._order("POST", CHANNELS, {**both, "message_type": NOBODY}, 409),
            *await self._order("POST", CHANNELS, {**both, "receiver": NOBODY}, 409),
            *await self._order("POST", CHANNELS, {**both, "sender": NOBODY}, 404),
            *await self._order("POST", TIMERS, {**timers, "message_type": NOBODY}, 409),
            *await self._order("POST", CHANNELS, both, 202),
            *await self._order("POST", TIMERS, timers, 200, says="1"),
            *await self._order("POST", TIMERS, timers, 409),
        ]

    async def _order(
        self, method: str, path: str, body: Any, status: int, *, says: str = ""
    ) -> list[str]:
        """Give an order by the edge, as an operator does; return what was wrong with its answer."""
        reply = await self._operator(method, path, body)
        if reply.status == status and says in str(reply.body):
            return []
        return [f"{method} {path} {body} was answered {reply}, and not {status} {says}"]

    async def _make_room(self) -> None:
        for each in await self._process.system.dead_letters(limit=LETTERS_MAX):
            await self._process.system.discard(each.id)

    async def _back_up(self) -> list[str]:
        """A file that is changed on its way is seen; what is put back is what there was.

        Whatever a process that was killed has left there meanwhile, its logs too.
        """
        rows, manifest = every_row(self._folder), read_manifest(self._folder)
        assert manifest is not None, "a system has run there"
        target = self._folder.with_name(f"{self._folder.name}-backup")
        try:
            contents = self._write_backup(manifest, target)
            found = [f"{name} is missing: {why}" for name, why in contents.missing.items()]
            found += taken_orders(target, self._folder, self._service)
            found += await self._be_killed()
            for _ in range(2):  # what the first has put back is set aside, beside what was there
                restore_backup(target, self._folder)
        finally:
            shutil.rmtree(target, ignore_errors=True)
        if every_row(self._folder) != rows:
            found.append("what was put back is not what there was")
        await self._process.boot()
        return [*found, *await self._after.all_are_up()]

    async def _be_killed(self) -> list[str]:
        """Leave the files as a process does that closes none."""
        await self._process.boot()
        found = await self._after.all_are_up(stop=False)
        files = [path for path in self._folder.glob("*.db*") if not path.name.endswith("-shm")]
        left = {path: path.read_bytes() for path in files}
        await self._process.end()
        for path, content in left.items():
            path.write_bytes(content)
        return found

    def _write_backup(self, manifest: Manifest, target: Path) -> Contents:
        """Write one of all files that are there."""
        prepare(target, self._folder)
        with ExitStack() as stack:
            snapshots = {}
            for service in manifest.stores:
                path = self._folder / f"{service}.db"
                if path.exists():
                    snapshots[service] = snapshot = Snapshot(path, self._config)
                    stack.callback(snapshot.close)
                    snapshot.begin()
            return write_backup(snapshots, manifest, data_dir=self._folder, target=target, at_us=0)

    def _lacks_in_a_backup(self) -> list[str]:
        """A backup of what there is says what is missing of it, and who accepts that is told."""
        manifest = read_manifest(self._folder)
        assert manifest is not None, "it was read by who runs there"
        target = self._folder.with_name(f"{self._folder.name}-backup")
        try:
            missing = self._write_backup(manifest, target).missing
        finally:
            shutil.rmtree(target, ignore_errors=True)
        found = [] if set(missing) == {self._service} else [f"a backup of it lacks {missing}"]
        if missing_of(self._service, self._folder, self._config) is None:
            found.append("nothing is missing, to who is to accept that")
        for folder, service in ((self._folder, NOBODY), (target, self._service)):
            try:
                accept_loss(folder, service)
            except StoreError:
                continue
            found.append(f"the loss of {service} in {folder.name} is accepted")
        return found

    async def _replace(self, content: bytes | None) -> list[str]:
        """Something else is called as its file is."""
        before = self._after.content(self._service)
        self._remove(self._service)
        if content is None:
            self._path.mkdir()
        else:
            self._path.write_bytes(content)
        found = await self._after.is_left_alone(self._service)
        return [*found, *await self._put_back(before)]

    async def _wipe(self) -> list[str]:
        """Nobody has to ask for what is damaged: who serves it looks through all of its file."""
        with closing(sqlite3.connect(self._path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            ((page,),) = connection.execute(LAST_TABLE)
            ((size,),) = connection.execute("PRAGMA page_size")
        content = self._after.content(self._service)
        with self._path.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(bytes(size))
        await self._process.boot()
        found = await self._after.is_down(self._service)
        self._lay(content)  # that is older than what was acknowledged since
        return [*found, *await self._accept()]

    async def _damage_manifest(self) -> list[str]:
        """Nobody serves on what nobody knows; what lies there stays as it is."""
        path = self._folder / MANIFEST
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        services = [self._service, self._other]
        before = [self._after.content(each) for each in services]
        await self._process.boot()
        with_store = [f"{path.stem}" for path in sorted(self._folder.glob("*.db"))]
        found = await self._after.is_down(*with_store)
        if before != [self._after.content(each) for each in services]:
            found.append("something was written, although nobody knew what is there")
        path.write_bytes(whole)
        for each in with_store:
            self._process.signal("restart", each)
        return [*found, *await self._after.all_are_up()]

    async def _unlock(self) -> list[str]:
        """Another process is kept out, until the lock is gone: then nobody acknowledges any more.

        But for who asks for nothing that is to be kept.
        """
        found = await self._have_it_wait()
        try:
            DirectoryLock(self._folder).acquire(holder="another")
            found.append("another process was let into the folder")
        except StoreLocked:
            pass
        (self._folder / LOCK).unlink()
        self._excuse = StoreShared.__name__
        with suppress(ServiceUnavailable, StoreError):
            gone = await self._process.system.let_timers_go(self._service, UNKNOWN)
            found.append(f"it was acknowledged without a lock that {gone} timers were let go")
        await self._process.stop()
        return found

    # --- What an operator does ---------------------------------------------------------------

    async def _accept(self) -> list[str]:
        """Who begins with what there is begins."""
        accept_loss(self._folder, self._service)
        self._process.signal("restart", self._service)
        return await self._after.all_are_up()

    # --- Inside ------------------------------------------------------------------------------

    def _is_no_wonder(self, name: str, reason: str) -> bool:
        """Whether it comes of what has happened: to who is down, or to anybody for that reason."""
        excused = self._excuse is not None and self._excuse in reason
        return excused or name in self._after.concerned

    async def _put_back(self, content: Mapping[str, bytes]) -> list[str]:
        """All are up on what lay there before."""
        self._lay(content)
        self._process.signal("restart", self._service)
        return await self._after.all_are_up()

    def _lay(self, content: Mapping[str, bytes]) -> None:
        self._remove(self._service)
        for name, each in content.items():
            (self._folder / name).write_bytes(each)

    def _remove(self, service: str) -> None:
        for each in self._folder.glob(f"{service}.db*"):
            if each.is_dir():
                each.rmdir()
            else:
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
