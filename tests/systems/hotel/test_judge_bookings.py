"""What the hotel's guests take for a wrong answer, and what for explained."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.systems.hotel.scenario.books import RENTS, ROOMS, Books
from actors.systems.hotel.scenario.journal import Exchange, Journal
from actors.systems.hotel.scenario.judge_bookings import judge_bookings
from tests.systems.whole import config_of_tests

if TYPE_CHECKING:
    from pathlib import Path

EVENT = "CREATE TABLE event (seq, message_type, at_us, message);"
FILES = {
    "customer": "CREATE TABLE customer (seq, id, name, email);",
    "room": f"{EVENT} CREATE TABLE room (seq, id, type);"
    " CREATE TABLE night (room_id, night, hold_id);",
    "booking": f"{EVENT} CREATE TABLE booking (seq, id);",
    "payment": EVENT,
    "notification": "CREATE TABLE mail (seq);",
    "card_processor": "".join(
        f"CREATE TABLE {name} (key);" for name in ("charge", "refund", "void")
    ),
}
DAYS = {"CheckIn": "2023-11-20", "CheckOut": "2023-11-22"}
RENT = {"ID": "b", "CustomerID": "ada", "RoomID": "r", **DAYS}
CLOSED = {"detail": "room r cannot be booked: its status is closed"}


def asked(at: int, until: int, status: int, reply: Any = None) -> Exchange:
    """One asks for the booking from one moment to another."""
    return exchange(at, until, "POST", RENTS, RENT, status, RENT if reply is None else reply)


def exchange(
    at: int, until: int, method: str, path: str, body: Any, status: int, reply: Any
) -> Exchange:
    return Exchange(
        client="client-0", method=method, path=path, query={}, body=body, key=None,
        begun=at, begun_us=at, ended=until, ended_us=until, status=status, reply=reply,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, schema in FILES.items():
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            connection.executescript(schema)
    return tmp_path


@pytest.mark.parametrize(
    ("before", "wrong"),
    [
        ([], True),
        ([asked(1, 9, 201)], False),
        ([asked(1, 2, 409, CLOSED)], True),
        ([asked(1, 9, 409, CLOSED)], False),
    ],
    ids=["nobody", "who was first", "who was refused before", "who may have begun it"],
)
def test_who_asks_for_a_booking_again_may_have_a_room_that_is_closed_by_now(
    folder: Path, before: list[Exchange], *, wrong: bool
) -> None:
    """If it was open when the first one asked."""
    journal = Journal(nights_max=20)
    closes = exchange(3, 4, "PATCH", f"{ROOMS}/r", {"status": "closed"}, 200, {})
    journal.exchanges = [*before, closes, asked(5, 8, 201)]
    books = Books(
        journal,
        folder,
        SimpleNamespace(monotonic=lambda: 1.0, now_us=lambda: 1_700_000_000_000_000),
        config_of_tests().hotel,
        {"customer": {"ada": {}}, "room": {"r": {}}, "booking": {}},
        gates=[load_config().background],
        calm=True,
        roomy=True,
        was_disturbed=lambda *_: False,
    )
    found = [each for each in judge_bookings(books) if "cannot be booked, and was" in each]
    assert bool(found) is wrong
