"""The data folder knows what it holds: what is lost, swapped or older is not served in silence."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from actors.errors import (
    Irreparable,
    ManifestUnreadable,
    StoreError,
    StoreForeign,
    StoreLost,
    StoreUnwritable,
)
from actors.program import PROGRAM
from actors.simulation.command.scratch_folder import IN_MEMORY
from actors.store.files import sqlite_file
from actors.store.files.loss_acceptance import accept_loss
from actors.store.files.manifest import Manifest, ManifestEntry, ShardMark, write_manifest
from tests.store.correspondents import act, arriving, labels_to, mark, sends
from tests.store.ledger import STORES, Add, Ledger, handlers, query_file
from tests.store.neighbours import Neighbours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.kernel.clock import ManualClock


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory, where there is such a place: a start and a stop sync a dozen files."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def houses(tmp_path: Path, clock: ManualClock) -> Neighbours:
    return Neighbours(tmp_path / "data", clock)


async def write(houses: Neighbours, name: str, *messages: Any) -> None:
    ledger = houses.ledgers[name]
    result = await houses.stores[name].write(ledger.batch(*messages), handlers(act))
    assert result.crash is None, result


async def lives(houses: Neighbours) -> None:
    """Let ann send to bob, who applies and acknowledges it; all of it in one process's life."""
    await houses.boot()
    await write(houses, "ann", sends("bob", "1", "2"))
    await hand_over(houses)
    await houses.close()


async def hand_over(houses: Neighbours) -> None:
    """Deliver to bob what ann has for him, and let her hear of it."""
    ann, bob = houses.ledgers["ann"], houses.ledgers["bob"]
    rows = ann.query("SELECT number, message ->> 'label' FROM outbox WHERE receiver = 'bob'")
    store = houses.stores["ann"].backlog.store
    for number, label in rows:
        batch = arriving(bob, Add(label=label), first=number, base=rows[0][0], store=store)
        result = await houses.stores["bob"].write(batch, handlers())
        assert not isinstance(result.outcomes[0], Exception), result
        houses.stores["ann"].acknowledge("bob", number)
    await write(houses, "ann")


async def refused(houses: Neighbours, name: str) -> str:
    """Return what the service is refused with, at the next process's start."""
    houses.begin()
    with pytest.raises(StoreError) as refusal:
        await houses.open(name)
    assert isinstance(refusal.value, StoreLost | StoreForeign), refusal.value
    assert isinstance(refusal.value, Irreparable), "no restart mends it"
    for other in houses.names:  # the rest serves on
        if other != name:
            await houses.open(other)
    await houses.close()
    return str(refusal.value)


# --- Whose it is -----------------------------------------------------------------------------


async def test_a_service_does_not_open_anothers_file(houses: Neighbours) -> None:
    """Swapped files are refused, both, before anything is written; put back, all is there."""
    await lives(houses)
    houses.move("ann", "away")
    houses.move("bob", "ann")
    houses.move("away", "bob")
    before = [houses.bytes_of(name) for name in ("ann", "bob")]
    houses.begin()
    for name, other in (("ann", "bob"), ("bob", "ann")):
        with pytest.raises(StoreForeign, match=rf"{name}\.db is the store of {other}"):
            await houses.open(name)
        accept_loss(houses.path, name)  # that is no loss
        with pytest.raises(StoreForeign):
            await houses.open(name)
    assert [houses.bytes_of(name) for name in ("ann", "bob")] == before
    houses.move("ann", "away")
    houses.move("bob", "ann")
    houses.move("away", "bob")
    await houses.boot()
    assert [houses.ledgers[name].labels() for name in ("ann", "bob")] == [["1", "2"]] * 2
    await houses.close()


async def test_a_write_ahead_log_of_another_file_is_not_written_into_this_one(
    houses: Neighbours, tmp_path: Path
) -> None:
    """After a SIGKILL, with the logs swapped: refused, and the files stay as they were."""
    await houses.boot()
    await write(houses, "ann", Add(label="1"))
    await write(houses, "bob", Add(label="2"))
    dead = houses.image(tmp_path / "dead")
    await houses.close()
    for name in ("ann", "bob"):
        dead.remove(name, "-shm")
    log = dead.file("ann", "-wal").read_bytes()
    dead.file("bob", "-wal").replace(dead.file("ann", "-wal"))
    dead.file("bob", "-wal").write_bytes(log)
    before = [dead.bytes_of(name) for name in ("ann", "bob")]
    for name in ("ann", "bob"):
        with pytest.raises(StoreForeign, match=f"{name}.db"):
            await dead.open(name)
    assert [dead.bytes_of(name) for name in ("ann", "bob")] == before


async def test_without_room_another_files_log_is_not_written_into_this_one_either(
    houses: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk is full, who looks has to do without the log's index, and changes nothing."""
    await houses.boot()
    await write(houses, "ann", Add(label="1"))
    dead = houses.image(tmp_path / "dead")
    await houses.close()
    for name in ("ann", "bob"):
        dead.remove(name, "-shm")
    dead.file("bob", "-wal").replace(dead.file("ann", "-wal"))
    before = dead.bytes_of("ann")
    real = sqlite_file._open

    def full(path: Path, config: Any, pragmas: tuple[str, ...], *, mode: str = "rw") -> Any:
        if mode in {"ro", "rw"} and not any("EXCLUSIVE" in each for each in pragmas):
            message = f"{path}: database or disk is full"
            raise StoreUnwritable(message)
        return real(path, config, pragmas, mode=mode)

    monkeypatch.setattr(sqlite_file, "_open", full)
    with pytest.raises(StoreForeign, match=r"ann\.db"):
        await dead.open("ann")
    monkeypatch.undo()
    assert dead.bytes_of("ann") == before


@pytest.mark.parametrize("name", ["cat", "ann"])
async def test_a_file_of_another_data_folder_is_not_taken_for_its_own(
    name: str, houses: Neighbours, tmp_path: Path, clock: ManualClock
) -> None:
    """It is somebody else's past, and no witness of what others lack; one may begin with it.

    Then it is the folder's own, and the next process takes its word: others lack what it sent.
    """
    await lives(houses)
    there = Neighbours(tmp_path / "there", clock)
    await lives(there)
    there.remove(name)
    shutil.copy(houses.file(name), there.file(name))
    assert "is from another data folder" in await refused(there, name)
    accept_loss(there.path, name)
    await there.boot()
    await there.close()
    if name == "ann":
        assert "bob.db is older than ann.db" in await refused(there, "bob")


# --- What is missing -------------------------------------------------------------------------


async def test_a_log_that_a_later_incarnation_began_is_missed(
    houses: Neighbours, tmp_path: Path
) -> None:
    """After a restart in order its whole past is in the file, and what came since in the log."""
    await houses.boot()
    await write(houses, "ann", Add(label="before"))
    await houses.stores["ann"].close()
    await houses.open("ann")
    await write(houses, "ann", Add(label="since"))
    left = houses.image(tmp_path / "left")
    await houses.close()
    left.remove("ann", "-wal", "-shm")
    assert "is older than what was acknowledged" in await refused(left, "ann")


async def test_a_lost_file_is_missed(houses: Neighbours) -> None:
    """Nobody had messages with cat, and it is missed all the same; nothing is made in its place."""
    await lives(houses)
    houses.remove("cat")
    said = await refused(houses, "cat")
    assert f"{houses.file('cat')} is gone" in said
    assert f"{PROGRAM} accept-loss cat --data-dir {houses.path}" in said
    assert not houses.file("cat").exists()


@pytest.mark.parametrize("pages", [1000, 8], ids=["no checkpoint", "after checkpoints"])
@pytest.mark.parametrize("gone", [("-wal",), ("-wal", "-shm")], ids="+".join)
async def test_a_lost_write_ahead_log_is_missed(
    tmp_path: Path, clock: ManualClock, pages: int, gone: tuple[str, ...]
) -> None:
    """At whatever commit the process was killed: what was acknowledged since is in the log."""
    houses = Neighbours(tmp_path / "data", clock, "ann", wal_checkpoint_pages=pages)
    await houses.boot()
    for number in range(12):
        await write(houses, "ann", Add(label=str(number)))
        dead = houses.image(tmp_path / str(number))
        dead.remove("ann", *gone)
        if query_file(dead.file("ann"), "SELECT 1 FROM sqlite_schema WHERE name = 'entry'"):
            labels = [row[0] for row in query_file(dead.file("ann"), "SELECT label FROM entry")]
            if len(labels) == number + 1:
                continue  # a checkpoint has just taken all of it over
        with pytest.raises(StoreLost, match=r"ann\.db"):
            await dead.open()
    await houses.close()


@pytest.mark.parametrize(
    ("kept_kib", "cut_by"), [(64, "SQLite"), (256, "WalLimit")], ids=["small", "after a long read"]
)
async def test_a_log_that_was_cut_and_is_lost_is_missed(
    tmp_path: Path, clock: ManualClock, kept_kib: int, cut_by: str
) -> None:
    """It is small again, and what is acknowledged next is in it alone."""
    houses = Neighbours(
        tmp_path / "data", clock, "ann",
        wal_checkpoint_pages=50, wal_kept_kib=kept_kib, wal_kib_max=512,
    )  # fmt: skip
    await houses.boot()
    log = houses.file("ann", "-wal")
    with closing(sqlite3.connect(houses.file("ann"), isolation_level=None)) as reader:
        if cut_by == "WalLimit":  # who looks at every 64th batch
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM entry").fetchall()
        for _ in range(127):
            before = log.stat().st_size
            await write(houses, "ann", Add(label="x" * 4000))
            if log.stat().st_size < before:
                break
    await write(houses, "ann", Add(label="acknowledged"))
    assert log.stat().st_size < 100 * 1024
    dead = houses.image(tmp_path / "dead")
    await houses.close()
    dead.remove("ann", "-wal", "-shm")
    with pytest.raises(StoreLost, match=r"ann\.db"):
        await dead.open()


@pytest.mark.parametrize("pages", [1000, 8], ids=["no checkpoint", "after checkpoints"])
async def test_a_log_that_somebody_elses_connection_took_over_is_not_missed(
    tmp_path: Path, clock: ManualClock, pages: int
) -> None:
    """Who looks at a dead process's files with the sqlite3 shell has lost nothing."""
    houses = Neighbours(tmp_path / "data", clock, "ann", wal_checkpoint_pages=pages)
    await houses.boot()
    for number in range(12):
        await write(houses, "ann", Add(label=str(number)))
    dead = houses.image(tmp_path / "dead")
    await houses.close()
    with closing(sqlite3.connect(dead.file("ann"))) as connection:
        connection.execute("SELECT count(*) FROM entry").fetchall()
    assert not dead.file("ann", "-wal").exists()
    await dead.boot()
    assert len(dead.ledgers["ann"].labels()) == 12
    await dead.close()


@pytest.mark.parametrize("kind", STORES)
async def test_a_log_that_begins_anew_fences_nobody(kind: str, tmp_path: Path) -> None:
    """The owner's epoch moves on with each; it goes on, also where there is no manifest."""
    ledger = Ledger(kind, tmp_path)
    ledger.limit(wal_checkpoint_pages=8)
    async with ledger.opened() as store:
        ((before,),) = ledger.query("SELECT value FROM epoch")
        for number in range(20):
            result = await store.write(ledger.batch(Add(label=str(number))), handlers())
            assert result.crash is None
        ((after,),) = ledger.query("SELECT value FROM epoch")
        assert after > before + 2
    assert len(ledger.labels()) == 20


async def test_an_older_copy_of_a_file_is_missed(houses: Neighbours, tmp_path: Path) -> None:
    """One of a service that nobody talks with, from the day before, or from an hour ago."""
    await lives(houses)
    await houses.boot()
    houses.back_up("cat", tmp_path / "online")
    await write(houses, "cat", Add(label="1"))
    await houses.close()
    shutil.copy(houses.file("cat"), tmp_path / "stopped")
    await houses.boot()
    await houses.close()
    for backup in ("online", "stopped"):
        houses.restore("cat", tmp_path / backup)
        assert "cat.db is older than what was acknowledged from it" in await refused(houses, "cat")


async def test_an_older_copy_that_is_read_only_is_missed(
    houses: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may not be served is not read alone either."""
    await lives(houses)
    shutil.copy(houses.file("cat"), tmp_path / "older")
    await houses.boot()
    await houses.close()
    houses.restore("cat", tmp_path / "older")
    may = os.access  # which allows root everything

    def access(path: Path, mode: int) -> bool:
        return may(path, mode) and not (mode & os.W_OK and path == houses.file("cat"))

    monkeypatch.setattr(os, "access", access)
    assert "cat.db is older than what was acknowledged from it" in await refused(houses, "cat")


@pytest.mark.parametrize(("name", "other"), [("ann", "bob"), ("bob", "ann")])
async def test_an_older_copy_since_the_last_start_is_missed_by_what_the_others_know(
    houses: Neighbours, tmp_path: Path, name: str, other: str
) -> None:
    """Copied while the process ran that was killed later: a sender's file, and a receiver's."""
    await houses.boot()
    await write(houses, "ann", sends("bob", "1"))
    await hand_over(houses)
    houses.back_up(name, tmp_path / "backup")
    await write(houses, "ann", sends("bob", "2"))
    await hand_over(houses)
    dead = houses.image(tmp_path / "dead")
    await houses.close()
    dead.restore(name, tmp_path / "backup")
    assert f"{name}.db is older than {other}.db" in await refused(dead, name)


async def test_a_lost_file_is_missed_by_its_peers_without_a_manifest(houses: Neighbours) -> None:
    """The manifest is made anew from the files, with a line; what bob knows of ann is not lost."""
    await lives(houses)
    (houses.path / "manifest.json").unlink()
    houses.remove("ann")
    with capture_logs() as logs:
        assert "ann.db is gone, and bob had messages from it" in await refused(houses, "ann")
    assert [(line["event"], line["services"]) for line in logs] == [
        ("manifest made anew", ["bob", "cat"])
    ]


# --- Accepted --------------------------------------------------------------------------------


async def test_an_accepted_loss_begins_with_an_empty_file(houses: Neighbours) -> None:
    """Once: the next start says nothing, and the next loss wants to be accepted anew."""
    await lives(houses)
    houses.remove("ann")
    await refused(houses, "ann")
    accept_loss(houses.path, "ann")
    with capture_logs() as logs:
        await houses.boot()
    assert [line["event"] for line in logs] == ["loss accepted"]
    await write(houses, "ann", sends("bob", "a", "b"))
    await hand_over(houses)
    assert houses.ledgers["bob"].labels() == ["1", "2", "a", "b"]
    await houses.close()
    with capture_logs() as logs:
        await houses.boot()
    assert logs == []
    await houses.close()
    houses.remove("ann")
    await refused(houses, "ann")


async def test_a_restored_sender_is_heard_from_its_first_message_on(
    houses: Neighbours, tmp_path: Path
) -> None:
    """What it had on its way and was applied does not come again; what was not applied does."""
    await houses.boot()
    await write(houses, "ann", sends("bob", "1", "2"))
    houses.back_up("ann", tmp_path / "backup")
    await write(houses, "ann", sends("bob", "3"))
    await hand_over(houses)
    await write(houses, "ann", sends("cat", "for cat"))
    await houses.close()
    houses.restore("ann", tmp_path / "backup")
    await refused(houses, "ann")
    accept_loss(houses.path, "ann")
    await houses.boot()
    assert labels_to(houses.ledgers["ann"], "bob") == []
    await write(houses, "ann", sends("bob", "4"))
    assert labels_to(houses.ledgers["ann"], "bob") == ["4"]
    await hand_over(houses)
    assert houses.ledgers["bob"].labels() == ["1", "2", "3", "4"]
    await houses.close()


async def test_a_restored_receiver_takes_what_is_still_on_its_way(
    houses: Neighbours, tmp_path: Path
) -> None:
    """What it had acknowledged and forgotten will not come again, and the line says so."""
    await houses.boot()
    houses.back_up("bob", tmp_path / "backup")
    await write(houses, "ann", sends("bob", "1", "2"))
    await hand_over(houses)
    await write(houses, "ann", sends("bob", "3", "4"))
    await houses.close()
    houses.restore("bob", tmp_path / "backup")
    await refused(houses, "bob")
    accept_loss(houses.path, "bob")
    with capture_logs() as logs:
        await houses.boot()
    (line,) = logs
    assert (line["service"], line["will_not_come_again"]) == ("bob", {"ann": 2})
    assert mark(houses.ledgers["bob"]) == 2
    await hand_over(houses)
    assert houses.ledgers["bob"].labels() == ["3", "4"]
    await houses.close()


async def test_a_loss_under_the_process_is_accepted_without_a_restart_of_it(
    houses: Neighbours,
) -> None:
    """Ann's file goes while she is used; accepted, she begins anew, and bob hears her."""
    await houses.boot()
    await write(houses, "ann", sends("bob", "1", "2"))
    await hand_over(houses)
    houses.remove("ann")
    ledger = houses.ledgers["ann"]
    lost = await houses.stores["ann"].write(ledger.batch(Add(label="3")), handlers())
    assert isinstance(lost.crash, StoreLost)
    await houses.stores["ann"].abandon()
    with pytest.raises(StoreLost):
        await houses.open("ann")
    accept_loss(houses.path, "ann")
    await houses.open("ann")
    await write(houses, "ann", sends("bob", "4"))
    await hand_over(houses)
    assert houses.ledgers["bob"].labels() == ["1", "2", "4"]
    await houses.close()


async def test_an_acceptance_without_a_loss_is_void(houses: Neighbours) -> None:
    """It must not lie there until something is lost."""
    await lives(houses)
    accept_loss(houses.path, "ann")
    with capture_logs() as logs:
        await houses.boot()
    assert [line["event"] for line in logs] == ["acceptance void"]
    accept_loss(houses.path, "ann")  # beside a process in which ann is well
    await houses.close()
    houses.remove("ann")
    await refused(houses, "ann")


async def test_a_loss_is_accepted_for_a_service_that_the_folder_knows(
    houses: Neighbours, tmp_path: Path
) -> None:
    """A wrong name, or a wrong folder, is told so."""
    await lives(houses)
    with pytest.raises(StoreError, match="knows no service 'dan'; it knows ann, bob, cat"):
        accept_loss(houses.path, "dan")
    shard = ManifestEntry(store="s", epoch=1, shard=ShardMark("tab_id", 2))
    write_manifest(tmp_path, Manifest(folder="f", stores={"tabs-1": shard, "tabs-2": shard}))
    with pytest.raises(StoreError, match=r"'tabs' is kept in shards.* tabs-1 or tabs-2"):
        accept_loss(tmp_path, "tabs")
    with pytest.raises(StoreError, match="is no data folder"):
        accept_loss(tmp_path / "nowhere", "ann")


# --- What changes --------------------------------------------------------------------------


async def test_a_service_that_is_new_or_gone_is_a_line(tmp_path: Path, clock: ManualClock) -> None:
    """A folder knows ann and bob; the next program has cat, and no bob; the one after has both."""
    path = tmp_path / "data"
    with capture_logs() as logs:
        houses = Neighbours(path, clock, "ann", "bob")
        await houses.open()
        await houses.close()
        assert logs == []  # a new folder
        houses = Neighbours(path, clock, "ann", "cat")
        await houses.open()
        await houses.close()
        assert [line["event"] for line in logs] == ["stores without a service", "store created"]
        assert (logs[0]["services"], logs[1]["service"]) == (["bob"], "cat")
        logs.clear()
        houses = Neighbours(path, clock)
        await houses.open()
        await houses.close()
        assert logs == []


async def test_a_damaged_manifest_is_named(houses: Neighbours) -> None:
    """Nothing is opened on a guess."""
    await lives(houses)
    (houses.path / "manifest.json").write_text("{")
    houses.begin()
    with pytest.raises(ManifestUnreadable, match=r"cannot read .*manifest\.json.*move it away"):
        await houses.open("ann")


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def test_a_full_disk_keeps_the_manifest_that_was(
    houses: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The services open all the same, with a line."""
    await lives(houses)
    before = (houses.path / "manifest.json").read_bytes()
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr("actors.store.files.manifest.os.fsync", full)
        await houses.boot()
        await houses.close()
    assert {line["event"] for line in logs} == {"manifest not written"}
    assert (houses.path / "manifest.json").read_bytes() == before
    assert sorted(path.name for path in houses.path.glob(".*")) == []
    await houses.boot()
    await houses.close()


async def test_a_loss_stays_accepted_until_the_manifest_knows_what_there_is(
    houses: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun with it on a full disk is there at the next start, and up."""
    await lives(houses)
    houses.remove("cat")
    await refused(houses, "cat")
    accept_loss(houses.path, "cat")
    with monkeypatch.context() as patch:
        patch.setattr("actors.store.files.manifest.os.fsync", full)
        await houses.boot()
        await write(houses, "cat", Add(label="since"))
        await houses.close()
    for _ in range(2):
        await houses.boot()
        assert houses.ledgers["cat"].labels() == ["since"]
        await houses.close()
    assert list(houses.path.glob("accept-loss.*")) == []
