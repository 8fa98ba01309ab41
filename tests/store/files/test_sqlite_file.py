"""What opening promises: settings that hold, and a typed error for every file that is no store."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.config import StoreConfig, load_config
from actors.errors import StoreCorrupt, StoreRefused
from actors.store.files.sqlite_file import (
    database_path,
    open_reader,
    open_writer,
    translate,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = load_config().store
OPENERS = [open_writer, open_reader]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store file with one row, closed."""
    path = tmp_path / "room.db"
    with closing(open_writer(path, CONFIG)) as connection:
        connection.execute("CREATE TABLE room (id TEXT PRIMARY KEY) STRICT")
        connection.execute("INSERT INTO room VALUES ('sea view')")
    return path


def pragma(connection: sqlite3.Connection, name: str) -> object:
    """Return what the connection says about itself."""
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize("opener", OPENERS)
def test_connection_has_the_durable_and_defensive_settings(
    store: Path, opener: Callable[[Path, StoreConfig], sqlite3.Connection]
) -> None:
    """Every connection is in WAL mode, synced in full, with foreign keys and the limits on."""
    with closing(opener(store, CONFIG)) as connection:
        assert {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "busy_timeout": int(CONFIG.busy_s_max * 1000),
            "cache_size": -CONFIG.cache_kib,
            "wal_autocheckpoint": CONFIG.wal_checkpoint_pages,
            "trusted_schema": 0,
            "cell_size_check": 1,
            "query_only": int(opener is open_reader),
        } == {
            name: pragma(connection, name)
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "busy_timeout",
                "cache_size",
                "wal_autocheckpoint",
                "trusted_schema",
                "cell_size_check",
                "query_only",
            )
        }
        assert connection.isolation_level is None
        assert database_path(connection) == store


def test_new_store_is_private_and_leaves_no_draft(tmp_path: Path) -> None:
    """A new file and its WAL are readable by their owner alone, and nothing else is left behind."""
    path = tmp_path / "room.db"
    with closing(open_writer(path, CONFIG)) as connection:
        connection.execute("CREATE TABLE room (id TEXT) STRICT")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"room.db": 0o600, "room.db-wal": 0o600, "room.db-shm": 0o600}
    assert [file.name for file in tmp_path.iterdir()] == ["room.db"]


@pytest.mark.parametrize("name", ["a?mode=memory.db", "b#c.db", "per%20cent.db", "zimmer ü.db"])
def test_any_file_name_is_taken_literally(tmp_path: Path, name: str) -> None:
    """A file name that looks like part of an address is still only a file name."""
    with closing(open_writer(tmp_path / name, CONFIG)) as connection:
        connection.execute("CREATE TABLE room (id TEXT) STRICT")
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("content", [b"", b"x", b"no database\n" * 1000, bytes(8192)])
def test_file_that_is_no_store_is_corrupt(
    tmp_path: Path, opener: Callable[[Path, StoreConfig], sqlite3.Connection], content: bytes
) -> None:
    """Another file, and an empty one above all, is never taken for a new store, nor touched."""
    path = tmp_path / "room.db"
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"room\.db.*restore a backup"):
        opener(path, CONFIG)
    assert path.read_bytes() == content


@pytest.mark.parametrize("opener", OPENERS)
def test_place_that_cannot_hold_a_store_is_refused(
    tmp_path: Path, opener: Callable[[Path, StoreConfig], sqlite3.Connection]
) -> None:
    """A folder, a pipe, a loop of links, a missing or impossible parent: refused by name."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for place in ("folder", "pipe", "loop", "missing/room.db", "file/room.db", "n" * 300):
        with pytest.raises(StoreRefused, match=place.split("/", maxsplit=1)[0]):
            opener(tmp_path / place, CONFIG)
    assert not (tmp_path / "missing").exists()


def test_reader_creates_nothing(tmp_path: Path) -> None:
    """A reader of a store that does not exist is refused and does not make one."""
    with pytest.raises(StoreRefused, match=r"room\.db"):
        open_reader(tmp_path / "room.db", CONFIG)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opener", OPENERS)
def test_file_without_permission_is_refused(
    store: Path,
    opener: Callable[[Path, StoreConfig], sqlite3.Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Missing permission is reported at open and not at the first commit."""
    # Tests may run as root, whom chmod does not bind: so the system's answer is replaced.
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(StoreRefused, match="writable for this user"):
        opener(store, CONFIG)


def test_write_through_a_reader_is_the_callers_fault(store: Path) -> None:
    """A query that writes fails, keeps nothing, and is not blamed on the disk."""
    with closing(open_reader(store, CONFIG)) as connection:
        with pytest.raises(sqlite3.OperationalError) as failure:
            connection.execute("DELETE FROM room")
        assert translate(failure.value, store, reading=True) is None
        assert connection.execute("SELECT id FROM room").fetchall() == [("sea view",)]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO room VALUES ('sea view')",
        "INSERT INTO room VALUES (x'00')",
        "SELECT nothing FROM room",
        "SELEC",
        "INSERT INTO room VALUES (?)",
        "SELECT CAST(x'ff' AS TEXT)",
        "SELECT abs(-9223372036854775808)",
    ],
)
def test_handlers_own_mistake_is_not_translated(store: Path, sql: str) -> None:
    """Constraint, type, name, syntax, binding, text and overflow errors remain what they were."""
    with closing(open_writer(store, CONFIG)) as connection:
        with pytest.raises(sqlite3.Error) as failure:
            connection.execute(sql).fetchall()
        assert translate(failure.value, store) is None


def test_interrupt_is_not_translated(store: Path) -> None:
    """An interrupted statement is the handler's budget, not the disk."""
    with closing(open_writer(store, CONFIG)) as connection:
        connection.create_function("stop", 0, connection.interrupt)
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        with pytest.raises(sqlite3.OperationalError, match="interrupted") as failure:
            connection.execute(f"{endless} SELECT count(*), stop() FROM n WHERE stop() IS NULL")
        assert translate(failure.value, store) is None


def test_lock_held_too_long_is_refused(store: Path) -> None:
    """A second writer that waited in vain gets an error that says so."""
    impatient = msgspec.structs.replace(CONFIG, busy_s_max=0.0)
    with (
        closing(open_writer(store, CONFIG)) as first,
        closing(open_writer(store, impatient)) as second,
    ):
        first.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as failure:
            second.execute("BEGIN IMMEDIATE")
        assert isinstance(refused := translate(failure.value, store), StoreRefused)
        assert "busy_s_max" in str(refused)


@pytest.mark.real_time
def test_opening_again_drops_no_lock_of_this_process(store: Path) -> None:
    """A second open, checks included, leaves the first connection's locks: its WAL survives."""
    strangers_visit = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
    strangers_visit += "print(c.execute('SELECT count(*) FROM room').fetchone()[0]); c.close()"
    with closing(open_writer(store, CONFIG)) as first:
        first.execute("INSERT INTO room VALUES ('garden view')")
        open_writer(store, CONFIG).close()
        with pytest.raises(StoreRefused):
            open_writer(store / "room.db", CONFIG)
        # Were the lock gone, this process would think itself the last one and delete the WAL.
        answer = subprocess.run(
            [sys.executable, "-c", strangers_visit, str(store)], capture_output=True, check=True
        )
        assert answer.stdout.strip() == b"2"
        assert store.with_name("room.db-wal").exists()
        first.execute("INSERT INTO room VALUES ('back yard')")
    with closing(open_reader(store, CONFIG)) as connection:
        assert connection.execute("SELECT count(*) FROM room").fetchone() == (3,)


def test_verify_accepts_a_sound_store(store: Path) -> None:
    """A sound file raises nothing, through either kind of connection."""
    for opener in OPENERS:
        with closing(opener(store, CONFIG)) as connection:
            verify(connection)


def test_verify_finds_a_reference_to_nothing(store: Path) -> None:
    """A row whose parent has vanished is corruption, with the table and the row in the message."""
    with closing(open_writer(store, CONFIG)) as connection:
        connection.execute("CREATE TABLE night (room TEXT REFERENCES room(id)) STRICT")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("INSERT INTO night VALUES ('no such room')")
        with pytest.raises(StoreCorrupt, match=r"row 1 of night .* room.*-wal \(keep it"):
            verify(connection)


@pytest.mark.parametrize("value", [b"bytes", None])
def test_bytes_and_nothing_are_bound_as_they_are(value: bytes | None) -> None:
    """No adapter is looked for in them, which would cost more than to bind them."""
    assert (type(value), sqlite3.PrepareProtocol) in sqlite3.adapters
    with closing(sqlite3.connect(":memory:")) as connection:
        (found,) = connection.execute("SELECT ?", (value,)).fetchone()
    assert found == value
