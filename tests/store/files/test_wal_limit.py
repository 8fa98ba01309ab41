"""The write-ahead log stays within its bounds, whoever reads for how long."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tests.store.ledger import Add, Ledger, handlers

if TYPE_CHECKING:
    from pathlib import Path

KIB = 1024
KEPT_KIB, KIB_MAX = 64, 256
LABEL = "x" * 4000


async def test_a_log_that_a_long_reader_let_grow_is_cut(tmp_path: Path) -> None:
    """While it is read it may only grow; soon after it is small again, and so it stays."""
    ledger = Ledger("inline", tmp_path)
    ledger.limit(wal_checkpoint_pages=10, wal_kept_kib=KEPT_KIB, wal_kib_max=KIB_MAX)
    log = tmp_path / "ledger.db-wal"

    async def write(batches: int) -> None:
        for _ in range(batches):
            await store.write(ledger.batch(Add(label=LABEL)), handlers())

    async with ledger.opened() as store:
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM entry").fetchall()
            await write(200)
            assert log.stat().st_size > 2 * KIB_MAX * KIB
        await write(64)
        assert log.stat().st_size <= KIB_MAX * KIB
        await write(200)
        assert log.stat().st_size <= KIB_MAX * KIB
