"""What survives a damaged disk: a prefix of the commits or a clear error, never half a commit."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.config import load_config
from actors.errors import StoreCorrupt, StoreRefused
from actors.store.files.sqlite_file import open_reader, open_writer, translate, verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# No checkpoint but those the tests ask for.
CONFIG = msgspec.structs.replace(load_config().store, wal_checkpoint_pages=1_000_000)
TABLES = ("guest", "night", "note")
SCHEMA = """
CREATE TABLE guest (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE) STRICT, WITHOUT ROWID;
CREATE TABLE night (
    day INTEGER NOT NULL, guest TEXT NOT NULL REFERENCES guest(id), UNIQUE (day, guest)
) STRICT;
CREATE TABLE note (guest TEXT NOT NULL REFERENCES guest(id), text BLOB NOT NULL) STRICT;
"""
COMMITS = 8
# Of the format (sqlite.org/fileformat2.html): the WAL's header, then frames of header and page.
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
PAGE_BYTES = 4096
FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES

Contents = dict[str, list[tuple[object, ...]]]


class Crashed(NamedTuple):
    """What a crash leaves: the file as last checkpointed, its WAL, and the contents over time."""

    database: bytes
    wal: bytes
    contents: list[Contents]  # before the first commit in the WAL, and after each

    def commits_before(self, offset: int) -> int:
        """Return how many commits lie wholly before `offset` of the WAL."""
        count = 0
        for end in range(WAL_HEADER_BYTES + FRAME_BYTES, len(self.wal) + 1, FRAME_BYTES):
            # The frame that ends a commit carries the size of the database after it.
            mark = self.wal[end - FRAME_BYTES + 4 : end - FRAME_BYTES + 8]
            count += end <= offset and any(mark)
        return count


def contents(connection: sqlite3.Connection) -> Contents:
    """Return every row of every table, the schema's included."""
    rows = {
        table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
        for table in TABLES
    }
    rows["sqlite_schema"] = connection.execute("SELECT * FROM sqlite_schema ORDER BY 2").fetchall()
    return rows


def commit(connection: sqlite3.Connection, number: int) -> None:
    """Write to three tables and their indexes, over more pages each time."""
    connection.execute("BEGIN IMMEDIATE")
    for guest in range(number, number + 3):
        name = f"guest-{number}-{guest}"
        connection.execute("INSERT INTO guest VALUES (?, ?)", (name, f"{name}@example.org"))
        connection.execute("INSERT INTO night VALUES (?, ?)", (guest, name))
        connection.execute("INSERT INTO note VALUES (?, ?)", (name, bytes([guest]) * 700 * number))
    connection.execute("COMMIT")


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Crashed:
    """A store killed with several commits in its WAL and some in its file."""
    path = tmp_path_factory.mktemp("crashed") / "room.db"
    with closing(open_writer(path, CONFIG)) as connection:
        for statement in SCHEMA.strip().split(";\n"):
            connection.execute(statement)
        commit(connection, 1)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        states = [contents(connection)]
        for number in range(2, 2 + COMMITS):
            commit(connection, number)
            states.append(contents(connection))
        wal = path.with_name("room.db-wal").read_bytes()
        # Reading drops this process's locks on the file; nobody else is here to take them.
        return Crashed(path.read_bytes(), wal, states)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a damaged store is put to be opened."""
    return tmp_path_factory.mktemp("damaged") / "room.db"


def reopen(place: Path, database: bytes, wal: bytes = b"") -> Contents:
    """Open the two files as the program would after a crash, verify, and return the contents."""
    for suffix, data in {"": database, "-wal": wal, "-shm": b""}.items():
        file = place.with_name(place.name + suffix)
        file.unlink(missing_ok=True)
        if data or not suffix:
            file.write_bytes(data)
    with closing(open_writer(place, CONFIG)) as connection:
        verify(connection)
        return contents(connection)


def interesting_cuts(length: int) -> Iterator[int]:
    """Yield offsets in the header, around every frame's edges and within every frame."""
    yield from range(WAL_HEADER_BYTES + 1)
    for start in range(WAL_HEADER_BYTES, length, FRAME_BYTES):
        for inside in (1, 4, 8, 23, 24, 25, 536, FRAME_BYTES - 1, FRAME_BYTES):
            yield start + inside


def test_wal_torn_at_any_offset_keeps_exactly_the_whole_commits(
    crashed: Crashed, place: Path
) -> None:
    """A WAL cut anywhere opens without an error, and holds each commit wholly before the cut."""
    assert crashed.commits_before(len(crashed.wal)) == COMMITS
    for cut in interesting_cuts(len(crashed.wal)):
        recovered = reopen(place, crashed.database, crashed.wal[:cut])
        assert recovered == crashed.contents[crashed.commits_before(cut)], f"cut at {cut}"


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_damage_to_the_wal_keeps_exactly_the_commits_before_it(
    crashed: Crashed, place: Path, data: st.DataObject
) -> None:
    """Bytes overwritten anywhere in a WAL end it there: a prefix, and no half of a commit."""
    offset = data.draw(st.integers(0, len(crashed.wal) - 1), label="offset")
    garbage = data.draw(st.binary(min_size=1, max_size=64), label="garbage")
    damaged = bytearray(crashed.wal)
    damaged[offset : offset + len(garbage)] = garbage
    first = next((i for i, byte in enumerate(crashed.wal) if damaged[i] != byte), len(damaged))
    intact = 0 if first < WAL_HEADER_BYTES else crashed.commits_before(first)
    assert reopen(place, crashed.database, bytes(damaged)) == crashed.contents[intact]


@settings(deadline=None, max_examples=40)
@given(garbage=st.binary(max_size=3 * FRAME_BYTES), cut=st.booleans())
def test_garbage_after_the_last_commit_is_ignored(
    crashed: Crashed, place: Path, garbage: bytes, *, cut: bool
) -> None:
    """What a torn write leaves beyond the last commit, old frames included, changes nothing."""
    tail = garbage + (crashed.wal[WAL_HEADER_BYTES + 5 :] if cut else crashed.wal)
    assert reopen(place, crashed.database, crashed.wal + tail) == crashed.contents[-1]


def test_wal_without_its_header_falls_back_to_the_checkpoint(crashed: Crashed, place: Path) -> None:
    """A zeroed header, or any flipped bit of it, voids the WAL as a whole and nothing else."""
    headers = [bytes(WAL_HEADER_BYTES)]
    for position in range(WAL_HEADER_BYTES * 8):
        flipped = bytearray(crashed.wal[:WAL_HEADER_BYTES])
        flipped[position // 8] ^= 1 << position % 8
        headers.append(bytes(flipped))
    for header in headers:
        damaged = header + crashed.wal[WAL_HEADER_BYTES:]
        assert reopen(place, crashed.database, damaged) == crashed.contents[0]


def test_recovered_store_goes_on(crashed: Crashed, place: Path) -> None:
    """After a torn WAL the next commit and the next open work as ever."""
    cut = len(crashed.wal) - 100
    reopen(place, crashed.database, crashed.wal[:cut])
    with closing(open_writer(place, CONFIG)) as connection:
        commit(connection, 30)
        expected = contents(connection)
    with closing(open_reader(place, CONFIG)) as connection:
        verify(connection)
        assert contents(connection) == expected


def checkpointed(crashed: Crashed, place: Path) -> bytes:
    """Return the file with every commit in it and no WAL."""
    assert reopen(place, crashed.database, crashed.wal) == crashed.contents[-1]
    assert not place.with_name("room.db-wal").exists()
    return place.read_bytes()


def differences(found: Contents, expected: Contents) -> int:
    """Return how many values differ; a missing or an additional row counts as many."""
    count = 0
    for table, rows in expected.items():
        if len(found[table]) != len(rows):
            return 1_000_000
        for left, right in zip(found[table], rows, strict=True):
            count += sum(a != b for a, b in zip(left, right, strict=True))
    return count


@pytest.mark.parametrize("every", [199, pytest.param(13, marks=pytest.mark.long)])
def test_flipped_byte_is_an_error_or_confined_to_one_value(
    crashed: Crashed, place: Path, every: int
) -> None:
    """A flip is found, or harmless, or in one value that no index holds: no row ever goes astray.

    SQLite keeps no checksum over its pages, so the third is what `verify` cannot see.
    """
    whole = checkpointed(crashed, place)
    offsets = [*range(100), *range(100, len(whole), every)]
    found = harmless = 0
    for position, offset in enumerate(offsets):
        damaged = bytearray(whole)
        damaged[offset] ^= (0xFF, 0x01, 0x80)[position % 3]
        try:
            recovered = reopen(place, bytes(damaged))
        except StoreCorrupt:
            found += 1
            continue
        differing = differences(recovered, crashed.contents[-1])
        assert differing <= 1, f"flip at {offset}"
        harmless += not differing
    assert found
    assert harmless


def test_flipped_byte_in_an_indexed_value_is_always_found(crashed: Crashed, place: Path) -> None:
    """Every byte of every key that an index holds is guarded by its second copy."""
    whole = checkpointed(crashed, place)
    key = b"guest-5-6@example.org"
    assert whole.count(key) == 2
    start = -1
    while (start := whole.find(key, start + 1)) >= 0:
        for offset in range(start, start + len(key)):
            damaged = bytearray(whole)
            damaged[offset] ^= 0x01
            with pytest.raises(StoreCorrupt, match=r"room\.db"):
                reopen(place, bytes(damaged))


def test_truncated_file_is_always_found(crashed: Crashed, place: Path) -> None:
    """A file cut short anywhere is corrupt, at open or in verification, and is not changed."""
    whole = checkpointed(crashed, place)
    edges = range(0, len(whole), PAGE_BYTES)
    cuts = {16, 99, 100, 101, 511, 512, 513, 1024, len(whole) - 1}
    cuts |= {edge + near for edge in edges for near in (-1, 0, 1) if edge + near >= 0}
    for cut in sorted(cuts):
        with pytest.raises(StoreCorrupt, match=r"room\.db"):
            reopen(place, whole[:cut])
        assert place.stat().st_size == cut


@pytest.mark.parametrize("pages_spare", [0, 1, 3])
def test_full_database_is_refused_and_keeps_what_it_had(
    crashed: Crashed, place: Path, pages_spare: int
) -> None:
    """When no page is left the commit fails whole, the error says disk, and every row is there."""
    reopen(place, crashed.database, crashed.wal)
    with closing(open_writer(place, CONFIG)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + pages_spare}")
        with pytest.raises(sqlite3.OperationalError) as failure:
            commit(connection, 40)
        refused = translate(failure.value, place)
        assert isinstance(refused, StoreRefused)
        assert "free some disk space" in str(refused)
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        assert contents(connection) == crashed.contents[-1]
        connection.execute("PRAGMA max_page_count = 100000")
        commit(connection, 40)
        verify(connection)
        assert len(contents(connection)["guest"]) == len(crashed.contents[-1]["guest"]) + 3


def test_read_only_file_is_refused_and_keeps_what_it_had(crashed: Crashed, place: Path) -> None:
    """A write to a read-only store is StoreRefused, not a handler's error, and changes nothing."""
    reopen(place, crashed.database, crashed.wal)
    # Opened read-only by address: tests may run as root, whom a file's mode does not stop.
    with (
        closing(open_writer(place, CONFIG)) as keeper,
        closing(sqlite3.connect(f"{place.as_uri()}?mode=ro", uri=True)) as connection,
    ):
        connection.isolation_level = None
        with pytest.raises(sqlite3.OperationalError) as failure:
            commit(connection, 50)
        assert isinstance(refused := translate(failure.value, place), StoreRefused)
        assert "writable" in str(refused)
        assert contents(keeper) == crashed.contents[-1]


def test_damage_met_while_working_is_corruption(crashed: Crashed, place: Path) -> None:
    """A page that goes bad after the open is reported as StoreCorrupt by the statement it hits."""
    whole = checkpointed(crashed, place)
    with closing(open_writer(place, CONFIG)) as connection:
        with place.open("r+b") as file:
            file.seek(PAGE_BYTES)
            file.write(b"\xff" * (len(whole) - PAGE_BYTES))
        with pytest.raises(sqlite3.DatabaseError) as failure:
            contents(connection)
        assert isinstance(translate(failure.value, place), StoreCorrupt)
        with pytest.raises(StoreCorrupt):
            verify(connection)
