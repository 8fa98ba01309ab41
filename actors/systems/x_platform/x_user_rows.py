"""Who tweets: the rows of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.systems.x_platform import snowflake
from actors.systems.x_platform.messages import XUser
from actors.systems.x_platform.platform_state import next_id

if TYPE_CHECKING:
    import sqlite3

    from actors.store.transaction import ReadTransaction, Transaction

BY_ID = "SELECT * FROM x_user WHERE id = ?"
BY_USERNAME = "SELECT * FROM x_user WHERE username = ?"
INSERT = "INSERT INTO x_user (id, username, name) VALUES (?, ?, ?)"


def find_user(tx: ReadTransaction, user_id: str) -> XUser | None:
    """Find one by id."""
    row = tx.one(BY_ID, snowflake.number_of(user_id))
    return None if row is None else user_of(row)


def find_username(tx: ReadTransaction, username: str) -> XUser | None:
    """Find one by username, whatever its case."""
    row = tx.one(BY_USERNAME, username)
    return None if row is None else user_of(row)


def ensure_user(tx: Transaction, username: str, name: str) -> XUser:
    """Return who has the username; a new user where nobody has."""
    user = find_username(tx, username)
    if user is None:
        number, _ = next_id(tx)
        tx.execute(INSERT, number, username, name)
        user = XUser(
            id=str(number),
            username=username,
            name=name,
            created_at_us=snowflake.time_us(number),
        )
    return user


def user_of(row: sqlite3.Row) -> XUser:
    """Return the row's user."""
    return XUser(
        id=str(row["id"]),
        username=row["username"],
        name=row["name"],
        created_at_us=snowflake.time_us(row["id"]),
    )
