"""A service is up before its file is read whole; damage that is found later parks it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import StoreError
from actors.kernel import lifecycle
from actors.store.files import integrity
from tests.service.books import hosted
from tests.store.ledger import Add, Added, Count, damage
from tests.store.leftovers import open_files

if TYPE_CHECKING:
    from pathlib import Path

SOON = "store.check_after_s=0.001"

pytestmark = pytest.mark.real_time


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Hold up each look at a table of the service's own while it is cleared."""
    opened = threading.Event()
    opened.set()
    look_at = integrity.check_tables

    def wait(connection: Any, path: Any, tables: Any) -> None:
        if tuple(tables) == ("account",):
            assert opened.wait(20.0)
        look_at(connection, path, tables)

    monkeypatch.setattr(integrity, "check_tables", wait)
    return opened


async def test_a_service_serves_while_its_file_is_read(
    tmp_path: Path, gate: threading.Event
) -> None:
    """No request waits for the check, however long that takes; what it finds parks the service."""
    async with hosted(tmp_path, "a", settings=[SOON]) as shelf:
        await shelf.ask("a", Add(label="x"))
    damage(tmp_path / "a.db", "account")
    gate.clear()
    async with hosted(tmp_path, "a", settings=[SOON]) as shelf:
        assert await shelf.ask("a", Count()) == 1
        assert shelf.system.unhealthy() == []
        gate.set()
        await shelf.until("a", "parked")
        assert "StoreCorrupt" in str(shelf.stats("a").last_error)
        assert len(shelf.happened(lifecycle.Crashed, "a")) == 1


async def test_a_restart_repeats_no_clean_pass(tmp_path: Path, gate: threading.Event) -> None:
    """Within a process a file that was found whole is not read again, and none is read twice."""
    gate.clear()
    async with hosted(tmp_path, "a", settings=[SOON]) as shelf:
        check = shelf.hosted["a"].check
        for _ in range(3):  # cut short by kills
            shelf.system.kill("a")
            await shelf.until("a", "running")
            assert isinstance(await shelf.ask("a", Add(label="x")), Added)
        assert not check.is_done()
        gate.set()
        async with asyncio.timeout(20.0):
            while not check.is_done():  # noqa: ASYNC110 - a thread's end sets no event
                await asyncio.sleep(0.01)
        gate.clear()
        shelf.system.restart("a")
        await asyncio.sleep(0)
        await shelf.until("a", "running")
        assert isinstance(await shelf.ask("a", Add(label="y")), Added)
    assert open_files(tmp_path) == 0


async def test_a_check_that_was_cut_short_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same incarnation looks again, and finds what is damaged."""
    async with hosted(tmp_path, "a", settings=[SOON]) as shelf:
        await shelf.ask("a", Add(label="x"))
    damage(tmp_path / "a.db", "account")
    look_at, looks = integrity.check_tables, 0

    def fail_once(connection: Any, path: Any, tables: Any) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            message = "the disk did not answer"
            raise StoreError(message)
        look_at(connection, path, tables)

    monkeypatch.setattr(integrity, "check_tables", fail_once)
    settings = [SOON, "supervisor.park_retry_s=0.01"]
    async with hosted(tmp_path, "a", settings=settings) as shelf:
        async with asyncio.timeout(20.0):
            while not shelf.happened(lifecycle.Crashed, "a"):  # noqa: ASYNC110 - of a thread's end
                await asyncio.sleep(0.01)
        assert looks > 1
    assert open_files(tmp_path) == 0
