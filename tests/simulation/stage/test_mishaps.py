"""What happens to a folder between two processes is seen by the second one, or told."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import msgspec
import pytest

from actors.errors import ServiceUnavailable, StoreError
from actors.kernel.exit import Exit
from actors.program import PROGRAM
from actors.service.directory import Directory
from actors.service.operator_calls import OperatorCalls
from actors.service.service_host import ServiceHost
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.command.timeline import build_timeline
from actors.simulation.command.timeline_entry import AT_REST
from actors.simulation.files.file_mishap import LAST, FileMishap
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.stage import mishaps
from actors.simulation.stage.rehearsal import Rehearsal
from actors.store.epoch import Epoch
from actors.store.files import backup, data_folder, migrations
from actors.store.files.data_folder import DataFolder
from actors.store.files.directory_lock import DirectoryLock
from actors.store.files.file_watch import FileWatch
from actors.store.inline_store import InlineStore
from actors.store.opening import store_migrations
from http_edge.endpoints import admin
from tests.simulation.planting import PLANTED, config_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from actors.store.files.data_folder import Admission

open_file = InlineStore.open
admitted = DataFolder.admit
happens = FileMishap.happens
decode = Directory.decode
set_aside = backup._set_aside
SCRIPT: Final = Script(seed=2, workload=(), schedule=Schedule())


def _decode(self: Directory, *asked: Any) -> Any:
    """Whatever cannot be read is a dead letter at once."""
    said = decode(self, *asked)
    return msgspec.structs.replace(said, waits=False) if hasattr(said, "waits") else said


def _all(_connection: Any, _name: str, known: Any) -> Any:
    """Whatever there was is to be applied again, or nothing is."""
    return () if known else store_migrations()


def _admitting(bug: Callable[[DataFolder, str], None]) -> Any:
    """Who looks for a service's past after a mishap does this as well, when it was admitted."""

    def admit(self: DataFolder, service: str, *, first: bool) -> Admission:
        with ExitStack() as stack:
            if self._path.name.endswith("-mishap"):
                stack.callback(bug, self, service)
            return admitted(self, service, first=first)

    return patch.object(DataFolder, "admit", admit)


def _stumble(self: DataFolder, service: str) -> None:
    """All crash once, and run when they were restarted."""
    stumbled = vars(self).setdefault("stumbled", set())
    if service not in stumbled:
        stumbled.add(service)
        raise RuntimeError(service)


def _leave_behind(_folder: DataFolder, _service: str) -> None:
    asyncio.get_running_loop().call_soon(int, "no number")


WRITERS: list[sqlite3.Connection] = []


def _write_anyway(self: DataFolder, service: str) -> None:
    """Into the log alone, as long as the connection is open."""
    if sys.exc_info()[0] is not None:
        connection = sqlite3.connect(self.file_of(service))
        WRITERS.append(connection)
        connection.execute(LAST, ["anybody", 1])
        connection.commit()


def _set_files_aside(data_dir: Path) -> Path | None:
    """All but the logs."""
    logs = {path: path.read_bytes() for path in data_dir.glob("*.db-wal")}
    aside = set_aside(data_dir)
    for path, content in logs.items():
        path.write_bytes(content)
    return aside


async def _say_nothing(*_: Any, **__: Any) -> int:
    message = "not now"
    raise ServiceUnavailable(message, retry_after_s=1.0)


async def _look_at_nothing(_self: ServiceHost) -> None:
    """What is damaged is as good as whole."""


async def _remember(self: InlineStore, *, verify: bool, first: bool) -> None:
    """Who was refused once is refused for as long as the process lives."""
    refused = vars(self._spec.folder).setdefault("refused", {})
    try:
        if self._spec.name not in refused:
            await open_file(self, verify=verify, first=first)
    except StoreError as error:
        refused[self._spec.name] = error
    if self._spec.name in refused:
        raise refused[self._spec.name]


NAMES: Final = (
    "its file is lost", "an older copy of its file lies there", "it has another's file",
    "its file is torn", "its file is of a later version", "its schema was altered",
    "its file goes while it is up", "the folder's manifest is lost",
    "something there that nobody can read", "a backup is put back",
    "its file is none of a database's", "its file is cut to a few bytes",
    "a folder lies in its file's place", "a page of its file is gone",
    "the folder's manifest is damaged", "the folder's lock is removed",
    "its file is of another folder", "its file is another of its kind",
    "its log is another file's", "it has forgotten who it is", "it lacks a migration",
    "another has had more of it than it sent", "another was told of more than it applied",
    "another opens its file while it is up",
)  # fmt: skip
LEFT_DOWN: Final = patch.object(InlineStore, "open", _remember)
# What happens, a bug that does not mind (of a swap and a torn page no one bug makes nothing, but
# what is to help does not), and a word of what is said of it.
PLANTS: Final[tuple[tuple[str, Any, str], ...]] = (
    (NAMES[0], patch.object(data_folder, "what_is_missing", lambda *_: None), "made anew"),
    (NAMES[0], _admitting(_stumble), "crashed by itself"),
    (NAMES[0], _admitting(_leave_behind), "unhandled"),
    (NAMES[0], patch.object(OperatorCalls, "let_timers_go", _say_nothing), "does not answer"),
    (NAMES[1], patch.object(data_folder, "what_is_missing", lambda *_: None), "is running"),
    (NAMES[1], _admitting(_write_anyway), "was written"),
    (NAMES[2], LEFT_DOWN, "is parked"),
    (NAMES[3], LEFT_DOWN, "is parked"),
    (NAMES[4], LEFT_DOWN, "is parked"),
    (NAMES[4], patch.object(migrations, "pending_migrations", _all), "is running"),
    (NAMES[5], patch.object(migrations, "pending_migrations", _all), "is running"),
    (NAMES[6], patch.object(FileWatch, "check", lambda _: None), "acknowledged"),
    (NAMES[7], patch.object(DataFolder, "_write", lambda _: None), "has become"),
    (NAMES[7], _admitting(_stumble), "crashed by itself"),
    (NAMES[8], patch.object(Directory, "decode", _decode), "waits unreadable"),
    (NAMES[8], patch.object(admin, "limit_of", lambda *_: 1_000), "one of the letters"),
    (NAMES[9], patch.object(backup, "_describe", lambda path: backup.BackupFile(
        name=path.name, bytes=0, sha256="")), "a byte changed is not refused"),
    (NAMES[3], patch.object(Exit, "irreparable", False), "was started again"),
    (NAMES[9], patch.object(backup, "_set_aside", _set_files_aside), "is not what there was"),
    (NAMES[23], patch.object(Epoch, "fence", lambda _: None), "in another's file"),
    (NAMES[1], patch.object(backup, "_contradicts", lambda *_: None), "a backup of it lacks"),
    (NAMES[10], LEFT_DOWN, "is parked"),
    (NAMES[11], LEFT_DOWN, "is parked"),
    (NAMES[12], LEFT_DOWN, "is parked"),
    (NAMES[13], patch.object(ServiceHost, "_check", _look_at_nothing), "is running"),
    (NAMES[14], patch.object(data_folder, "read_manifest", lambda _: None), "is running"),
    (NAMES[16], patch.object(data_folder, "what_is_missing", lambda *_: None), "is running"),
    (NAMES[17], patch.object(data_folder, "what_is_missing", lambda *_: None), "is running"),
    (NAMES[18], LEFT_DOWN, "is parked"),
    (NAMES[19], LEFT_DOWN, "is parked"),
    (NAMES[20], patch.object(migrations, "pending_migrations", _all), "is running"),
    (NAMES[21], patch.object(data_folder, "what_is_missing", lambda *_: None), "is running"),
    (NAMES[22], patch.object(data_folder, "what_is_missing", lambda *_: None), "is running"),
    (NAMES[15], patch.object(DirectoryLock, "check", lambda _: None), "without a lock"),
    (NAMES[15], _admitting(_stumble), "crashed by itself"),
    (NAMES[15], patch.object(DirectoryLock, "_lock", lambda *_: None), "was let into"),
)  # fmt: skip


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs(), patch.object(mishaps, "MISHAP_ONE_IN", 1):
        yield Rehearsal(PLANTED["workshop"], config_of("workshop"), place, profile="calm")


@contextmanager
def happening(name: str) -> Iterator[None]:
    """Let this happen, and nothing else."""

    async def happens_here(self: FileMishap, _name: str) -> list[str]:
        return await happens(self, name)

    with patch.object(FileMishap, "happens", happens_here):
        yield


def _troubles(rehearsal: Rehearsal, name: str) -> tuple[str, ...]:
    with happening(name):
        troubles = rehearsal.play(SCRIPT).troubles
    while WRITERS:
        WRITERS.pop().close()
    return troubles


def test_no_line_says_where_the_program_is(rehearsal: Rehearsal) -> None:
    """What to type stands in the crash's reason, and a digest is the same from any folder."""
    with happening(NAMES[0]):
        texts = [each.text for each in rehearsal.play(SCRIPT, keep=True).lines]
    assert any("dress-rehearsal accept-loss" in text for text in texts)
    assert not any(PROGRAM in text for text in texts)


@pytest.mark.sampled
@pytest.mark.parametrize("name", NAMES)
def test_what_happens_to_files_is_seen(rehearsal: Rehearsal, name: str) -> None:
    """By the process that finds it so; and what an operator does about it helps."""
    assert _troubles(rehearsal, name) == ()


def test_it_is_told_what_happens(rehearsal: Rehearsal) -> None:
    """Else the crashes that come of it would have no reason."""
    played = rehearsal.play(SCRIPT, keep=True)
    (happens,) = [each for each in played.lines if each.kind == "mishap"]
    assert happens.text in NAMES
    told = [each.text for each in build_timeline(played, ()).entries]
    assert f"{AT_REST}{happens.text}" in told


@pytest.mark.sampled
@pytest.mark.parametrize(("name", "planted", "words"), PLANTS)
def test_who_does_not_see_it_is_found(
    rehearsal: Rehearsal, name: str, planted: Any, words: str
) -> None:
    """Whoever serves on what is not its past."""
    with planted:
        found = _troubles(rehearsal, name)
    assert [each for each in found if each.startswith("files: ") and words in each], found
