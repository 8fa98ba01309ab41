"""A store that lost its past begins anew with what there is, and nobody mistakes its messages.

Its channels go on above what their receivers have applied of this very file, so that no number is
given twice, however often a copy is put back; an empty file has a new identity, and numbers from 1.
What is in its outbox and was applied is not sent again. What it had told its senders to be applied
will not come again, whether it remembers it or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.store.past import applied_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from actors.store.past import Past

REMOVE = "DELETE FROM outbox WHERE receiver = ? AND number <= ?"
GO_ON = (
    "INSERT INTO channel (receiver, last) VALUES (?, ?)"
    " ON CONFLICT (receiver) DO UPDATE SET last = max(last, excluded.last)"
)
KEEP_MARK = (
    "INSERT INTO inbox (sender, store, applied) VALUES (?, ?, ?)"
    " ON CONFLICT (sender, store) DO UPDATE SET applied = excluded.applied"
)


class Mark(msgspec.Struct, frozen=True):
    """The highest number applied of what came from the file `store`."""

    store: str
    applied: int


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """What the others know of a store that begins anew.

    `applied` is what each receiver has applied of it; `marks` is how far each sender has been told
    that this one applied what it sent, where that is more than it knows.
    """

    applied: dict[str, int]
    marks: dict[str, Mark]


def renewal(name: str, own: Past | None, others: Mapping[str, Past]) -> Renewal:
    """Return what to begin anew with, from the file that is left and from those of the others."""
    applied, marks = {}, {}
    for other, past in others.items():
        if own is not None and own.store is not None:
            applied[other] = past.marks.get((name, own.store), 0)
        acknowledged = past.acknowledged.get(name, 0)
        if past.store is not None and acknowledged > applied_of(own, other, past):
            marks[other] = Mark(past.store, acknowledged)
    return Renewal(applied={to: number for to, number in applied.items() if number}, marks=marks)


def begin_anew(connection: sqlite3.Connection, given: Renewal) -> None:
    """Move channels and marks to where the others are; in an open transaction."""
    connection.executemany(REMOVE, list(given.applied.items()))
    connection.executemany(GO_ON, list(given.applied.items()))
    connection.executemany(
        KEEP_MARK, [(sender, mark.store, mark.applied) for sender, mark in given.marks.items()]
    )
