"""Free rooms: those that are, in their order, for the price of a page, however few they are."""

from __future__ import annotations

import datetime as dt
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.store.transaction import ReadTransaction
from actors.systems.hotel.free_rooms import page_of_free_rooms
from actors.systems.hotel.messages import CreateRoom, ListRooms
from actors.systems.hotel.saga_messages import ReleaseHold
from tests.systems.hotel.test_room_holds import DAY, RATE, a_hold, rooms

if TYPE_CHECKING:
    from actors.kernel.messages import Command

ROOMS = 10_000
FREE = (1, 64, 65, 5_000, 10_000)
DAYS = (DAY.isoformat(), (DAY + dt.timedelta(days=2)).isoformat())


@pytest.mark.sampled
@pytest.mark.parametrize("type_", [None, "double"])
@pytest.mark.parametrize("limit", [1, 2, 5, 50])
async def test_five_free_rooms_of_ten_thousand_are_found_without_a_look_at_each(
    tmp_path: Path, limit: int, type_: str | None
) -> None:
    """All pages together cost a fifth of a walk, counted in steps of SQLite's machine."""
    async with rooms(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "room.db")) as connection:
        connection.row_factory = sqlite3.Row
        fill(connection)
        connection.execute("BEGIN")
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        connection.set_progress_handler(count, 1)
        tx = ReadTransaction(connection, 0)
        found, after = [], 0
        while True:
            page, cursor = page_of_free_rooms(tx, *DAYS, type_, after, limit=limit)
            found += [row["seq"] for row in page]
            assert len(page) <= limit
            if cursor is None:
                break
            after = int(cursor)
        assert found == list(FREE)
        searched, steps = steps, 0
        walk = (
            "SELECT count(*) FROM room WHERE NOT EXISTS"
            " (SELECT 1 FROM night WHERE room_id = room.id AND night >= ? AND night < ?)"
        )
        assert connection.execute(walk, DAYS).fetchone()[0] == len(FREE)
        assert searched < steps / 5, (searched, steps)


def fill(connection: sqlite3.Connection) -> None:
    """Make the rooms, and take all but five of them for a night each."""
    numbers = range(1, ROOMS + 1)
    connection.executemany(
        "INSERT INTO room (seq, id, type, rate_amount, rate_currency, status)"
        " VALUES (?, ?, 'double', 1, 'EUR', 'available')",
        [(number, f"r{number}") for number in numbers],
    )
    connection.execute("INSERT INTO hold VALUES ('h', 'r1', ?, ?, 1, 'EUR', 'confirmed', 0)", DAYS)
    connection.executemany(
        "INSERT INTO night (room_id, night, hold_id) VALUES (?, ?, 'h')",
        [(f"r{number}", DAYS[0]) for number in numbers if number not in FREE],
    )
    connection.commit()


@settings(max_examples=10)
@given(
    stays=st.lists(st.tuples(st.integers(0, 69), st.integers(0, 2), st.booleans()), max_size=30),
    full=st.sets(st.integers(0, 2)),
    limit=st.sampled_from([1, 7, 100]),
)
async def test_free_rooms_are_those_of_which_no_night_is_taken(
    stays: list[tuple[int, int, bool]], full: set[int], limit: int
) -> None:
    """Of two blocks, one of them full on some days; whatever was held and released."""
    with tempfile.TemporaryDirectory() as folder:
        async with rooms(Path(folder)) as on:
            made = await on.send(*[CreateRoom(type="double", rate=RATE)] * 70)
            ids = [room.id for room in made]
            taken: set[tuple[str, int]] = set()
            wishes = [(room, day, False) for day in full for room in range(64)] + stays
            commands: list[Command] = []
            for number, (room, day, released) in enumerate(wishes):
                if (ids[room], day) in taken:
                    continue
                commands.append(a_hold(f"h{number}", ids[room], first=day, count=1))
                if released:
                    commands.append(ReleaseHold(hold_id=f"h{number}"))
                else:
                    taken.add((ids[room], day))
            if commands:
                await on.send(*commands)
            for first, count in ((0, 1), (1, 2), (0, 3)):
                check_in = DAY + dt.timedelta(days=first)
                question = ListRooms(
                    limit=limit, check_in=check_in, check_out=check_in + dt.timedelta(days=count)
                )
                found = [room.id for page in await on.pages(question) for room in page]
                days = range(first, first + count)
                assert found == [
                    each for each in ids if not any((each, day) in taken for day in days)
                ]
