"""The rival's booking: the same steps as the saga's, as a DBOS workflow over one SQLite file.

Two ways to write a step, both from DBOS's documentation:
  steps         `@DBOS.step` around a transaction of its own. DBOS notes the step in its system
                database afterwards, and repeats it where a crash came between: so every statement
                is idempotent by the booking's id
  transactions  a datasource's transaction, which notes the step beside its rows, in their commit;
                the system database gets its note as well
"""

from __future__ import annotations

import sqlite3
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from dbos import DBOS, SQLAlchemyDatasource

from tests.benchmarks.dbos_pragmas import check_pragmas, engine_pragmas, set_pragmas

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODES = ("steps", "transactions")
# One writer is all that SQLite has; a second connection reads beside it.
POOL_SIZE = 2

SCHEMA = """
CREATE TABLE IF NOT EXISTS customer (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS room (id TEXT PRIMARY KEY, rate INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS booking (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, customer_id TEXT NOT NULL,
    room_id TEXT NOT NULL, check_in TEXT NOT NULL, check_out TEXT NOT NULL,
    price INTEGER, status TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS night (
    room_id TEXT NOT NULL, night TEXT NOT NULL, booking_id TEXT NOT NULL, status TEXT NOT NULL,
    PRIMARY KEY (room_id, night)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS night_by_booking ON night (booking_id);
CREATE TABLE IF NOT EXISTS charge (booking_id TEXT PRIMARY KEY, amount INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS mail (booking_id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
"""
KNOWN = "SELECT 1 FROM customer WHERE id = ?"
CREATE = "INSERT OR IGNORE INTO booking VALUES (NULL, ?, ?, ?, ?, ?, NULL, 'pending')"
RATE = "SELECT rate FROM room WHERE id = ?"
NIGHTS = "SELECT CAST(julianday(?) - julianday(?) AS INTEGER)"
HOLD = """
WITH RECURSIVE stay (night) AS (
    SELECT ? UNION ALL SELECT date(night, '+1 day') FROM stay WHERE date(night, '+1 day') < ?
)
INSERT OR IGNORE INTO night SELECT ?, night, ?, 'held' FROM stay
"""
HELD = "SELECT count(*) FROM night WHERE booking_id = ?"
CHARGE = "INSERT OR IGNORE INTO charge VALUES (?, ?)"
CONFIRM_HOLD = "UPDATE night SET status = 'sold' WHERE booking_id = ?"
CONFIRM = "UPDATE booking SET status = 'confirmed', price = ? WHERE id = ?"
MAIL = "INSERT OR IGNORE INTO mail VALUES (?, ?)"


class Execute(Protocol):
    """Runs a statement in the step's transaction; sqlite3's cursor or SQLAlchemy's comes back."""

    def __call__(self, sql: str, parameters: tuple[Any, ...], /) -> Any: ...


class NewBooking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is posted: the saga's own body."""

    customer_id: str
    room_id: str
    check_in: str
    check_out: str


def create_booking(execute: Execute, booking_id: str, new: NewBooking) -> None:
    """Note the booking. Raises LookupError for a customer nobody knows."""
    if execute(KNOWN, (new.customer_id,)).fetchone() is None:
        raise LookupError(new.customer_id)
    row = (booking_id, new.customer_id, new.room_id, new.check_in, new.check_out)
    execute(CREATE, row)


def hold_room(execute: Execute, booking_id: str, new: NewBooking) -> int:
    """Take one row a night; returns the price. Raises LookupError where a night is another's."""
    (rate,) = execute(RATE, (new.room_id,)).fetchone()
    (nights,) = execute(NIGHTS, (new.check_out, new.check_in)).fetchone()
    execute(HOLD, (new.check_in, new.check_out, new.room_id, booking_id))
    (held,) = execute(HELD, (booking_id,)).fetchone()
    if held != nights:
        raise LookupError(new.room_id)
    return int(rate * nights)


def charge_card(execute: Execute, booking_id: str, price: int) -> None:
    """Be the simulated processor: write its ledger."""
    execute(CHARGE, (booking_id, price))


def confirm_hold(execute: Execute, booking_id: str) -> None:
    """Sell the nights."""
    execute(CONFIRM_HOLD, (booking_id,))


def confirm_booking(execute: Execute, booking_id: str, price: int) -> None:
    """End the booking."""
    execute(CONFIRM, (price, booking_id))


def write_mail(execute: Execute, booking_id: str) -> None:
    """Put the confirmation into the outbox of mails."""
    execute(MAIL, (booking_id, "Your booking is confirmed."))


class Steps:
    """Makes `@DBOS.step`s. They take turns at one connection, for SQLite has one writer.

    With a connection a thread they would poll for SQLite's lock instead: no more bookings a second,
    and a p99 of more than twice.
    """

    def __init__(self, path: Path) -> None:
        """Open the database."""
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        set_pragmas(self._connection)
        self._turn = Lock()

    def check(self) -> None:
        """Raise AssertionError unless the connection commits as durably as it should."""
        with self._turn:
            check_pragmas(lambda pragma: self._connection.execute(pragma).fetchone()[0])

    def durable(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return `work` as a step that calls it in a transaction."""

        def step(*arguments: Any) -> Any:
            with self._turn:
                self._connection.execute("BEGIN IMMEDIATE")
                with self._connection:
                    return work(self._connection.execute, *arguments)

        made: Callable[..., Any] = DBOS.step(name=work.__name__)(step)
        return made


class Transactions:
    """Makes transactions of a datasource."""

    def __init__(self, path: Path) -> None:
        """Open the database; DBOS adds its table of steps."""
        self._datasource = SQLAlchemyDatasource.create(
            f"sqlite:///{path}", engine_kwargs={"pool_size": POOL_SIZE, "max_overflow": 0}
        )

    def check(self) -> None:
        """Raise AssertionError unless every connection commits as durably as it should."""
        engine_pragmas(self._datasource.engine, POOL_SIZE)

    def durable(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return `work` as a transaction that calls it."""

        def step(*arguments: Any) -> Any:
            execute = self._datasource.sql_session().connection().exec_driver_sql
            return work(execute, *arguments)

        made: Callable[..., Any] = self._datasource.transaction(name=work.__name__)(step)
        return made


def make_workflow(database: Steps | Transactions) -> Callable[[str, NewBooking], int]:
    """Register the workflow with DBOS; call it with the workflow's id set. It returns the price."""
    create, hold = database.durable(create_booking), database.durable(hold_room)
    charge, sell = database.durable(charge_card), database.durable(confirm_hold)
    confirm, mail = database.durable(confirm_booking), database.durable(write_mail)

    def book(booking_id: str, new: NewBooking) -> int:
        create(booking_id, new)
        price: int = hold(booking_id, new)
        charge(booking_id, price)
        sell(booking_id)
        confirm(booking_id, price)
        mail(booking_id)
        return price

    made: Callable[[str, NewBooking], int] = DBOS.workflow(name="book")(book)
    return made
