"""A store that cannot write says no to what is new, and never to what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.errors import StoreUnwritable
from actors.store import opening
from tests.store.ledger import STORES, Add, Ledger, handlers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", STORES)
async def test_who_was_served_is_not_told_that_nothing_was_kept(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command whose incarnation died unheard, and a client's key, get their first reply."""
    ledger = Ledger(kind, tmp_path)
    batch = [ledger.envelope(Add(label="1")), ledger.envelope(Add(label="2"), key="k")]
    store = await ledger.open()
    first = await store.write(batch, handlers())
    await store.abandon()

    def full(*_: object) -> None:
        raise StoreUnwritable("ledger.db: disk is full; nothing was kept: free some disk space")

    monkeypatch.setattr(opening, "open_writer", full)
    batch[0].started = True  # as its mailbox does
    async with ledger.opened() as degraded:
        again = await degraded.write([*batch, ledger.envelope(Add(label="3"))], handlers())
    assert again.outcomes[:2] == first.outcomes
    assert isinstance(again.outcomes[2], StoreUnwritable)
    assert ledger.labels() == ["1", "2"]
