"""A store that lost its past begins anew: channels of a new generation, numbered from 1.

Its receivers keep their marks for one file's numbers, so that a fresh id of the file is all that
they need. What is in the restored outbox and was applied is not sent again, and what the store has
told its senders to be applied will not come again, whether it remembers it or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.store.past import Mark, applied_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from actors.store.past import Past

CHANNELS = "SELECT receiver FROM channel WHERE receiver <> ''"
APPLIED = "DELETE FROM outbox WHERE receiver = ? AND number <= ?"
LOWEST = "SELECT min(number) FROM outbox WHERE receiver = ?"
# Without gaps. In two steps, so that no number is taken twice on the way.
LOWER = "UPDATE outbox SET number = ? - number WHERE receiver = ?"
TURN = "UPDATE outbox SET number = -number WHERE receiver = ?"
KEEP_LAST = (
    "UPDATE channel SET last = (SELECT count(*) FROM outbox WHERE receiver = ?1)"
    " WHERE receiver = ?1"
)
KEEP_MARK = (
    "INSERT INTO inbox (sender, store, applied) VALUES (?, ?, ?)"
    " ON CONFLICT (sender) DO UPDATE SET store = excluded.store, applied = excluded.applied"
)


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """What the others know of a store that begins anew.

    `applied` is what each receiver has applied of it; `marks` is how far each sender has been told
    that this one applied what it sent.
    """

    applied: dict[str, int]
    marks: dict[str, Mark]


def renewal(name: str, own: Past | None, others: Mapping[str, Past]) -> Renewal:
    """Return what to begin anew with, from the file that is left and from those of the others."""
    applied, marks = {}, {}
    for other, past in others.items():
        theirs = past.marks.get(name)
        if theirs is not None and own is not None and theirs.store == own.store:
            applied[other] = theirs.applied
        acknowledged = past.acknowledged.get(name, 0)
        if past.store is not None and acknowledged > applied_of(own, other, past):
            marks[other] = Mark(past.store, acknowledged)
    return Renewal(applied=applied, marks=marks)


def begin_anew(connection: sqlite3.Connection, given: Renewal) -> None:
    """Renumber what is on its way, and move the marks; in an open transaction."""
    for (receiver,) in connection.execute(CHANNELS).fetchall():
        connection.execute(APPLIED, (receiver, given.applied.get(receiver, 0)))
        (lowest,) = connection.execute(LOWEST, (receiver,)).fetchone()
        if lowest is not None:
            connection.execute(LOWER, (lowest - 1, receiver))
            connection.execute(TURN, (receiver,))
        connection.execute(KEEP_LAST, (receiver,))
    connection.executemany(
        KEEP_MARK, [(sender, mark.store, mark.applied) for sender, mark in given.marks.items()]
    )
