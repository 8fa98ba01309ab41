"""A backup of a running system holds what its data folder holds."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import BackupRefused
from actors.store.files.backup import restore_backup
from actors.store.files.snapshot import Snapshot
from tests.service.books import hosted
from tests.store.ledger import Add, Count
from tests.store.leftovers import connections

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_time


async def test_a_service_that_left_is_in_the_backup(tmp_path: Path) -> None:
    """Its file is kept in the data folder, for when it comes back; so it is in a backup."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    async with hosted(data_dir, "a", "b") as shelf:
        await shelf.ask("b", Add(label="x"))
    async with hosted(data_dir, "a") as shelf:
        made = await shelf.system.backup(tmp_path / "backup")
    assert made.missing == {}
    restored = tmp_path / "restored"
    restored.mkdir()
    restore_backup(tmp_path / "backup", restored)
    async with hosted(restored, "a", "b") as shelf:
        assert await shelf.ask("b", Count()) == 1


async def test_writers_are_held_for_no_longer_than_they_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the moment is slow to take they go on; the next try takes it, with what they wrote."""
    begun, acknowledged = threading.Event(), threading.Event()
    begin = Snapshot.begin

    def slow(snapshot: Snapshot) -> None:
        begin(snapshot)
        if not begun.is_set():
            begun.set()
            acknowledged.wait(10.0)

    monkeypatch.setattr(Snapshot, "begin", slow)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    async with hosted(data_dir, "a", "b") as shelf:
        backing_up = asyncio.ensure_future(shelf.system.backup(tmp_path / "backup"))
        await asyncio.to_thread(begun.wait)
        for name in ("a", "b"):
            await shelf.ask(name, Add(label="x"), timeout_s=9.0)
        acknowledged.set()
        made = await backing_up
        limit_s = shelf.config.backup.hold_s_max
    assert made.held_ms <= limit_s * 1000
    restored = tmp_path / "restored"
    restored.mkdir()
    restore_backup(tmp_path / "backup", restored)
    async with hosted(restored, "a", "b") as shelf:
        assert [await shelf.ask(name, Count()) for name in ("a", "b")] == [1, 1]


@pytest.mark.parametrize("step", ["__init__", "begin"])
async def test_a_backup_that_is_cancelled_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It ends when its thread has: not while that still opens files, or has them in hand."""
    inside, leave = threading.Event(), threading.Event()
    take = getattr(Snapshot, step)

    def slow(snapshot: Snapshot, *args: Any) -> None:
        take(snapshot, *args)
        inside.set()
        leave.wait(10.0)

    monkeypatch.setattr(Snapshot, step, slow)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    # The look at the whole file, a second after the start, has a connection of its own.
    async with hosted(data_dir, "a", "b", settings=["store.check_after_s=1000"]) as shelf:
        backing_up = asyncio.ensure_future(shelf.system.backup(tmp_path / "backup"))
        await asyncio.to_thread(inside.wait)
        backing_up.cancel()
        await asyncio.sleep(0.01)
        assert not backing_up.done()
        leave.set()
        await asyncio.wait([backing_up])
        assert backing_up.cancelled()
        assert connections(data_dir) == 2 * 2


async def test_a_backup_is_given_up_where_no_moment_is_short_enough(tmp_path: Path) -> None:
    """The refusal names the limit, and the writers go on."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    settings = ["backup.hold_s_max=1e-9", "backup.attempts_max=3", "backup.retry_s=0.001"]
    async with hosted(data_dir, "a", "b", settings=settings) as shelf:
        with pytest.raises(BackupRefused, match=r"within backup\.hold_s_max.* in 3 attempts"):
            await shelf.system.backup(tmp_path / "backup")
        await shelf.ask("a", Add(label="x"))
