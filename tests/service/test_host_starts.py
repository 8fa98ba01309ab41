"""Starts that fail, are cut short or meet damage: one service waits, the others serve."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from actors.errors import DressRehearsalError, ServiceUnavailable, Starting, StoreUnwritable
from actors.kernel import lifecycle
from actors.store import opening
from actors.store.files import sqlite_file
from actors.store.files.loss_acceptance import accept_loss
from tests.service.books import TIMEOUT_S, Shelf, hosted, unstarted
from tests.store.ledger import Add, Added, Count, damage, writer_of
from tests.store.leftovers import no_store_threads, open_files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_time

SOON = "store.check_after_s=0.001"
QUICK = "supervisor.backoff_s_max=0.01"


def repair(file: Path, backup: Path) -> None:
    """Do what the error message says."""
    for damaged in file.parent.glob(f"{file.name}*"):
        damaged.unlink()
    shutil.copy(backup, file)


async def test_damaged_service_is_parked_and_a_restart_after_the_repair_revives_it(
    tmp_path: Path,
) -> None:
    """The others serve; its callers are told why; what the backup held is there again."""
    async with hosted(tmp_path, "a", "b") as shelf:
        await shelf.ask("a", Add(label="precious"))
    shutil.copy(shelf.file("a"), tmp_path / "backup")
    damage(shelf.file("a"), "entry")
    async with hosted(
        tmp_path, "a", "b", settings=["supervisor.intensity=3", QUICK, SOON]
    ) as shelf:
        await shelf.until("a", "parked")
        assert len(shelf.happened(lifecycle.Crashed, "a")) == 1  # no restart mends a file
        assert len(shelf.happened(lifecycle.Parked, "a")) == 1
        assert shelf.system.unhealthy() == ["a"]
        error = shelf.stats("a").last_error
        assert error is not None
        assert f"{shelf.file('a')} is damaged" in error
        assert "restore a backup" in error
        with pytest.raises(ServiceUnavailable, match="damaged"):
            await shelf.ask("a", Count())
        assert isinstance(await shelf.ask("b", Add(label="x")), Added)
        assert await shelf.system.dead_letters(limit=10) == []
        repair(shelf.file("a"), tmp_path / "backup")
        accept_loss(tmp_path, "a")  # it is older than what was opened since
        shelf.system.restart("a")
        await shelf.until("a", "running")
        assert await shelf.ask("a", Count()) == 1
        assert shelf.system.unhealthy() == []
    assert open_files(tmp_path) == 0


async def test_damage_met_while_serving_is_not_served_on(tmp_path: Path) -> None:
    """A crash by damage makes the next open verify the file: it parks instead of guessing."""
    async with hosted(tmp_path, "a", "b", settings=["supervisor.intensity=2", QUICK]) as shelf:
        await shelf.ask("a", Add(label="x"))
        shelf.system.restart("a")  # in order: the next incarnation has cached no page yet
        await shelf.until("a", "running")
        damage(shelf.file("a"), "entry")
        with pytest.raises(DressRehearsalError):
            await shelf.ask("a", Add(label="y"))
        await shelf.until("a", "parked")
        assert "StoreCorrupt" in str(shelf.stats("a").last_error)
        assert len(shelf.happened(lifecycle.Restarted, "a")) == 1  # the operator's
        assert isinstance(await shelf.ask("b", Add(label="x")), Added)


async def test_start_that_fails_for_a_while_succeeds_by_itself(tmp_path: Path) -> None:
    """It is tried again with backoff; who asks meanwhile is told at once that it is not up."""
    blocker = tmp_path / "a.db"
    blocker.mkdir()
    settings = ["supervisor.intensity=1000", "supervisor.backoff_s_max=0.05"]
    async with hosted(tmp_path, "a", settings=settings) as shelf:
        async with asyncio.timeout(TIMEOUT_S):
            while len(shelf.happened(lifecycle.Crashed, "a")) <= 1:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        with pytest.raises(Starting, match="not a file"):
            await shelf.ask("a", Add(label="early"))
        assert shelf.happened(lifecycle.Started, "a") == []
        blocker.rmdir()
        await shelf.until("a", "running")
        assert isinstance(await shelf.ask("a", Add(label="late")), Added)
        assert len(shelf.happened(lifecycle.Started, "a")) == 1


async def test_where_room_is_no_help_the_pauses_double(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room, and its file cannot be opened for writing all the same: the pauses double."""
    async with hosted(tmp_path, "a") as shelf:
        await shelf.ask("a", Add(label="precious"))
    shutil.copytree(tmp_path, kept := tmp_path.with_name("kept"))
    opened: list[float] = []

    def refuse(path: Path, _config: object) -> NoReturn:
        opened.append(time.monotonic())
        message = f"{path} is on a disk that fails"
        raise StoreUnwritable(message)

    async with hosted(kept, "a", settings=["store.write_probe_s=0.005"]) as shelf:
        monkeypatch.setattr(opening, "open_writer", refuse)
        shelf.system.kill("a")
        async with asyncio.timeout(TIMEOUT_S):
            while len(opened) < 6:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)
        pauses = [after - before for before, after in itertools.pairwise(opened)]
        assert all(pause >= 0.005 * 2**number for number, pause in enumerate(pauses)), pauses
        assert await shelf.ask("a", Count()) == 1
        monkeypatch.undo()
        await shelf.until("a", "running")
        assert isinstance(await shelf.ask("a", Add(label="more")), Added)


async def test_whoever_of_a_batch_finds_the_disk_full_it_is_said(tmp_path: Path) -> None:
    """Also behind one who was served before, and is told so."""
    async with hosted(tmp_path, "a", settings=["store.write_probe_s=1000"]) as shelf:
        first = await shelf.ask("a", Add(label="1"), key="k")
        running = shelf.hosted["a"].current
        assert running is not None
        (pages,) = writer_of(running.store).execute("PRAGMA page_count").fetchone()
        writer_of(running.store).execute(f"PRAGMA max_page_count = {pages}")
        repeat = shelf.send("a", Add(label="1"), key="k")
        large = shelf.send("a", Add(label="x" * 100_000))
        assert await repeat == first
        with pytest.raises(StoreUnwritable):
            await large
        assert shelf.stats("a").state == "degraded"


@pytest.mark.parametrize("by", ["kill", "time limit"])
async def test_start_that_was_cut_short_has_verified_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """The next start verifies in its place; what was cut short neither serves nor fences it."""
    verified: list[int] = []
    inside, leave = threading.Event(), threading.Event()

    def slowly(opened: Any) -> None:
        verified.append(1)
        if len(verified) == 1:
            inside.set()
            leave.wait(10.0)
        sqlite_file.verify(opened)

    monkeypatch.setattr(opening, "verify", slowly)

    async def kill(shelf: Shelf) -> None:
        await asyncio.to_thread(inside.wait)
        shelf.system.kill("a")

    limit_s = 1.5 if by == "time limit" else 30.0
    shelf = unstarted(tmp_path, "a", settings=[f"supervisor.start_stall_s_max={limit_s}"])
    shelf.system._hosted["a"].suspicious = True  # as after a crash by damage
    killing = asyncio.ensure_future(kill(shelf)) if by == "kill" else None
    try:
        await shelf.system.start()
        await shelf.until("a", "running")
        assert isinstance(await shelf.ask("a", Add(label="x")), Added)
        assert len(verified) == 2
        if killing is not None:
            await killing
        leave.set()
        await no_store_threads(but=2)
        assert isinstance(await shelf.ask("a", Add(label="y")), Added)
        assert shelf.stats("a").restarts == 0
        assert len(shelf.happened(lifecycle.Crashed, "a")) == 1
    finally:
        leave.set()
        await shelf.system.stop()
        await no_store_threads()
