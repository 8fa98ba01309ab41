"""What clients were told, held against the services' files: plain SQL, no code of the product's."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


@dataclass
class Ledger:
    """By id or key, what was acknowledged; `*_tried` is what may stand although nobody said so."""

    customers: dict[str, tuple[str, str]] = field(default_factory=dict)  # id: name, e-mail
    rooms: dict[str, str] = field(default_factory=dict)  # id: number
    confirmed: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: dict[str, dict[str, Any]] = field(default_factory=dict)
    tweets: dict[str, str] = field(default_factory=dict)  # id: text
    inserted: set[str] = field(default_factory=set)
    inserts_tried: set[str] = field(default_factory=set)
    posted_at_x: dict[str, str] = field(default_factory=dict)  # X's id: text

    def figures(self) -> str:
        """Say how much was acknowledged."""
        counts: dict[str, Collection[Any]] = {
            "customers": self.customers, "rooms": self.rooms, "confirmed": self.confirmed,
            "cancelled": self.cancelled, "tweets": self.tweets, "inserted": self.inserted,
            "posted at X": self.posted_at_x,
        }  # fmt: skip
        return ", ".join(f"{len(value)} {name}" for name, value in counts.items())


def differences(ledger: Ledger, data_dir: Path) -> list[str]:
    """Return every way in which the files are not what the clients were told."""

    def rows(file: str, sql: str) -> list[Any]:
        uri = f"file:{data_dir / file}.db?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return connection.execute(sql).fetchall()

    found: list[str] = []
    customers = {
        row[0]: row[1:] for row in rows("customer", "SELECT id, name, email FROM customer")
    }
    found += _compare("customer", ledger.customers, customers)
    rooms = dict(rows("room", "SELECT id, number FROM room"))
    found += _compare("room", ledger.rooms, rooms)
    found += _bookings(ledger, rows)
    found += _tweets(ledger, rows)
    return found


def _compare(what: str, told: dict[str, Any], kept: dict[str, Any]) -> list[str]:
    found = [f"{what} {key} was acknowledged and is lost" for key in told.keys() - kept.keys()]
    found += [f"{what} {key} is kept, and nobody was told" for key in kept.keys() - told.keys()]
    found += [
        f"{what} {key}: told {told[key]!r}, kept {kept[key]!r}"
        for key in told.keys() & kept.keys()
        if told[key] != kept[key]
    ]
    return found


def _twice(what: str, values: Iterable[Any]) -> list[str]:
    return [f"{what} {value}: {n} times" for value, n in Counter(values).items() if n > 1]


def _bookings(ledger: Ledger, rows: Any) -> list[str]:
    found: list[str] = []
    sql = "SELECT id, customer_id, room_id, check_in, check_out, state, price_amount FROM booking"
    bookings = {row[0]: row[1:] for row in rows("booking", sql)}
    found += _twice("bookings of guest", (row[0] for row in bookings.values()))
    standing = {key for key, row in bookings.items() if row[4] == "confirmed"}
    told = ledger.confirmed.keys() - ledger.cancelled.keys()
    found += _compare("confirmed booking", dict.fromkeys(told), dict.fromkeys(standing))
    left = Counter(row[4] for row in bookings.values()) - Counter(
        {"confirmed": 10**9, "rejected": 10**9, "cancelled": 10**9}
    )
    found += [f"{n} bookings are still {state}" for state, n in left.items()]
    for booking_id, answer in ledger.confirmed.items():
        row = bookings.get(booking_id)
        if row is not None and row[:4] != tuple(
            answer[name] for name in ("customer_id", "room_id", "check_in", "check_out")
        ):
            found.append(f"booking {booking_id}: told {answer}, kept {row}")
    # The nights are those of the confirmed bookings, and no others.
    nights = {
        (booking_id, room_id, night)
        for room_id, night, booking_id in rows("room", "SELECT room_id, night, hold_id FROM night")
    }
    wanted = {
        (
            key,
            bookings[key][1],
            (dt.date.fromisoformat(bookings[key][2]) + dt.timedelta(n)).isoformat(),
        )
        for key in standing
        for n in range((_date(bookings[key][3]) - _date(bookings[key][2])).days)
    }
    found += [f"night {night} is paid for and free" for night in wanted - nights]
    found += [f"night {night} is taken, and nobody's" for night in nights - wanted]
    return found + _money(bookings, standing, rows) + _mails(ledger, rows)


def _date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def _money(bookings: dict[str, Any], standing: set[str], rows: Any) -> list[str]:
    """Check the processor's own books: it knows a charge by its key, which is the booking's id."""
    kept = Counter(dict(rows("card_processor", "SELECT key, taken FROM charge")))
    kept.subtract(Counter(_refunds(rows)))
    found = []
    for key, amount in kept.items():
        price = bookings[key][5] if key in standing else 0
        if amount != price:
            found.append(f"booking {key}: {amount} was taken for good, the price is {price}")
    found += [f"booking {key} stands and was never charged" for key in standing - kept.keys()]
    return found


def _refunds(rows: Any) -> dict[str, int]:
    given: Counter[str] = Counter()
    for key, amount in rows("card_processor", "SELECT charge_key, amount FROM refund"):
        given[key] += amount
    for key, amount in rows("card_processor", "SELECT key, refunded FROM void"):
        given[key] += amount
    return given


def _mails(ledger: Ledger, rows: Any) -> list[str]:
    mails = Counter(rows("notification", "SELECT booking_id, kind FROM mail"))
    found = [f"{n} mails {mail}" for mail, n in mails.items() if n > 1]
    for kind, told in (
        ("booking_confirmed", ledger.confirmed),
        ("booking_cancelled", ledger.cancelled),
    ):
        found += [f"no mail of {kind} for {key}" for key in told if not mails[key, kind]]
    return found


def _tweets(ledger: Ledger, rows: Any) -> list[str]:
    stored = rows("tweets", "SELECT id, author, text, external_id, sentiment FROM tweet")
    own = {row[0]: row[2] for row in stored if row[1] == "ada"}
    found = _compare("tweet", ledger.tweets, own)
    inserted = [row[2] for row in stored if row[1] == "bob"]
    found += _twice("insert", inserted)
    found += [f"insert {key} was acknowledged and is lost" for key in ledger.inserted - {*inserted}]
    found += [f"insert {key} was never asked for" for key in {*inserted} - ledger.inserts_tried]
    found += [f"tweet {row[0]} has no score" for row in stored if row[4] is None]
    # X's own books say what was tweeted there, also where its answer was lost on its way to us.
    at_x = {
        str(row[0]): row[1]
        for row in rows(
            "x_platform",
            "SELECT tweet.id, text FROM tweet JOIN x_user ON x_user.id = author_id"
            " WHERE username <> 'dressrehearsal' COLLATE NOCASE",
        )
    }
    found += [f"X lost {key}" for key in ledger.posted_at_x.keys() - at_x.keys()]
    read = {row[3]: row[2] for row in stored if row[3] is not None}
    found += _twice("tweet of X", (row[3] for row in stored if row[3] is not None))
    found += _compare("tweet of X", at_x, read)
    answers = Counter(
        str(row[0])
        for row in rows("x_platform", "SELECT replied_to FROM tweet WHERE replied_to IS NOT NULL")
    )
    found += [f"X has {answers[key]} answers to {key}" for key in at_x if answers[key] != 1]
    flags = [row[0] for row in rows("flagger", "SELECT tweet_id FROM flag")]
    negative = {row[0] for row in stored if row[4] == "negative"}
    found += _twice("flag", flags)
    found += [f"tweet {key} is negative and not flagged" for key in negative - {*flags}]
    found += [f"tweet {key} is flagged and not negative" for key in {*flags} - negative]
    return found
