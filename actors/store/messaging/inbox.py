"""The receiver's end of the channels between services, in the receiver's own transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from actors.errors import OutOfOrder
from actors.program import PROGRAM
from actors.store.participant import NEW, Settler, nothing

if TYPE_CHECKING:
    import sqlite3

    from actors.store.messaging.origin import ChannelOrigin
    from actors.store.messaging.output import Output

log = structlog.get_logger()

MARKS = "SELECT sender, store, applied FROM inbox"
KEEP_MARK = (
    "INSERT INTO inbox (sender, store, applied) VALUES (?, ?, ?)"
    " ON CONFLICT (sender, store) DO UPDATE SET applied = excluded.applied"
)


class Inbox(Settler):
    """The receiver's end: marks in memory, written in the transaction that moves them.

    The memory cannot be behind the table: only the epoch's owner writes.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        """Work on the writer connection of the service `name`."""
        self._connection = connection
        self._name = name
        # By the sender, and its file.
        self._marks: dict[tuple[str, str], int] = {}
        self._moved: dict[tuple[str, str], int] = {}
        self._rewound: set[str] = set()

    def opened(self) -> None:
        """Read the marks."""
        rows = self._connection.execute(MARKS).fetchall()
        self._marks = {(row[0], row[1]): row[2] for row in rows}

    def outcome_of(self, origin: ChannelOrigin, *, redelivered: bool) -> Any:
        """Return NEW, None for a duplicate, or OutOfOrder where one before it was not applied."""
        file = (origin.sender, origin.store)
        applied = self._moved.get(file) or self._marks.get(file, 0)
        if applied + 1 == origin.number <= origin.last:
            return NEW  # as nearly all are
        try:
            return None if self.is_duplicate(origin, redelivered=redelivered) else NEW
        except OutOfOrder as error:
            return error

    def is_duplicate(self, origin: ChannelOrigin, *, redelivered: bool) -> bool:
        """Whether the message was applied before. Raises OutOfOrder where one before it was not.

        One that is `redelivered` by the mailbox says nothing of where its sender stands now: those
        sent after it may have been applied with it, by an incarnation that died unheard.
        """
        file = (origin.sender, origin.store)
        applied = self._moved.get(file) or self._marks.get(file, 0)
        if origin.last < applied and not redelivered:
            # It has forgotten what it had sent, and gives the same numbers to other messages. None
            # is taken for what was applied: they wait in its outbox until it begins anew.
            self._tell_rewound(origin, applied)
            error = f"{origin.sender} is at {origin.last}, and has sent {applied} before"
            raise OutOfOrder(error)
        if origin.number <= applied:
            return True
        if origin.number == applied + 1:
            return False
        if origin.number != origin.base:
            error = f"{origin.sender}: message {origin.number} came after {applied}"
            raise OutOfOrder(error)
        if origin.number == origin.first:
            return False  # no other was given under this identity, and those before are settled
        # Its sender has had these acknowledged: this file is older than that, or not the same.
        log.warning(
            "channel gap", sender=origin.sender, receiver=self._name,
            applied=applied, next=origin.number, advice="was a backup restored?",
        )  # fmt: skip
        return False

    def _tell_rewound(self, origin: ChannelOrigin, applied: int) -> None:
        if origin.sender not in self._rewound:
            self._rewound.add(origin.sender)
            log.error(
                "channel rewound", sender=origin.sender, receiver=self._name,
                applied=applied, last=origin.last,
                advice="the sender's file is older than this one, and its messages wait; start the "
                f"system again, and then: {PROGRAM} accept-loss {origin.sender}",
            )  # fmt: skip

    def apply(self, origin: ChannelOrigin) -> None:
        """Move the mark."""
        self._moved[origin.sender, origin.store] = origin.number

    def before_commit(self, _: Output) -> None:
        """Write the marks that moved."""
        if self._moved:
            rows = [(*file, applied) for file, applied in self._moved.items()]
            self._connection.executemany(KEEP_MARK, rows)

    def committed(self) -> None:
        """Go on from the marks that were written."""
        self._marks.update(self._moved)
        self._moved = {}

    def rolled_back(self) -> None:
        """Put the marks back."""
        self._moved = {}

    # A command that is refused is applied all the same, and one that crashes has moved no mark.
    begin = savepoint = savepoint_undone = nothing
