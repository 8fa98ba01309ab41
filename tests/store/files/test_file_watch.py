"""A file that is gone, or another, is noticed before anything is acknowledged into it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from actors.errors import StoreLost
from tests.store.ledger import STORES, Add, Count, handlers
from tests.store.neighbours import Neighbours

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from actors.kernel.clock import ManualClock


def replace(houses: Neighbours) -> None:
    """Put a copy in its place, log and all."""
    for suffix in ("", "-wal"):
        draft = houses.file("draft", suffix)
        shutil.copy(houses.file("ann", suffix), draft)
        draft.replace(houses.file("ann", suffix))


def move_folder(houses: Neighbours) -> None:
    houses.path.rename(houses.path.with_name("away"))


HARM: dict[str, Callable[[Neighbours], None]] = {
    "its files removed": lambda houses: houses.remove("ann"),
    "its file removed": lambda houses: houses.remove("ann", ""),
    "its log removed": lambda houses: houses.remove("ann", "-wal"),
    "its folder removed": lambda houses: shutil.rmtree(houses.path),
    "its files moved": lambda houses: houses.move("ann", "away"),
    "its folder moved": move_folder,
    "replaced": replace,
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("kind", STORES)
async def test_nothing_is_acknowledged_into_a_file_that_is_gone(
    kind: str, harm: str, tmp_path: Path, clock: ManualClock
) -> None:
    """The write is refused, the read too, and each ends the incarnation."""
    houses = Neighbours(tmp_path / "data", clock, "ann", kind=kind)
    await houses.open()
    ledger, store = houses.ledgers["ann"], houses.stores["ann"]
    kept = await store.write(ledger.batch(Add(label="1")), handlers())
    assert kept.crash is None
    HARM[harm](houses)
    written = await store.write(ledger.batch(Add(label="2"), Add(label="3")), handlers())
    assert [type(outcome) for outcome in written.outcomes] == [StoreLost] * 2
    assert isinstance(written.crash, StoreLost)
    assert written.culprit is None
    read = await store.read(ledger.batch(Count()), handlers())
    assert [type(outcome) for outcome in read.outcomes] == [StoreLost]
    assert isinstance(read.crash, StoreLost)
    await store.abandon()


async def test_a_file_that_was_put_back_is_the_same_file(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Moved away, noticed, and moved back: the next incarnation has all of it, and no loss."""
    houses = Neighbours(tmp_path / "data", clock, "ann")
    await houses.open()
    ledger = houses.ledgers["ann"]
    await houses.stores["ann"].write(ledger.batch(Add(label="1")), handlers())
    houses.move("ann", "away")
    lost = await houses.stores["ann"].write(ledger.batch(Add(label="2")), handlers())
    assert isinstance(lost.crash, StoreLost)
    await houses.stores["ann"].abandon()
    with pytest.raises(
        StoreLost, match=r"was removed while it was in use, and is gone.*accept-loss"
    ):
        await ledger.open()
    assert not houses.file("ann").exists()
    houses.move("away", "ann")
    await houses.open()
    assert ledger.labels()[0] == "1"
    await houses.close()


@pytest.mark.parametrize("reuse", [False, True], ids=["another inode", "any inode"])
async def test_an_older_copy_put_in_place_under_the_process_is_not_opened(
    tmp_path: Path, clock: ManualClock, *, reuse: bool
) -> None:
    """Whether or not it happens to have the number of the file that is gone."""
    houses = Neighbours(tmp_path / "data", clock, "ann")
    await houses.open()
    await houses.close()
    shutil.copy(houses.file("ann"), tmp_path / "older")
    await houses.boot()
    ledger = houses.ledgers["ann"]
    await houses.stores["ann"].write(ledger.batch(Add(label="1")), handlers())
    await houses.stores["ann"].abandon()
    if reuse:
        houses.file("ann").write_bytes((tmp_path / "older").read_bytes())
    else:
        houses.restore("ann", tmp_path / "older")
    with pytest.raises(StoreLost):
        await ledger.open()
    assert houses.file("ann").read_bytes() == (tmp_path / "older").read_bytes()
