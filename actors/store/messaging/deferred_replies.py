"""Requests whose answer was put off, and where the answer goes once there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.kernel.messages import Later, Refusal
from actors.store.messaging.request_keys import FIND_CLIENT, FIND_EDGE, encode
from actors.store.participant import Participant, nothing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from actors.kernel.envelope import Envelope
    from actors.store.messaging.output import Output

OPEN = (
    "INSERT INTO later (request, client_key, edge_seq) VALUES (?, ?, ?)"
    " ON CONFLICT (request) DO NOTHING"
)
BY_CLIENT_KEY = "SELECT request FROM later WHERE client_key = ?"
BY_EDGE_SEQ = "SELECT request FROM later WHERE edge_seq = ?"
ALL_OPEN = "SELECT request FROM later"
IS_OPEN = "SELECT 1 FROM later WHERE request = ?"
CLOSE = "DELETE FROM later WHERE request = ? RETURNING client_key, edge_seq"
ANSWER_CLIENT = "UPDATE client_key SET refused = ?, reply = ? WHERE key = ?"
ANSWER_EDGE = "UPDATE edge_key SET refused = ?, reply = ? WHERE seq = ?"
FORGET_EDGE = "UPDATE later SET edge_seq = NULL WHERE edge_seq IS NOT NULL"


def put_off(connection: sqlite3.Connection, envelope: Envelope, later: Later) -> None:
    """Note whom to answer. Raises ValueError where a request of that name is open."""
    seq = envelope.seq if envelope.key is None else None
    if not connection.execute(OPEN, (later.request, envelope.key, seq)).rowcount:
        message = (
            f"Later(request={later.request!r}): a request of that name is open already, and "
            "tx.reply could not tell them apart; take a new name each time, such as tx.new_id()"
        )
        raise ValueError(message)


def open_requests(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the names of the requests that wait for an answer."""
    return frozenset(request for (request,) in connection.execute(ALL_OPEN))


def still_open(connection: sqlite3.Connection, envelope: Envelope) -> str | None:
    """Return the request's name where this message's answer was put off and has not come."""
    if envelope.key is None:
        row = connection.execute(BY_EDGE_SEQ, (envelope.seq,)).fetchone()
    else:
        row = connection.execute(BY_CLIENT_KEY, (envelope.key,)).fetchone()
    return None if row is None else row[0]


class DeferredReplies(Participant):
    """Puts each reply where its request's key is looked up; the batch's own keys come before."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Work on the writer connection."""
        self._connection = connection

    def before_commit(self, output: Output) -> None:
        """Write them. One that nobody waits for is no error."""
        execute = self._connection.execute
        for request, value in output.replies:
            row = execute(CLOSE, (request,)).fetchone()
            if row is None:
                continue
            client_key, edge_seq = row
            refused, blob = value.__class__ is Refusal, encode(value)
            if client_key is not None:
                execute(ANSWER_CLIENT, (refused, blob, client_key))
            elif edge_seq is not None:
                execute(ANSWER_EDGE, (refused, blob, edge_seq))

    # All is in the tables.
    opened = begin = savepoint = savepoint_undone = committed = rolled_back = nothing


def find_answers(
    connection: sqlite3.Connection, waiting: Iterable[tuple[str, str | None, int]]
) -> dict[str, tuple[bool, bytes]]:
    """Return those answers that have come, as (refused, reply): each request has a name, key, seq.

    For whoever did not hear of the commit that answered.
    """
    found = {}
    for request, key, seq in waiting:
        if connection.execute(IS_OPEN, (request,)).fetchone() is not None:
            continue
        if key is None:
            row = connection.execute(FIND_EDGE, (seq,)).fetchone()
        else:
            row = connection.execute(FIND_CLIENT, (key,)).fetchone()
        if row is not None:
            found[request] = (bool(row["refused"]), row["reply"])
    return found
