"""What happens to a folder between two processes is seen by the second one, or told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import msgspec
import pytest

from actors.service.directory import Directory
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.files.file_mishap import FileMishap
from actors.simulation.script.schedule import Schedule
from actors.simulation.stage import rehearsal as stage
from actors.simulation.stage.rehearsal import Rehearsal, Script
from actors.store.files import backup, data_folder, migrations
from actors.store.files.file_watch import FileWatch
from actors.store.opening import store_migrations
from tests.simulation.planting import PLANTED, config_of

if TYPE_CHECKING:
    from collections.abc import Iterator

happens = FileMishap.happens
decode = Directory.decode
SCRIPT: Final = Script(seed=2, workload=(), schedule=Schedule())


def _decode(self: Directory, *asked: Any) -> Any:
    """Whatever cannot be read is a dead letter at once."""
    said = decode(self, *asked)
    return msgspec.structs.replace(said, waits=False) if hasattr(said, "waits") else said


def _all(_connection: Any, _name: str, known: Any) -> Any:
    """Whatever there was is to be applied again, or nothing is."""
    return () if known else store_migrations()


NAMES: Final = (
    "its file is lost", "an older copy of its file lies there", "it has another's file",
    "its file is torn", "its file is of a later version", "its schema was altered",
    "its file goes while it is up", "the folder's manifest is lost",
    "something there that nobody can read", "a backup is put back",
)  # fmt: skip
# What happens, a bug that does not mind (of a swap and a torn page no one bug makes nothing), and
# a word of what is said of it.
PLANTS: Final[tuple[tuple[str, Any, str], ...]] = (
    (NAMES[0], patch.object(data_folder, "what_is_missing", lambda *_: None), "made anew"),
    (NAMES[1], patch.object(data_folder, "what_is_missing", lambda *_: None), "is running"),
    (NAMES[4], patch.object(migrations, "pending_migrations", _all), "is running"),
    (NAMES[5], patch.object(migrations, "pending_migrations", _all), "is running"),
    (NAMES[6], patch.object(FileWatch, "check", lambda _: None), "acknowledged"),
    (NAMES[8], patch.object(Directory, "decode", _decode), "waits unreadable"),
    (NAMES[9], patch.object(backup, "_describe", lambda path: backup.BackupFile(
        name=path.name, bytes=0, sha256="")), "counts as whole"),
)  # fmt: skip


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs(), patch.object(stage, "MISHAP_ONE_IN", 1):
        yield Rehearsal(PLANTED["workshop"], config_of("workshop"), place, profile="calm")


def _troubles(rehearsal: Rehearsal, name: str) -> tuple[str, ...]:
    async def happens_here(self: FileMishap, _name: str) -> list[str]:
        return await happens(self, name)

    with patch.object(FileMishap, "happens", happens_here):
        return rehearsal.play(SCRIPT).troubles


@pytest.mark.parametrize("name", NAMES)
def test_what_happens_to_files_is_seen(rehearsal: Rehearsal, name: str) -> None:
    """By the process that finds it so; and what an operator does about it helps."""
    assert _troubles(rehearsal, name) == ()


@pytest.mark.parametrize(("name", "planted", "words"), PLANTS, ids=[each[0] for each in PLANTS])
def test_who_does_not_see_it_is_found(
    rehearsal: Rehearsal, name: str, planted: Any, words: str
) -> None:
    """Whoever serves on what is not its past."""
    with planted:
        found = _troubles(rehearsal, name)
    assert [each for each in found if each.startswith("files: ") and words in each], found
