"""The embedded X's one row: the id given last, and which version the rules are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from actors.systems.x_platform import snowflake

if TYPE_CHECKING:
    from actors.store.transaction import ReadTransaction, Transaction

READ = "SELECT last_id, rules_version FROM state"
TAKE = "UPDATE state SET last_id = max(last_id + 1, ?) RETURNING last_id, rules_version"
LOCK = "UPDATE state SET locked_us = ?"
IS_LOCKED = "SELECT 1 FROM state WHERE locked_us > ?"
CHANGE_RULES = "UPDATE state SET last_id = max(last_id, ?), rules_version = rules_version + 1"


class State(NamedTuple):
    last_id: int
    rules_version: int


def read_state(tx: ReadTransaction) -> State:
    """Return the row."""
    (row,) = tx.all(READ)
    return State(*row)


def next_id(tx: Transaction) -> State:
    """Take a new id: the row's `last_id`. The same step as `snowflake.next_after`."""
    (row,) = tx.all(TAKE, snowflake.first_at(tx.now_us))
    return State(*row)


def change_rules(tx: Transaction, *, last_id: int = 0) -> None:
    """Note that the rules are others now, and the last id that one of them has taken, if any."""
    tx.execute(CHANGE_RULES, last_id)


def lock(tx: Transaction, *, until_us: int) -> None:
    """Lock the account until then."""
    tx.execute(LOCK, until_us)


def is_locked(tx: ReadTransaction) -> bool:
    """Whether the account may do nothing now."""
    return tx.one(IS_LOCKED, tx.now_us) is not None
