"""The invariants see what they are there for: every rule is broken once, and says so."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from actors.store.inline_store import InlineStore
from actors.systems.hotel.card_processor.sandbox_cards import (
    APPROVED_CARD,
    SANDBOX_CARDS,
    CardBehavior,
)
from actors.systems.hotel.invariants import violations
from actors.systems.hotel.messages import CancelBooking, CreateBooking
from tests.systems.hotel.whole import Furnished, Whole, furnish
from tests.systems.whole import config_of_tests

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2023, 11, 24)
NOW_US = 1_800_000_000_000_000
CONFIRMED = "(SELECT id FROM booking WHERE state = 'confirmed')"
DECLINED = next(number for number, each in SANDBOX_CARDS.items() if each is CardBehavior.DECLINES)

# What is done to which file, and a part of what is said about it.
SABOTAGE = [
    ("booking", "UPDATE booking SET state = 'paying' WHERE state = 'confirmed'", "is paying"),
    ("booking", f"UPDATE booking SET card_number = '{APPROVED_CARD}'", "keeps a card number"),
    (
        "booking",
        (
            "INSERT INTO booking (id, customer_id, room_id, check_in, check_out, begun_us, state)"
            " SELECT 'x', customer_id, room_id, check_in, check_out, begun_us, state"
            " FROM booking WHERE state = 'confirmed'"
        ),
        "is sold 2 times",
    ),
    ("booking", "UPDATE booking SET check_out = '2023-11-27'", "is not taken for it"),
    ("booking", "UPDATE booking SET check_out = '2023-11-25'", "is not confirmed for it"),
    ("booking", "UPDATE booking SET price_amount = 1 WHERE refund_amount IS NULL", "costs 1"),
    ("booking", "UPDATE booking SET refund_amount = 7 WHERE state = 'cancelled'", "policy says"),
    ("booking", "DELETE FROM event WHERE message_type = 'BookingCancelled'", "not published"),
    (
        "booking",
        (
            "INSERT INTO event SELECT seq + 9, message_type, message, trace, at_us FROM event"
            " WHERE message_type = 'BookingConfirmed'"
        ),
        "BookingConfirmed was published",
    ),
    ("booking", "UPDATE channel SET last = last + 1 WHERE receiver = 'room'", "has applied"),
    ("booking", "INSERT INTO later VALUES ('x', NULL, NULL)", "is not answered"),
    ("booking", "INSERT INTO waiting SELECT id, 'x' FROM booking", "waits for booking"),
    ("booking", "INSERT INTO timer VALUES (99, 1, 'X', X'', NULL, NULL)", "was due"),
    (
        "payment",
        (
            "INSERT INTO dead_letter (id, message_type, message, attempts, reason, at_us)"
            " VALUES ('x', 'X', X'', 3, 'y', 0)"
        ),
        "dead letter X",
    ),
    ("room", "DELETE FROM night", "is not taken for it"),
    ("room", "UPDATE crowd SET taken = taken + 1", "crowd is counted"),
    ("room", "UPDATE room SET status = 'closed'", "is of a room that is closed"),
    ("room", "UPDATE room SET rate_amount = 7", "and a night 7"),
    ("room", "UPDATE hold SET state = 'held', expires_us = 1", "has outlived its time"),
    ("room", "INSERT INTO ended_hold SELECT id FROM hold", "is over and goes on"),
    ("payment", "UPDATE payment SET state = 'refunding' WHERE state = 'refunded'", "is refunding"),
    ("payment", "UPDATE payment SET amount = 1 WHERE state = 'charged'", "its payment is"),
    ("payment", "UPDATE payment SET state = 'charged' WHERE state = 'declined'", "is rejected"),
    ("payment", "UPDATE payment SET state = 'voided' WHERE state = 'charged'", "is confirmed"),
    ("card_processor", "DELETE FROM refund", "are kept of"),
    ("card_processor", "UPDATE charge SET taken = 0", "and the bookings make"),
    (
        "card_processor",
        "INSERT INTO charge VALUES ('x', 'x', 5, 'EUR', 0, NULL)",
        "is for no booking",
    ),
    (
        "card_processor",
        "INSERT INTO void SELECT key, 5 FROM charge WHERE refusal IS NOT NULL",
        "is rejected",
    ),
    ("notification", "DELETE FROM mail WHERE kind = 'booking_cancelled'", "mails of"),
    ("notification", "UPDATE mail SET recipient = 'eve@example.org'", "mails of"),
]


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """A hotel with a confirmed, a rejected and a cancelled booking."""
    folder = tmp_path_factory.mktemp("lived_in")

    async def live() -> Furnished:
        furnished = await furnish(folder, rooms=1)
        hotel = Whole(folder, store=InlineStore)
        await hotel.boot()
        bookings = [
            await hotel.ask(
                "booking",
                CreateBooking(
                    customer_id=furnished.customer_id,
                    room_id=furnished.room_ids[0],
                    check_in=DAY + dt.timedelta(days=7 * number),
                    check_out=DAY + dt.timedelta(days=7 * number + 2),
                    card_number=card_number,
                ),
            )
            for number, card_number in enumerate((APPROVED_CARD, DECLINED, APPROVED_CARD))
        ]
        await hotel.ask("booking", CancelBooking(booking_id=bookings[-1].id))
        await hotel.run_out()
        await hotel.stop()
        return furnished

    return asyncio.run(live())


def complaints(folder: Path) -> list[str]:
    return violations(folder, config=config_of_tests().hotel, now_us=NOW_US)


def test_sound_books_are_passed(lived_in: Furnished, tmp_path: Path) -> None:
    """Of a hotel at rest there is nothing to say."""
    lived_in.copy_to(tmp_path)
    assert complaints(tmp_path) == []


def test_a_clock_that_was_set_back_over_midnight_breaks_no_rule(
    lived_in: Furnished, tmp_path: Path
) -> None:
    """A booking may be cancelled on the day before the one on which it was confirmed."""
    lived_in.copy_to(tmp_path)
    day_us = 86_400_000_000
    with closing(sqlite3.connect(tmp_path / "booking.db")) as connection, connection:
        earlier = "UPDATE event SET at_us = at_us - ? WHERE message_type = 'BookingCancelled'"
        assert connection.execute(earlier, (day_us,)).rowcount == 1
    assert complaints(tmp_path) == []


@pytest.mark.parametrize(("service", "sql", "complaint"), SABOTAGE)
def test_broken_books_are_not(
    lived_in: Furnished, tmp_path: Path, service: str, sql: str, complaint: str
) -> None:
    """Each rule notices what breaks it, and says what it is."""
    lived_in.copy_to(tmp_path)
    with closing(sqlite3.connect(tmp_path / f"{service}.db")) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(sql).rowcount > 0
    assert any(complaint in each for each in complaints(tmp_path)), complaints(tmp_path)


def test_letters_that_were_planted_are_no_violation(lived_in: Furnished, tmp_path: Path) -> None:
    """A test that makes dead letters names their types."""
    lived_in.copy_to(tmp_path)
    with closing(sqlite3.connect(tmp_path / "room.db")) as connection, connection:
        connection.execute(
            "INSERT INTO dead_letter (id, message_type, message, attempts, reason, at_us)"
            " VALUES ('x', 'Poison', X'', 3, 'y', 0)"
        )
    config = config_of_tests().hotel
    assert violations(tmp_path, config=config, now_us=NOW_US) != []
    planted = frozenset({"Poison"})
    assert violations(tmp_path, config=config, now_us=NOW_US, planted=planted) == []
