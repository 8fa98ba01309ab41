"""A backup is whole or none; what it replaces is kept; a restore cut short starts nothing."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.errors import BackupRefused, StoreLost
from actors.store.files.backup import (
    CONTENTS,
    check_backup,
    prepare,
    refuse_backup,
    refuse_unfinished,
    restore_backup,
    write_backup,
)
from actors.store.files.manifest import read_manifest
from actors.store.files.snapshot import Snapshot
from actors.store.files.sqlite_file import open_writer
from tests.store.correspondents import act
from tests.store.ledger import Add, handlers, query_file
from tests.store.neighbours import Neighbours

if TYPE_CHECKING:
    from actors.kernel.clock import ManualClock

CONFIG = load_config().store


@pytest.fixture
def houses(tmp_path: Path, clock: ManualClock) -> Neighbours:
    return Neighbours(tmp_path / "data", clock)


async def lived_in(houses: Neighbours) -> Path:
    """Return a data folder of three services that were up and are not."""
    await houses.boot()
    await write(houses, "before")
    await houses.close()
    (houses.path / "x.account").write_text("somebody\n")
    (houses.path / "admin.token").write_text("secret\n")
    return houses.path


async def write(houses: Neighbours, label: str) -> None:
    for name, store in houses.stores.items():
        result = await store.write(houses.ledgers[name].batch(Add(label=label)), handlers(act))
        assert result.crash is None, result


def back_up(data_dir: Path, target: Path) -> dict[str, str]:
    """Return what is missing in it."""
    manifest = read_manifest(data_dir)
    assert manifest is not None
    prepare(target, data_dir)
    snapshots = {path.stem: Snapshot(path, CONFIG) for path in data_dir.glob("*.db")}
    try:
        for snapshot in snapshots.values():
            snapshot.begin()
        contents = write_backup(snapshots, manifest, data_dir=data_dir, target=target, at_us=1)
    finally:
        for snapshot in snapshots.values():
            snapshot.close()
    return contents.missing


def labels(data_dir: Path, name: str) -> list[str]:
    return [row[0] for row in query_file(data_dir / f"{name}.db", "SELECT label FROM entry")]


async def test_a_restored_folder_is_as_it_was(houses: Neighbours, tmp_path: Path) -> None:
    """What came since is gone, its services start and miss nothing; what was replaced is kept."""
    data_dir = await lived_in(houses)
    back_up(data_dir, tmp_path / "backup")
    held = {path.name for path in (tmp_path / "backup").iterdir()}
    stores = {f"{name}.db" for name in houses.names}
    assert held == {*stores, "manifest.json", "x.account", CONTENTS}, "and no secret"
    await houses.boot()
    await write(houses, "since")
    await houses.close()
    _, replaced = restore_backup(tmp_path / "backup", data_dir)
    assert labels(data_dir, "ann") == ["before"]
    assert replaced is not None
    assert labels(replaced, "ann") == ["before", "since"]
    assert (data_dir / "admin.token").read_text() == "secret\n"
    await houses.boot()
    await write(houses, "then")
    await houses.close()
    assert labels(data_dir, "ann") == ["before", "then"]
    _, again = restore_backup(tmp_path / "backup", data_dir)
    assert again not in {None, replaced}


async def test_a_snapshot_is_of_its_moment(houses: Neighbours, tmp_path: Path) -> None:
    """What is committed after it began is not in the copy, whatever the log does meanwhile."""
    await houses.boot()
    await write(houses, "before")
    snapshot = Snapshot(houses.file("ann"), CONFIG)
    try:
        snapshot.begin()
        await write(houses, "since")
        snapshot.copy_to(tmp_path / "ann.db")
    finally:
        snapshot.close()
    await houses.close()
    assert labels(tmp_path, "ann") == ["before"]


@pytest.mark.parametrize("wrong", ["changed", "shorter", "gone", "no contents", "no json"])
async def test_a_backup_that_is_not_whole_is_refused(
    houses: Neighbours, tmp_path: Path, wrong: str
) -> None:
    """Whatever it lacks, it is named, and the data folder keeps what it has."""
    data_dir = await lived_in(houses)
    backup = tmp_path / "backup"
    back_up(data_dir, backup)
    victim = backup / "bob.db"
    match wrong:
        case "changed":
            content = bytearray(victim.read_bytes())
            content[5000] ^= 1
            victim.write_bytes(content)
        case "shorter":
            victim.write_bytes(victim.read_bytes()[:-512])
        case "gone":
            victim.unlink()
        case "no contents":
            victim = backup / CONTENTS
            victim.unlink()
        case "no json":
            victim = backup / CONTENTS
            victim.write_text("[")
    for use in (check_backup, lambda source: restore_backup(source, data_dir)):
        with pytest.raises(BackupRefused, match=victim.name):
            use(backup)
    assert labels(data_dir, "ann") == ["before"]
    refuse_unfinished(data_dir)


async def test_a_restore_that_was_interrupted_starts_nothing_and_goes_on(
    houses: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the disk fails: the next start refuses, until the command was called again."""
    data_dir = await lived_in(houses)
    backup = tmp_path / "backup"
    back_up(data_dir, backup)
    real = shutil.copyfileobj
    left = 0

    def copy(source: Any, target: Any) -> None:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left -= 1
        real(source, target)

    monkeypatch.setattr(shutil, "copyfileobj", copy)
    for fits in range(len(check_backup(backup).files)):
        left = fits
        with pytest.raises(BackupRefused, match="call it again"):
            restore_backup(backup, data_dir)
        with pytest.raises(BackupRefused, match="restore DIR"):
            refuse_unfinished(data_dir)
    monkeypatch.undo()
    restore_backup(backup, data_dir)
    refuse_unfinished(data_dir)
    assert labels(data_dir, "ann") == ["before"]
    assert labels(data_dir / "replaced.1", "ann") == ["before"], "what there was is still there"


async def test_a_damaged_file_is_left_out_and_named(houses: Neighbours, tmp_path: Path) -> None:
    """The copy is looked through: what SQLite can find is found now; the siblings are backed up."""
    data_dir = await lived_in(houses)
    with closing(sqlite3.connect(data_dir / "bob.db")) as connection:
        ((page, size),) = connection.execute(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size)"
            " FROM sqlite_schema WHERE name = 'entry'"
        ).fetchall()
    with (data_dir / "bob.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 64)
    missing = back_up(data_dir, tmp_path / "backup")
    assert list(missing) == ["bob"]
    assert f"{data_dir / 'bob.db'} is damaged" in missing["bob"]
    restore_backup(tmp_path / "backup", data_dir)
    await parked_alone(houses, "bob", "is gone")


async def parked_alone(houses: Neighbours, name: str, why: str) -> None:
    """Assert that the next process misses what this service should have, and nothing else."""
    houses.begin()
    with pytest.raises(StoreLost, match=rf"{name}\.db {why}"):
        await houses.open(name)
    await houses.open(*(each for each in houses.names if each != name))
    await houses.close()


@pytest.mark.parametrize("wrong", ["is older", "is gone"])
async def test_a_backup_makes_up_for_no_loss(
    houses: Neighbours, tmp_path: Path, wrong: str
) -> None:
    """What its folder misses is named, and missed as before where the backup is restored."""
    data_dir = await lived_in(houses)
    shutil.copy(houses.file("cat"), tmp_path / "older")
    await houses.boot()
    await write(houses, "since")
    await houses.close()
    if wrong == "is gone":
        houses.remove("cat")
    else:
        houses.restore("cat", tmp_path / "older")
    missing = back_up(data_dir, tmp_path / "backup")
    assert list(missing) == ["cat"]
    assert wrong in missing["cat"]
    restore_backup(tmp_path / "backup", data_dir)
    await parked_alone(houses, "cat", wrong)


async def test_a_backup_is_not_restored_into_itself(houses: Neighbours, tmp_path: Path) -> None:
    """By no name of its folder: it stays whole."""
    back_up(await lived_in(houses), tmp_path / "backup")
    (tmp_path / "link").symlink_to(tmp_path / "backup")
    for source in (tmp_path / "backup", tmp_path / "link"):
        with pytest.raises(BackupRefused, match="itself"):
            restore_backup(source, tmp_path / "backup")
    check_backup(tmp_path / "backup")
    with pytest.raises(BackupRefused, match="is a backup"):
        refuse_backup(tmp_path / "backup")
    with pytest.raises(BackupRefused, match="lie in each other"):
        prepare(tmp_path / "link" / "deeper", tmp_path / "backup")


async def test_a_file_that_nobody_has_begun_with_is_no_hindrance(
    houses: Neighbours, tmp_path: Path
) -> None:
    """Its service has just made it, or cannot start; restored, it begins where it would have."""
    await houses.open("ann", "bob")
    await houses.close()
    open_writer(houses.file("cat"), CONFIG).close()
    back_up(houses.path, tmp_path / "backup")
    restore_backup(tmp_path / "backup", houses.path)
    await houses.boot()
    await write(houses, "then")
    await houses.close()
    assert labels(houses.path, "cat") == ["then"]


async def test_a_backup_is_written_over_nothing(houses: Neighbours, tmp_path: Path) -> None:
    """Not into a folder that holds something, nor into the data, nor around them."""
    data_dir = await lived_in(houses)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "file").touch()
    for target in (tmp_path / "full", tmp_path / "file", data_dir, data_dir / "b", tmp_path):
        with pytest.raises(BackupRefused):
            prepare(target, data_dir)
    with pytest.raises(BackupRefused, match="whole path"):
        prepare(Path("backup"), data_dir)
