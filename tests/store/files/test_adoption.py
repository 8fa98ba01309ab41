"""A data folder from before there were stamps and a manifest is adopted, once, with a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from actors.config import load_config
from actors.errors import StoreForeign, StoreLost
from actors.kernel.clock import ManualClock
from actors.kernel.rng import Rng
from actors.store.files.data_folder import DataFolder
from actors.store.files.manifest import read_manifest
from tests.store.ledger import query_file
from tests.store.unstamped import SERVICES, unpack

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return unpack(tmp_path / "data")


def begin(path: Path) -> DataFolder:
    """What a process that starts there knows."""
    return DataFolder(path, SERVICES, load_config().store, clock=ManualClock(), rng=Rng(1))


def swap(path: Path, one: str, other: str) -> None:
    for suffix in ("", "-wal"):
        (path / f"{one}.db{suffix}").rename(path / "away")
        (path / f"{other}.db{suffix}").rename(path / f"{one}.db{suffix}")
        (path / "away").rename(path / f"{other}.db{suffix}")


def test_an_unstamped_folder_is_adopted_with_a_line(old: Path) -> None:
    """Each service may open its file; what it is called from now on is what it was called."""
    folder = begin(old)
    with capture_logs() as logs:
        for name in SERVICES:
            assert folder.admit(name, first=True).renewal is None
    (line,) = logs
    assert (line["event"], line["services"]) == ("data folder adopted", sorted(SERVICES))
    manifest = read_manifest(old)
    assert manifest is not None
    for name in SERVICES:
        ((store,),) = query_file(old / f"{name}.db", "SELECT store FROM identity")
        assert manifest.stores[name].store == store
    with capture_logs() as logs:
        begin(old).admit("room", first=True)
    assert logs == []


def test_files_that_were_swapped_before_are_found(old: Path) -> None:
    """Whose tables a file had first is whose it is."""
    swap(old, "customer", "room")
    folder = begin(old)
    for name, other in (("customer", "room"), ("room", "customer")):
        with pytest.raises(StoreForeign, match=rf"{name}\.db is the store of {other}"):
            folder.admit(name, first=True)
    folder.admit("booking", first=True)
    swap(old, "customer", "room")
    for name in ("customer", "room"):
        assert begin(old).admit(name, first=True).renewal is None


def test_what_others_have_had_from_a_file_that_is_gone_is_known_before(old: Path) -> None:
    """Nobody wrote down that there was a booking.db, but room and payment had messages from it."""
    for suffix in ("", "-wal"):
        (old / f"booking.db{suffix}").unlink()
    with pytest.raises(StoreLost, match=r"booking\.db is gone, and .*payment.* had messages"):
        begin(old).admit("booking", first=True)


def test_a_log_that_was_gone_before_is_known_by_what_others_had(old: Path) -> None:
    """Booking's file without its log has forgotten what it sent."""
    (old / "booking.db-wal").unlink()
    with pytest.raises(StoreLost, match=r"booking\.db is older than \w+\.db"):
        begin(old).admit("booking", first=True)
