"""A store that cannot write: it says no to what is new, and never to what was done."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from actors.errors import StoreCorrupt, StoreUnwritable
from actors.store import opening
from tests.store.ledger import STORES, Add, Ledger, handlers, writer_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=STORES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """The test's service, once on each kind of store."""
    return Ledger(request.param, tmp_path)


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be opened for writing any more."""

    def full(*_: object) -> None:
        raise StoreUnwritable("ledger.db: disk is full; nothing was kept: free some disk space")

    monkeypatch.setattr(opening, "open_writer", full)


async def test_who_was_served_is_not_told_that_nothing_was_kept(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command whose incarnation died unheard, and a client's key, get their first reply."""
    batch = [ledger.envelope(Add(label="1")), ledger.envelope(Add(label="2"), key="k")]
    store = await ledger.open()
    first = await store.write(batch, handlers())
    await store.abandon()
    fill_disk(monkeypatch)
    batch[0].started = True  # as its mailbox does
    async with ledger.opened() as degraded:
        again = await degraded.write([*batch, ledger.envelope(Add(label="3"))], handlers())
    assert again.outcomes[:2] == first.outcomes
    assert isinstance(again.outcomes[2], StoreUnwritable)
    assert ledger.labels() == ["1", "2"]


async def test_who_was_served_is_told_so_by_a_batch_that_finds_the_disk_full(
    ledger: Ledger,
) -> None:
    """Its neighbours are refused, wherever in the batch it stands; with room they are served."""
    async with ledger.opened() as store:
        repeat = ledger.envelope(Add(label="1"), key="k")
        first = await store.write([repeat], handlers())
        (pages,) = writer_of(store).execute("PRAGMA page_count").fetchone()
        writer_of(store).execute(f"PRAGMA max_page_count = {pages}")
        large = ledger.envelope(Add(label="x" * 100_000))
        for batch in ([repeat, large], [large, repeat], [large, repeat, large]):
            told = (await store.write(batch, handlers())).outcomes
            for envelope, outcome in zip(batch, told, strict=True):
                if envelope is repeat:
                    assert outcome == first.outcomes[0]
                else:
                    assert isinstance(outcome, StoreUnwritable)
        assert ledger.labels() == ["1"]


async def test_a_file_that_is_known_to_be_damaged_is_not_read_either(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where damage was seen, an open looks for it before it serves, with room or without."""
    async with ledger.opened() as store:
        await store.write(ledger.batch(Add(label="1")), handlers())
    path = ledger.spec.path
    with closing(sqlite3.connect(path)) as connection:
        ((offset,),) = connection.execute(
            "SELECT (rootpage - 1) * page_size FROM sqlite_schema, pragma_page_size"
            " WHERE name = 'entry'"
        ).fetchall()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 64)
    fill_disk(monkeypatch)
    with pytest.raises(StoreCorrupt, match=r"ledger\.db is damaged"):
        await ledger.open(verify=True)
