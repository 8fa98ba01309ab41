"""Messages of a service to itself that are due at a time: kept until they are applied."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from actors.store.messaging.many_rows import NUMBERS_MIN, ManyRows
from actors.store.messaging.origin import TimerOrigin
from actors.store.messaging.output import AT_ONCE_US, Timer
from actors.store.participant import NEW, Settler, nothing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from actors.kernel.envelope import Envelope
    from actors.store.messaging.output import Output

PUT = (
    "INSERT INTO timer (seq, due_us, message_type, message, trace, by_us) VALUES (?, ?, ?, ?, ?, ?)"
)
PUT_MANY = ManyRows(PUT)
EXISTS = "SELECT 1 FROM timer WHERE seq = ?"
# The numbers are a JSON array.
COUNT_OF = "SELECT count(*) FROM timer WHERE seq IN (SELECT value FROM json_each(?))"
REMOVE = "DELETE FROM timer WHERE seq = ?"
REMOVE_ALL = "DELETE FROM timer WHERE seq IN (SELECT value FROM json_each(?))"
# The types are a JSON array: those that are wanted, or those that are not.
DUE = (
    "SELECT seq, due_us, message_type, message, trace, by_us FROM timer"
    " WHERE due_us BETWEEN ? AND ? AND (due_us, seq) > (?, ?)"
    " AND (message_type IN (SELECT value FROM json_each(?))) = ?"
    " ORDER BY due_us, seq LIMIT ?"
)
FIRST = "SELECT min(due_us) FROM timer"
NEXT = "SELECT min(due_us) FROM timer WHERE due_us > ?"
COUNTS = (
    "SELECT count(*), coalesce(sum(due_us <= ?), 0), min(due_us) FILTER (WHERE due_us > ?)"
    " FROM timer"
)


class Timers(Settler):
    """The timers of one writer connection. What it does commits with the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Work on the writer connection."""
        self._connection = connection
        # In the order in which they were applied.
        self._applied: dict[int, None] = {}
        # Those of the batch at hand, where they are many; and whether all of them were found.
        self._expected: frozenset[int] = frozenset()
        self._are_there: bool | None = None

    def comes(self, batch: Sequence[Envelope]) -> None:
        """The next batch is at hand: whether its timers are there is asked once."""
        seqs = [each.origin.seq for each in batch if each.origin.__class__ is TimerOrigin]
        self._expected = frozenset(seqs if len(seqs) >= NUMBERS_MIN else ())

    def begin(self, _: int) -> None:
        """Nobody has looked in this transaction."""
        self._are_there = None

    def outcome_of(self, origin: TimerOrigin, *, redelivered: bool) -> Any:
        """Return NEW, or None for what was applied before."""
        del redelivered
        return None if self.is_duplicate(origin.seq) else NEW

    def is_duplicate(self, seq: int) -> bool:
        """Whether the timer was applied before."""
        if seq in self._applied:
            return True
        if seq in self._expected:
            if self._are_there is None:
                asked = (_numbers(sorted(self._expected)),)
                found = self._connection.execute(COUNT_OF, asked).fetchone()[0]
                self._are_there = found == len(self._expected)
            if self._are_there:
                return False
        return self._connection.execute(EXISTS, (seq,)).fetchone() is None

    def apply(self, origin: TimerOrigin) -> None:
        """Let the timer be gone."""
        self._applied[origin.seq] = None

    def before_commit(self, output: Output) -> None:
        """Write the new ones, which the outbox has numbered, and remove those applied."""
        if output.timers:
            rows = [
                (each.seq, each.due_us, each.message_type, each.blob, each.trace, each.by_us)
                for each in output.timers
            ]
            PUT_MANY.insert(self._connection, rows)
        if len(self._applied) >= NUMBERS_MIN:
            self._connection.execute(REMOVE_ALL, (_numbers(list(self._applied)),))
        elif self._applied:
            self._connection.executemany(REMOVE, [(seq,) for seq in self._applied])
        self._applied.clear()

    def rolled_back(self) -> None:
        """Forget which were applied: they are there still."""
        self._applied.clear()

    opened = savepoint = savepoint_undone = committed = nothing


def _numbers(seqs: Sequence[int]) -> str:
    return msgspec.json.encode(seqs).decode()


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Timers that are due, in the order in which to send them.

    `next_us` is when the next one will be, if there is one.
    """

    timers: Sequence[Timer]
    next_us: int | None


class TimerTypes(msgspec.Struct, frozen=True):
    """Timers of these message types or, where not `included`, of all others."""

    names: tuple[str, ...]
    included: bool


class DuePlace:
    """How far due timers were looked at, in the order in which they are sent.

    What is not beyond it is in hand, was applied, or cannot be read: those wait, however many there
    are, and hold up no others.
    """

    __slots__ = ("_places",)

    def __init__(self) -> None:
        """Nothing was looked at."""
        # Of those due at once, and of those due at a time.
        self._places = {True: (AT_ONCE_US, 0), False: (AT_ONCE_US + 1, 0)}

    def go_to(self, due_us: int, seq: int) -> None:
        """Note that this one was looked at, and all before it."""
        at_once = due_us == AT_ONCE_US
        self._places[at_once] = max(self._places[at_once], (due_us, seq))

    def back_to(self, due_us: int, seq: int) -> None:
        """Note that this one was not: it stands in the table since."""
        at_once = due_us == AT_ONCE_US
        self._places[at_once] = min(self._places[at_once], (due_us, seq - 1))

    def after(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the place of those due at once, and that of those due at a time."""
        return self._places[True], self._places[False]


def load_due(
    connection: sqlite3.Connection,
    *,
    types: TimerTypes,
    after: tuple[tuple[int, int], tuple[int, int]],
    now_us: int,
    limit: int,
    at_once_max: int,
) -> Due:
    """Return up to `limit` due timers of these types, beyond a DuePlace; `next_us` is for any type.

    At most `at_once_max` of them are due at once.
    Those due at a time are in the order of that time, those due at once in that of their making.
    Of the two first of each the older goes first, so that neither can hold up the other for ever.
    """
    names = msgspec.json.encode(types.names).decode()

    def load(place: tuple[int, int], until_us: int, limit: int) -> list[Timer]:
        asked = (place[0], until_us, *place, names, types.included, limit)
        return [
            Timer(
                seq=row[0],
                due_us=row[1],
                message_type=row[2],
                blob=row[3],
                trace=row[4],
                by_us=row[5],
            )
            for row in connection.execute(DUE, asked)
        ]

    at_once = deque(load(after[0], AT_ONCE_US, min(limit, at_once_max)))
    timed = deque(load(after[1], now_us, limit))
    timers: list[Timer] = []
    while (at_once or timed) and len(timers) < limit:
        older = not timed or (at_once and at_once[0].seq < timed[0].seq)
        timers.append((at_once if older else timed).popleft())
    return Due(timers=timers, next_us=connection.execute(NEXT, (now_us,)).fetchone()[0])


class TimerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many timers there are, and how many of them are due.

    `next_due_us` is when the first is or was due of those that are not due at once.
    """

    pending: int
    due: int
    next_due_us: int | None


def count_timers(connection: sqlite3.Connection, *, now_us: int) -> TimerCounts:
    """Count a service's timers."""
    pending, due, next_due_us = connection.execute(COUNTS, (now_us, AT_ONCE_US)).fetchone()
    return TimerCounts(pending=pending, due=due, next_due_us=next_due_us)
