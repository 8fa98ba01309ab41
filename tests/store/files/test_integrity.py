"""Every table of a file is looked at after a start, beside the work, and no pass begins twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from actors.errors import StoreCorrupt
from actors.kernel.clock import ManualClock
from actors.store.files.integrity import OWN_TABLES, IntegrityCheck, check_tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLES = {"a", "b b", 'c"c', "d"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database of four tables, some with names that want quoting."""
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for name in TABLES:
            quoted = name.replace('"', '""')
            connection.execute(f'CREATE TABLE "{quoted}" (id INTEGER PRIMARY KEY, t TEXT) STRICT')
            connection.execute(f'CREATE INDEX "{quoted}_t" ON "{quoted}" (t)')
            connection.execute(f"INSERT INTO \"{quoted}\" VALUES (1, 'x'), (2, 'y')")
    return path


@pytest.fixture
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, isolation_level=None)) as opened:
        yield opened


def look_at(check: IntegrityCheck, connection: sqlite3.Connection, count: int = 99) -> list[str]:
    """Look at up to `count` tables; return which."""
    seen: list[str] = []
    while len(seen) < count and (table := check.next_table(connection)):
        check.look_at(connection, table)
        seen.append(table)
    return seen


def spoil(file: Path, table: str) -> None:
    """Take an entry out of the table's index behind SQLite's back."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, '(t)', '(t) WHERE t = ''x''')"
            " WHERE name = ?",
            (f"{table}_t",),
        )


def test_every_table_is_looked_at_once(file: Path, connection: sqlite3.Connection) -> None:
    """The schema's too; a pass that is over begins again only after damage was seen."""
    check = IntegrityCheck(file, ManualClock())
    assert sorted(look_at(check, connection)) == sorted({*TABLES, "sqlite_schema"})
    assert check.is_done()
    assert look_at(check, connection) == []
    check.again()
    assert not check.is_done()
    assert len(look_at(check, connection)) == len(TABLES) + 1


def test_what_the_open_has_looked_at_is_left_out(
    file: Path, connection: sqlite3.Connection
) -> None:
    """Until damage is seen; to the next process it was found whole, as what came after it."""
    connection.execute("CREATE TABLE epoch (value INTEGER) STRICT")
    clock = ManualClock()
    check = IntegrityCheck(file, clock)
    check.opened()
    assert sorted(look_at(check, connection, 4)) == sorted({*TABLES})
    clock.advance(2.0)
    assert look_at(check, connection) == ["sqlite_schema"]
    assert check.suspects(connection) == []
    assert look_at(IntegrityCheck(file, clock), connection)[0] == "epoch"
    check.again()
    assert "epoch" in look_at(check, connection)


def test_the_next_incarnation_goes_on(file: Path, connection: sqlite3.Connection) -> None:
    """What one has looked at the next leaves out, on a connection of its own."""
    check = IntegrityCheck(file, ManualClock())
    first = look_at(check, connection, 2)
    with closing(sqlite3.connect(file)) as another:
        rest = look_at(check, another)
    assert len(first) == 2
    assert sorted(first + rest) == sorted({*TABLES, "sqlite_schema"})


def test_the_next_process_begins_where_the_last_was_killed(
    file: Path, connection: sqlite3.Connection
) -> None:
    """It looks at everything, and first at what was left out: no table is always the last."""
    clock = ManualClock()
    check = IntegrityCheck(file, clock)
    first = []
    for _ in range(3):
        clock.advance(2.0)
        clock.step(-400 * 86_400.0)  # whatever the wall clock says
        first += look_at(check, connection, 1)
    clock.advance(2.0)
    second = look_at(IntegrityCheck(file, clock), connection)
    assert len(second) == len(TABLES) + 1
    assert second[-3:] == first
    assert not set(first) & set(second[:2])


def test_damage_is_named_and_its_table_the_first_suspect(file: Path) -> None:
    """The error names file and index; the table never counts as looked at, however often it was."""
    clock = ManualClock()
    check = IntegrityCheck(file, clock)
    with closing(sqlite3.connect(file)) as connection:
        while table := check.next_table(connection):
            clock.advance(2.0)
            check.look_at(connection, table)
        assert check.suspects(connection) == []
    spoil(file, "b b")
    check.again()
    with closing(sqlite3.connect(file)) as connection:
        with pytest.raises(StoreCorrupt, match="b b_t") as found:
            look_at(check, connection)
        assert str(file) in str(found.value)
        assert not check.is_done()
        assert check.suspects(connection) == ["b b"]


def test_a_long_story_is_cut(file: Path, connection: sqlite3.Connection) -> None:
    """A message stays readable, however much is wrong."""
    connection.execute("BEGIN")
    for _ in range(100):
        connection.execute("INSERT INTO d (t) VALUES ('y')")
    connection.execute("COMMIT")
    spoil(file, "d")
    with closing(sqlite3.connect(file)) as another, pytest.raises(StoreCorrupt) as found:
        check_tables(another, file, ["d"])
    assert len(str(found.value)) < 1500


def test_the_stores_own_tables_exist(tmp_path: Path) -> None:
    """What an open looks at is what the store's schema makes, `migration` apart."""
    from actors.store.files.migrations import load_migrations, migrate  # noqa: PLC0415
    from actors.store.opening import STORE_MIGRATIONS  # noqa: PLC0415

    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as connection:
        migrate(connection, "store", load_migrations(STORE_MIGRATIONS), now_us=0)
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert set(OWN_TABLES) <= names
