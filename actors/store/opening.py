"""What both stores do to open a service's file."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.errors import PastLost, SchemaError, StoreLost, StoreRefused, StoreUnwritable
from actors.store.files.integrity import OWN_TABLES, IntegrityCheck, check_tables
from actors.store.files.migrations import load_migrations, migrate, pending_migrations
from actors.store.files.sqlite_file import open_without_room, open_writer, translate, verify
from actors.store.group_commit import GroupCommit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.config import StoreConfig
    from actors.kernel.clock import Clock
    from actors.kernel.rng import Rng
    from actors.store.files.migrations import Migration
    from actors.store.group_commit import Run
    from actors.store.store import StoreSpec

# A step of SQLite's machine takes some ten nanoseconds: often enough to be seen to get on.
STEP_INSTRUCTIONS: Final = 100_000

STORE_MIGRATIONS = Path(__file__).parent / "schema"


def open_for_writing(  # noqa: PLR0913 - all that an open needs, of two kinds of store
    spec: StoreSpec,
    config: StoreConfig,
    *,
    clock: Clock,
    rng: Rng,
    run: Run,
    abandoned: Callable[[], bool],
    verified: bool,
    first: bool,
    step: Callable[[], bool],
    connect: Callable[[Path, StoreConfig], sqlite3.Connection] | None = None,
) -> tuple[sqlite3.Connection, GroupCommit]:
    """Open, check if `verified`, migrate and take the epoch. Raises StoreError.

    `first` marks the process's first open: only then are the migrations looked at, and the keys of
    an earlier process forgotten. One that was `abandoned` meanwhile does not take the epoch.
    `step` is called again and again while it gets on, and says when it is not to. The file
    itself is opened by `connect`, where there is one.
    """
    admission = None
    if spec.folder is not None:
        try:
            admission = spec.folder.admit(spec.name, first=first)
        except StoreUnwritable as error:
            # Not to be read alone either: nobody knows whose it is.
            raise StoreRefused(str(error)) from error
        except StoreLost as error:
            raise PastLost(str(error)) from error
        first = admission.first
    elif not first and not spec.path.exists():
        # Not to be papered over with an empty store: what it held was acknowledged.
        message = f"{spec.path} was removed while it was in use; put it back"
        raise StoreLost(message)
    # After what is missing, as it is with all of the folder.
    if spec.lock is not None:
        spec.lock.check()
    connection = (connect or open_writer)(spec.path, config)
    try:
        connection.row_factory = sqlite3.Row
        connection.set_progress_handler(step, STEP_INSTRUCTIONS)
        if verified:
            # The likeliest first: a parked service looks again and again.
            suspects = IntegrityCheck(spec.path, clock).suspects(connection)
            check_tables(connection, spec.path, suspects)
            verify(connection)
        if first:
            now_us = clock.now_us()
            migrate(connection, "store", store_migrations(), now_us=now_us)
            with _schema_of(spec):
                migrate(connection, spec.name, load_migrations(spec.migrations), now_us=now_us)
            check_tables(connection, spec.path, OWN_TABLES)
        commit = GroupCommit(
            connection, spec, config, clock=clock, rng=rng, run=run, abandoned=abandoned
        )
        commit.open(admission, first=first)
        connection.set_progress_handler(None, 0)
    except sqlite3.Error as error:
        _discard(connection)
        raise translate(error, spec.path) or StoreRefused(f"{spec.path}: {error}") from error
    except BaseException:
        _discard(connection)
        raise
    return connection, commit


@cache
def store_migrations() -> tuple[Migration, ...]:
    """Return the store's own, which stay what they are for as long as this program runs."""
    return load_migrations(STORE_MIGRATIONS)


@contextmanager
def _schema_of(spec: StoreSpec) -> Iterator[None]:
    """Whoever reads that a schema is refused wants to know where it is written."""
    try:
        yield
    except SchemaError as error:
        raise SchemaError(f"{spec.owner or spec.name}: {error}") from error


def _discard(connection: sqlite3.Connection) -> None:
    """Close it, and give up its lock: closing alone does not while a traceback keeps a cursor."""
    with closing(connection), suppress(sqlite3.Error):
        connection.rollback()


def open_degraded(
    spec: StoreSpec,
    config: StoreConfig,
    why: StoreUnwritable,
    *,
    verified: bool,
    step: Callable[[], bool],
) -> sqlite3.Connection:
    """Open for reading alone, where the file cannot be written. Raises `why` where that is no use.

    Nothing is migrated and no epoch taken: who commits nothing needs none. Check first if
    `verified`: damage that was seen is no better on a full disk. Raises StoreCorrupt.
    """
    try:
        connection = open_without_room(spec.path, config)
    except StoreRefused:
        raise why from None
    try:
        connection.row_factory = sqlite3.Row
        with _schema_of(spec):
            own = load_migrations(spec.migrations)
            for name, migrations in (("store", store_migrations()), (spec.name, own)):
                if pending_migrations(connection, name, migrations):
                    raise why  # noqa: TRY301 - handlers expect the schema they were written for
        if verified:
            connection.set_progress_handler(step, STEP_INSTRUCTIONS)
            verify(connection)
            connection.set_progress_handler(None, 0)
    except BaseException:
        connection.close()
        raise
    return connection
