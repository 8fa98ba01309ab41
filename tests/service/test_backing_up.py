"""A backup of a running system holds what its data folder holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.store.backup import restore_backup
from tests.service.books import hosted
from tests.store.ledger import Add, Count

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
