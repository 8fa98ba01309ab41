"""What migrations promise: all or nothing, in order, unaltered, STRICT, or refused by name."""

from __future__ import annotations

import hashlib
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.config import load_config
from actors.errors import SchemaError, StoreRefused
from actors.store.files import migrations as module
from actors.store.files.migrations import load_migrations, migrate
from actors.store.files.sqlite_file import open_reader, open_writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

CONFIG = load_config().store
STORE_SCHEMA = Path(module.__file__).parents[1] / "schema"
ROOM = "CREATE TABLE room (id TEXT PRIMARY KEY) STRICT;"
NIGHT = "CREATE TABLE night (room TEXT NOT NULL REFERENCES room(id), day INTEGER) STRICT;"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for migrations."""
    (tmp_path / "schema").mkdir()
    return tmp_path / "schema"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A writer on a new store."""
    with closing(open_writer(tmp_path / "room.db", CONFIG)) as opened:
        yield opened


def write(folder: Path, *texts: str) -> None:
    """Make the folder's files 0001_step.sql, 0002_step.sql ... hold `texts`."""
    for number, text in enumerate(texts, start=1):
        (folder / f"{number:04}_step.sql").write_text(text, encoding="utf-8")


def dump(connection: sqlite3.Connection) -> list[str]:
    """Return everything in the database as SQL."""
    return list(connection.iterdump())


def test_only_pending_migrations_are_applied(folder: Path, connection: sqlite3.Connection) -> None:
    """Each runs once, in order, is recorded with its time, and leaves foreign keys on."""
    write(folder, ROOM)
    assert migrate(connection, "room", load_migrations(folder), now_us=5) == 1
    write(folder, ROOM, NIGHT, "INSERT INTO room VALUES ('sea view');")
    assert migrate(connection, "room", load_migrations(folder), now_us=6) == 2
    assert migrate(connection, "room", load_migrations(folder), now_us=7) == 0
    recorded = connection.execute("SELECT schema, number, name, applied_us FROM migration")
    assert recorded.fetchall() == [
        ("room", 1, "0001_step.sql", 5),
        ("room", 2, "0002_step.sql", 6),
        ("room", 3, "0003_step.sql", 6),
    ]
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert not connection.in_transaction


def test_a_files_checksum_is_that_of_earlier_versions(
    folder: Path, connection: sqlite3.Connection
) -> None:
    """Of its text with the blanks around it, so that they can open what this one has made."""
    write(folder, f"\n{ROOM}\n")
    migrate(connection, "room", load_migrations(folder), now_us=5)
    migrate(connection, "store", load_migrations(STORE_SCHEMA)[:1], now_us=5)
    noted = dict(connection.execute("SELECT schema, checksum FROM migration").fetchall())
    assert noted["room"] == hashlib.sha256(f"\n{ROOM}\n".encode()).hexdigest()
    assert noted["store"] == "f3ac26682483934c5e44f4c893ca98bd5c68f8bec2b4f03f34de338b7ff88adf"


def test_a_file_is_known_by_its_text_without_the_blanks_around_it(
    folder: Path, connection: sqlite3.Connection
) -> None:
    """What was applied as a class's own text is no other for having moved into a file."""
    migrate(connection, "room", load_migrations(f"  {ROOM}"), now_us=5)
    write(folder, f"\n{ROOM}\n")
    assert migrate(connection, "room", load_migrations(folder), now_us=6) == 0


def test_the_stores_own_schema_shares_a_file_with_a_services(
    folder: Path, connection: sqlite3.Connection
) -> None:
    """Two schemas number their migrations apart; the store's begins at epoch 0."""
    write(folder, ROOM)
    own = load_migrations(STORE_SCHEMA)
    assert migrate(connection, "store", own, now_us=1) == len(own)
    assert migrate(connection, "room", load_migrations(folder), now_us=1) == 1
    assert connection.execute("SELECT id, value FROM epoch").fetchall() == [(1, 0)]
    for table in ("client_key", "edge_key", "dead_letter", "room"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize(
    "bad",
    [
        "BEGIN;",
        "COMMIT;",
        "END TRANSACTION;",
        "/**/ RoLlBaCk;",
        "SAVEPOINT a;",
        "RELEASE a;",
        "PRAGMA foreign_keys = OFF;",
        "PRAGMA journal_mode = DELETE;",
        "ATTACH ':memory:' AS other;",
        "DETACH main;",
        "VACUUM;",
        "CREATE TEMP TABLE scratch (a TEXT);",
        "DELETE FROM migration;",
        "INSERT INTO Migration VALUES ('room', 9, 'x', 'y', 0);",
        "DROP TABLE migration;",
        "ALTER TABLE migration RENAME TO elsewhere;",
        "INSERT INTO room VALUES ('sea view');",
        "INSERT OR ROLLBACK INTO room VALUES ('sea view');",
        "CREATE TABLE broken (a TEXT STRICT;",
        "SELECT load_extension('x');",
    ],
)
def test_failure_names_file_and_statement_and_rolls_everything_back(
    folder: Path, connection: sqlite3.Connection, bad: str
) -> None:
    """A wrong or forbidden statement undoes every pending migration, those before it included."""
    before = dump(connection)
    write(folder, ROOM + "INSERT INTO room VALUES ('sea view');", f"{NIGHT}\n\n{bad}")
    with pytest.raises(SchemaError) as failure:
        migrate(connection, "room", load_migrations(folder), now_us=1)
    assert "0002_step.sql:3: " in str(failure.value)
    assert bad.removeprefix("/**/ ") in str(failure.value)
    assert dump(connection) == before
    assert not connection.in_transaction
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    connection.execute("CREATE TEMP TABLE the_authorizer_is_gone (a TEXT)")


def test_table_that_is_not_strict_is_refused_by_name(
    folder: Path, connection: sqlite3.Connection
) -> None:
    """A lax table is refused; full-text and statistics tables, which cannot be strict, are not."""
    write(
        folder,
        "CREATE VIRTUAL TABLE words USING fts5(text); INSERT INTO words VALUES ('a');"
        "SELECT * FROM words WHERE words MATCH 'a';"
        "CREATE TABLE n (id INTEGER PRIMARY KEY AUTOINCREMENT) STRICT; ANALYZE;"
        "CREATE VIEW v AS SELECT 1;"
        "ALTER TABLE n ADD COLUMN size INTEGER NOT NULL DEFAULT 0 CHECK (size >= 0);",
    )
    assert migrate(connection, "room", load_migrations(folder), now_us=1) == 1
    (folder / "0002_lax.sql").write_text("CREATE TABLE guest (name TEXT);")
    with pytest.raises(SchemaError, match=r"0002_lax\.sql: table guest is not STRICT"):
        migrate(connection, "room", load_migrations(folder), now_us=1)
    assert connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'guest'").fetchall() == []


def test_newer_altered_or_incomplete_schema_is_refused(
    folder: Path, connection: sqlite3.Connection
) -> None:
    """A file this program did not write is left as it is, with a message that says which it is."""
    write(folder, ROOM, NIGHT, "SELECT 3;")
    loaded = load_migrations(folder)
    migrate(connection, "room", loaded, now_us=1)
    with pytest.raises(SchemaError, match=r"is at 0003_step\.sql, but this program ends at 0002"):
        migrate(connection, "room", loaded[:2], now_us=2)
    write(folder, ROOM, NIGHT + "--")
    with pytest.raises(SchemaError, match=r"0002_step\.sql was altered after it was applied"):
        migrate(connection, "room", load_migrations(folder), now_us=2)
    connection.execute("DELETE FROM migration WHERE number = 2")
    with pytest.raises(SchemaError, match=r"lacks 0002_step\.sql but has 0003_step\.sql"):
        migrate(connection, "room", loaded, now_us=2)


def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(
    folder: Path, connection: sqlite3.Connection
) -> None:
    """Dropping a parent in a rebuild neither cascades nor fails; orphans left behind do fail."""
    rows = "INSERT INTO room VALUES ('sea view'); INSERT INTO night VALUES ('sea view', 1);"
    rebuild = """
        CREATE TABLE room_new (id TEXT PRIMARY KEY, floor INTEGER NOT NULL DEFAULT 0) STRICT;
        INSERT INTO room_new (id) SELECT id FROM room;
        DROP TABLE room;
        ALTER TABLE room_new RENAME TO room;
    """
    cascade = NIGHT.replace("room(id)", "room(id) ON DELETE CASCADE")
    write(folder, ROOM + cascade + rows)
    migrate(connection, "room", load_migrations(folder), now_us=1)
    write(folder, ROOM + cascade + rows, rebuild)
    migrate(connection, "room", load_migrations(folder), now_us=2)
    assert connection.execute("SELECT room, day FROM night").fetchall() == [("sea view", 1)]
    before = dump(connection)
    write(folder, ROOM + cascade + rows, rebuild, "DELETE FROM room;")
    with pytest.raises(SchemaError, match="leaves row 1 of night referring to no room"):
        migrate(connection, "room", load_migrations(folder), now_us=3)
    assert dump(connection) == before


def test_racing_openers_apply_each_migration_once(folder: Path, tmp_path: Path) -> None:
    """Of several openers of a new file exactly one migrates it and the others find it done."""
    write(folder, ROOM, NIGHT)
    loaded = load_migrations(folder)
    racers = 6
    barrier = threading.Barrier(racers)
    applied: list[int] = []

    def race() -> None:
        barrier.wait()
        with closing(open_writer(tmp_path / "race.db", CONFIG)) as opened:
            applied.append(migrate(opened, "room", loaded, now_us=1))

    threads = [threading.Thread(target=race) for _ in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [0] * (racers - 1) + [len(loaded)]


def test_current_schema_needs_no_lock(
    folder: Path, connection: sqlite3.Connection, tmp_path: Path
) -> None:
    """A reopen does not wait for a dead incarnation's open transaction, nor need to write."""
    write(folder, ROOM)
    loaded = load_migrations(folder)
    migrate(connection, "room", loaded, now_us=1)
    connection.execute("BEGIN IMMEDIATE")
    impatient = msgspec.structs.replace(CONFIG, busy_s_max=0.0)
    with closing(open_writer(tmp_path / "room.db", impatient)) as second:
        assert migrate(second, "room", loaded, now_us=2) == 0
        write(folder, ROOM, NIGHT)
        with pytest.raises(StoreRefused, match="busy_s_max"):
            migrate(second, "room", load_migrations(folder), now_us=2)
    connection.execute("ROLLBACK")


def test_disk_trouble_is_not_blamed_on_the_migration(
    folder: Path, connection: sqlite3.Connection, tmp_path: Path
) -> None:
    """A full or read-only database is StoreRefused, and nothing is half applied."""
    write(folder, ROOM + "INSERT INTO room VALUES (hex(zeroblob(100000)));")
    before = dump(connection)
    connection.execute("PRAGMA max_page_count = 8")
    with pytest.raises(StoreRefused, match="free some disk space"):
        migrate(connection, "room", load_migrations(folder), now_us=1)
    assert dump(connection) == before
    with (
        closing(open_reader(tmp_path / "room.db", CONFIG)) as reader,
        pytest.raises(StoreRefused, match="READONLY"),
    ):
        migrate(reader, "room", load_migrations(folder), now_us=1)
