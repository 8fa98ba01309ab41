"""How the rival's connections commit: as ours do. Set on each, and looked up on each."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.config import load_config

if TYPE_CHECKING:
    from collections.abc import Callable

STORE = load_config().store
# journal_mode comes first: the others mean something else without a log.
PRAGMAS: dict[str, str | int] = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL
    "cache_size": -STORE.cache_kib,
    "wal_autocheckpoint": STORE.wal_checkpoint_pages,
}


def set_pragmas(connection: Any, _record: Any = None) -> None:
    """Set them on a connection of sqlite3's; a listener to SQLAlchemy's `connect`."""
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name} = {value}")


def check_pragmas(read: Callable[[str], str | int]) -> None:
    """Raise AssertionError where `read` finds another value than was set."""
    found = {name: read(f"PRAGMA {name}") for name in PRAGMAS}
    assert found == PRAGMAS, f"set {PRAGMAS}, found {found}"


def engine_pragmas(engine: Any, connections: int) -> None:
    """Check that many of an engine's pooled connections, all of them out at once."""
    with ExitStack() as stack:
        for connection in [stack.enter_context(engine.connect()) for _ in range(connections)]:
            check_pragmas(partial(_scalar, connection))


def _scalar(connection: Any, sql: str) -> Any:
    return connection.exec_driver_sql(sql).scalar()


def in_words() -> str:
    """Say it in one line."""
    return ", ".join(f"{name}={value}" for name, value in PRAGMAS.items())
