"""A store that lost its past begins anew with what there is, and nobody mistakes its messages.

It takes a new identity, so that no number is given twice under one, however often a copy is put
back, and whoever's file is away meanwhile. What is in its outbox keeps number and identity, and
goes where it was not applied. What it had told its senders to be applied will not come again,
whether it remembers it or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.store.messaging.outbox import REMOVE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from actors.store.files.file_history import FileHistory

# One that gave no number to a receiver is none of whom it knows.
RETIRE = (
    "INSERT INTO former (store, receiver, last)"
    " SELECT identity.store, receiver, last FROM identity, channel WHERE receiver <> '' AND last >"
    " (SELECT coalesce(max(last), 0) FROM former WHERE former.receiver = channel.receiver)"
)
IDENTIFY = "UPDATE identity SET store = ?"
KEEP_MARK = (
    "INSERT INTO inbox (sender, store, applied) VALUES (?, ?, ?)"
    " ON CONFLICT (sender, store) DO UPDATE SET applied = excluded.applied"
)


class AppliedMark(msgspec.Struct, frozen=True):
    """The highest number applied of what came from the file `store`."""

    store: str
    applied: int


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """What the others know of a store that begins anew.

    `applied` is what each receiver has applied of it; `marks` is how far each sender has been told
    that this one applied what it sent, where that is more than it knows.
    """

    applied: dict[str, int]
    marks: dict[str, AppliedMark]


def renewal(name: str, own: FileHistory | None, others: Mapping[str, FileHistory]) -> Renewal:
    """Return what to begin anew with, from the file that is left and from those of the others."""
    applied, marks = {}, {}
    for other, history in others.items():
        if own is not None and own.store is not None:
            applied[other] = history.applied(name, own.numbering(other))
        acknowledged = history.acknowledged.get(name, 0)
        numbering = history.numbering(name)
        known = 0 if own is None else own.applied(other, numbering)
        if history.store is not None and acknowledged > known:
            marks[other] = AppliedMark(numbering.given_by(acknowledged)[0], acknowledged)
    return Renewal(applied={to: number for to, number in applied.items() if number}, marks=marks)


def begin_anew(connection: sqlite3.Connection, given: Renewal, store: str) -> None:
    """Go on as `store`, with outbox and marks where the others are; in an open transaction."""
    connection.execute(RETIRE)
    connection.execute(IDENTIFY, (store,))
    connection.executemany(REMOVE, list(given.applied.items()))
    connection.executemany(
        KEEP_MARK, [(sender, mark.store, mark.applied) for sender, mark in given.marks.items()]
    )
