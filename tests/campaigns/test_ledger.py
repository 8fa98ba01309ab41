"""The ledger notices whatever the files and the clients do not agree on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.campaigns.ledger import Ledger, differences

if TYPE_CHECKING:
    from pathlib import Path

STAY = {"customer_id": "c1", "room_id": "r1", "check_in": "2100-01-01", "check_out": "2100-01-03"}
LEDGER = Ledger(
    customers={"c1": ("Ann", "ann@example.com"), "c2": ("Bob", "bob@example.com")},
    rooms={"r1": "101"},
    confirmed={"b1": STAY, "b2": STAY | {"customer_id": "c2"}},
    cancelled={"b2": {}},
    tweets={"t1": "hello"},
    inserted={"i-1"},
    inserts_tried={"i-1", "i-2"},
    posted_at_x={"7": "tutorialedge is awful"},
)
# Only what the ledger reads; the product's own tables have more.
FILES = {
    "customer": """
        CREATE TABLE customer (id, name, email);
        INSERT INTO customer VALUES ('c1', 'Ann', 'ann@example.com'),
            ('c2', 'Bob', 'bob@example.com');
    """,
    "room": """
        CREATE TABLE room (id, number);
        INSERT INTO room VALUES ('r1', '101');
        CREATE TABLE night (room_id, night, hold_id);
        INSERT INTO night VALUES ('r1', '2100-01-01', 'b1'), ('r1', '2100-01-02', 'b1');
    """,
    "booking": """
        CREATE TABLE booking (id, customer_id, room_id, check_in, check_out, state, price_amount);
        INSERT INTO booking VALUES ('b1', 'c1', 'r1', '2100-01-01', '2100-01-03', 'confirmed', 20),
            ('b2', 'c2', 'r1', '2100-01-01', '2100-01-03', 'cancelled', 20);
    """,
    "card_processor": """
        CREATE TABLE charge (key, taken);
        INSERT INTO charge VALUES ('b1', 20), ('b2', 20);
        CREATE TABLE refund (charge_key, amount);
        INSERT INTO refund VALUES ('b2', 20);
        CREATE TABLE void (key, refunded);
    """,
    "notification": """
        CREATE TABLE mail (booking_id, kind);
        INSERT INTO mail VALUES ('b1', 'booking_confirmed'), ('b2', 'booking_confirmed'),
            ('b2', 'booking_cancelled');
    """,
    "tweets": """
        CREATE TABLE tweet (id, author, text, external_id, sentiment);
        INSERT INTO tweet VALUES ('t1', 'ada', 'hello', NULL, 'neutral'),
            ('t2', 'bob', 'i-1', NULL, 'neutral'),
            ('t3', 'cyd', 'tutorialedge is awful', '7', 'negative');
    """,
    "flagger": "CREATE TABLE flag (tweet_id); INSERT INTO flag VALUES ('t3');",
    "x_platform": """
        CREATE TABLE x_user (id, username);
        INSERT INTO x_user VALUES (1, 'dressrehearsal'), (2, 'cyd');
        CREATE TABLE tweet (id, author_id, text, replied_to);
        INSERT INTO tweet VALUES (7, 2, 'tutorialedge is awful', NULL), (8, 1, 'thanks', 7);
    """,
}
SABOTAGES = {
    "a customer is lost": ("customer", "DELETE FROM customer WHERE id = 'c1'"),
    "a customer nobody made": ("customer", "INSERT INTO customer VALUES ('c3', 'Eve', 'e@x.com')"),
    "a customer is changed": ("customer", "UPDATE customer SET email = 'other'"),
    "a room is lost": ("room", "DELETE FROM room"),
    "a paid night is free": ("room", "DELETE FROM night WHERE night = '2100-01-02'"),
    "a night is nobody's": ("room", "INSERT INTO night VALUES ('r1', '2100-02-01', 'b2')"),
    "a booking is lost": ("booking", "DELETE FROM booking WHERE id = 'b1'"),
    "a cancelled booking stands": ("booking", "UPDATE booking SET state = 'confirmed'"),
    "a booking never ends": ("booking", "UPDATE booking SET state = 'paying' WHERE id = 'b2'"),
    "a guest has two": (
        "booking",
        "INSERT INTO booking VALUES ('b3', 'c1', 'r1', '', '', 'rejected', NULL)",
    ),
    "a charge is double": ("card_processor", "INSERT INTO refund VALUES ('b1', -20)"),
    "a refund is missing": ("card_processor", "DELETE FROM refund"),
    "a stay is free": ("card_processor", "DELETE FROM charge WHERE key = 'b1'"),
    "a mail is missing": ("notification", "DELETE FROM mail WHERE kind = 'booking_cancelled'"),
    "a mail came twice": ("notification", "INSERT INTO mail VALUES ('b1', 'booking_confirmed')"),
    "a tweet is lost": ("tweets", "DELETE FROM tweet WHERE id = 't1'"),
    "a tweet is changed": ("tweets", "UPDATE tweet SET text = 'cut' WHERE id = 't3'"),
    "an insert came twice": (
        "tweets",
        "INSERT INTO tweet VALUES ('t4', 'bob', 'i-1', NULL, 'neutral')",
    ),
    "an insert is lost": ("tweets", "DELETE FROM tweet WHERE id = 't2'"),
    "an insert nobody made": (
        "tweets",
        "INSERT INTO tweet VALUES ('t4', 'bob', 'i-9', NULL, 'neutral')",
    ),
    "a tweet has no score": ("tweets", "UPDATE tweet SET sentiment = NULL WHERE id = 't1'"),
    "a tweet of X came twice": (
        "tweets",
        "INSERT INTO tweet VALUES ('t4', 'cyd', 'tutorialedge is awful', '7', 'neutral')",
    ),
    "a flag is missing": ("flagger", "DELETE FROM flag"),
    "a flag nobody needs": ("flagger", "INSERT INTO flag VALUES ('t1')"),
    "X lost a tweet": ("x_platform", "DELETE FROM tweet WHERE id = 7"),
    "a tweet has two answers": ("x_platform", "INSERT INTO tweet VALUES (9, 1, 'thanks!', 7)"),
    "a tweet has no answer": ("x_platform", "DELETE FROM tweet WHERE id = 8"),
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder that agrees with LEDGER."""
    for name, script in FILES.items():
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            connection.executescript(script)
    return tmp_path


def test_files_that_hold_what_was_acknowledged_are_no_finding(data_dir: Path) -> None:
    """Where all agree, nothing is found."""
    assert differences(LEDGER, data_dir) == []


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_every_disagreement_is_found(data_dir: Path, sabotage: str) -> None:
    """One row that is lost, doubled, changed or nobody's is a finding."""
    file, sql = SABOTAGES[sabotage]
    with closing(sqlite3.connect(data_dir / f"{file}.db")) as connection, connection:
        connection.execute(sql)
    assert differences(LEDGER, data_dir) != []
