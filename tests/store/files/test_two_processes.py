"""Two processes on one file, as where the data folder's lock was deleted: seen, and kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.errors import Fenced, Irreparable, StoreShared
from actors.store.files.directory_lock import DirectoryLock
from tests.store.ledger import STORES, Add, Added, Count, Ledger, handlers

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.clock import ManualClock


@pytest.mark.parametrize("kind", STORES)
async def test_a_reopened_file_answers_with_no_other_process_s_replies(
    kind: str, tmp_path: Path, clock: ManualClock
) -> None:
    """Both count their messages from 1: what comes again is run, not mistaken for the other's."""
    ours, others = Ledger(kind, tmp_path, clock), Ledger(kind, tmp_path, clock)
    store = await ours.open()
    (first,) = (await store.write(ours.batch(Add(label="ours 1")), handlers())).outcomes
    async with others.opened() as other:  # which fences ours
        kept = await other.write(others.batch(Add(label="a"), Add(label="b")), handlers())
        assert kept.crash is None
    again = ours.batch(Add(label="ours 2"))
    assert isinstance((await store.write(again, handlers())).crash, Fenced)
    await store.abandon()
    again[0].started = True
    async with ours.opened() as store:
        result = await store.write(again, handlers())
    assert first == Added(label="ours 1", count=1)
    assert result.outcomes == [Added(label="ours 2", count=4)]
    assert ours.labels() == ["ours 1", "a", "b", "ours 2"]


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("kind", STORES)
async def test_one_process_s_replies_outlive_its_incarnations(
    kind: str, closed: bool, tmp_path: Path, clock: ManualClock
) -> None:
    """However its stores ended, and whatever epochs that took: a redelivery is not run again."""
    ledger = Ledger(kind, tmp_path, clock)
    batch = ledger.batch(Add(label="once"))
    store = await ledger.open()
    (reply,) = (await store.write(batch, handlers())).outcomes
    for _ in range(3):
        await (store.close() if closed else store.abandon())
        store = await ledger.open()
        batch[0].started = True
        assert (await store.write(batch, handlers())).outcomes == [reply]
    await store.close()
    assert ledger.labels() == ["once"]


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("kind", STORES)
async def test_nothing_is_acknowledged_without_the_folder_s_lock(
    kind: str, replaced: bool, tmp_path: Path, clock: ManualClock
) -> None:
    """Where the file `lock` is gone, or another: each batch is refused, and no restart helps."""
    ledger = Ledger(kind, tmp_path, clock)
    with DirectoryLock(tmp_path).acquire(holder="first") as lock:
        ledger.limit(lock=lock)
        store = await ledger.open()
        assert (await store.write(ledger.batch(Add(label="1")), handlers())).crash is None
        (tmp_path / "lock").unlink()
        if replaced:
            (tmp_path / "lock").touch()
        for result in (
            await store.write(ledger.batch(Add(label="2")), handlers()),
            await store.read(ledger.batch(Count()), handlers()),
        ):
            assert [type(outcome) for outcome in result.outcomes] == [StoreShared]
            assert isinstance(result.crash, Irreparable)
            assert "a second process may be using the folder" in str(result.crash)
        await store.abandon()
        with pytest.raises(StoreShared):
            await ledger.open()
    assert ledger.labels() == ["1"]
