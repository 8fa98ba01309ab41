"""What both stores do to open a service's file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from actors.errors import StoreLost, StoreRefused
from actors.store.connection import open_writer, translate, verify
from actors.store.group_commit import GroupCommit
from actors.store.migrations import load_migrations, migrate

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.config import StoreConfig
    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.store.group_commit import Run
    from actors.store.store import StoreSpec

STORE_MIGRATIONS = Path(__file__).parent / "schema"


def open_for_writing(
    spec: StoreSpec,
    config: StoreConfig,
    *,
    clock: Clock,
    rng: Rng,
    run: Run,
    abandoned: Callable[[], bool],
    verified: bool,
    first: bool,
) -> tuple[sqlite3.Connection, GroupCommit]:
    """Open, check if `verified`, migrate and take the epoch. Raises StoreError.

    `first` marks the process's first open: only then are the migrations looked at, and the keys of
    an earlier process forgotten. One that was `abandoned` meanwhile does not take the epoch.
    """
    admission = None
    if spec.folder is not None:
        admission = spec.folder.admit(spec.name, first=first)
        first = admission.first
    elif not first and not spec.path.exists():
        # Not to be papered over with an empty store: what it held was acknowledged.
        message = f"{spec.path} was removed while it was in use; put it back"
        raise StoreLost(message)
    connection = open_writer(spec.path, config)
    try:
        connection.row_factory = sqlite3.Row
        if verified:
            verify(connection)
        if first:
            now_us = clock.now_us()
            migrate(connection, "store", load_migrations(STORE_MIGRATIONS), now_us=now_us)
            migrate(connection, spec.name, load_migrations(spec.migrations), now_us=now_us)
        commit = GroupCommit(
            connection, spec, config, clock=clock, rng=rng, run=run, abandoned=abandoned
        )
        commit.take_epoch(first=first, admission=admission)
    except sqlite3.Error as error:
        connection.close()
        raise translate(error, spec.path) or StoreRefused(f"{spec.path}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection, commit
