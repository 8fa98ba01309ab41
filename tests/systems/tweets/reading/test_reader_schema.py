"""A file of an earlier version goes on with what that one has written."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from actors.config import load_config
from actors.store.files.migrations import load_migrations, migrate
from actors.store.files.sqlite_file import open_writer
from actors.systems.tweets.reading.reader import ReaderService

if TYPE_CHECKING:
    from pathlib import Path

SECOND_US = 1_000_000
# How far each search had come: to a second's beginning; none had begun; what was filled and lost.
BEFORE = [
    (1, 10 * SECOND_US, 90 * SECOND_US, "stalled", "open", None, 40 * SECOND_US, 7, 2),
    (2, 100 * SECOND_US, 190 * SECOND_US, "cut", "open", 105 * SECOND_US, None, 0, 0),
    (3, 200 * SECOND_US, 290 * SECOND_US, "cut", "filled", None, None, 3, 1),
    (4, 300 * SECOND_US, 390 * SECOND_US, "cut", "lost", 301 * SECOND_US, 302 * SECOND_US, 0, 0),
]
COLUMNS = "seq, from_us, to_us, reason, state, left_from_us, left_to_us, found, grown"
AT = COLUMNS.split(", ").index("left_to_us")


def test_what_is_left_of_a_search_includes_the_second_it_had_come_to(tmp_path: Path) -> None:
    """That was all of a time that was kept: the rest of the second may not have been read."""
    migrations = load_migrations(ReaderService.schema)
    (number,) = [each.number for each in migrations if each.name == "0005_gap_by_tick.sql"]
    with closing(open_writer(tmp_path / "reader.db", load_config().store)) as reader:
        migrate(reader, "reader", migrations[: number - 1], now_us=1)
        marks = ", ".join("?" * len(BEFORE[0]))
        reader.executemany(f"INSERT INTO gap ({COLUMNS}) VALUES ({marks})", BEFORE)
        for _ in range(2):  # the second start finds nothing to do
            migrate(reader, "reader", migrations[:number], now_us=2)
            after = reader.execute(f"SELECT {COLUMNS} FROM gap ORDER BY seq").fetchall()
            assert [row[AT] for row in after] == [41 * SECOND_US, None, None, 303 * SECOND_US]
            others = [(*row[:AT], *row[AT + 1 :]) for row in BEFORE]
            assert [(*row[:AT], *row[AT + 1 :]) for row in after] == others
