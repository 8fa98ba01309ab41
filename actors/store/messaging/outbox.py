"""The sender's end of the channels between services, in the sender's own transactions.

A message is a row of its sender's outbox, committed with whatever made the sender send it, and
numbered per receiver without gaps. The receiver keeps the highest number it has applied, in the
transaction that applied it; so a message may be delivered any number of times and takes effect
once, and in order. (Sequence numbers and a high-water mark per ordered channel are what TCP does;
the transactional outbox and the idempotent receiver are Pat Helland's, "Life beyond Distributed
Transactions", CIDR 2007.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.store.files.file_history import FIRST, former_of
from actors.store.messaging.many_rows import ManyRows
from actors.store.messaging.output import Outgoing
from actors.store.messaging.unheard import heard
from actors.store.participant import Participant, nothing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping

    from actors.config import StoreConfig
    from actors.kernel.clock import Clock
    from actors.store.messaging.output import Output
    from actors.store.messaging.service_catalog import ServiceCatalog, Subscription

# Under this receiver stands the last number of the service's own timers.
TIMERS = ""

LAST = "SELECT receiver, last FROM channel"
KEEP_LAST = (
    "INSERT INTO channel (receiver, last) VALUES (?, ?)"
    " ON CONFLICT (receiver) DO UPDATE SET last = excluded.last"
)
PUT = (
    "INSERT INTO outbox (receiver, number, message_type, message, trace, at_us, by_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
PUT_MANY = ManyRows(PUT)
REMOVE = "DELETE FROM outbox WHERE receiver = ? AND number <= ?"
LOAD = (
    "SELECT number, message_type, message, trace, by_us FROM outbox"
    " WHERE receiver = ? AND number > ? ORDER BY number LIMIT ?"
)
OLDEST = "SELECT at_us FROM outbox WHERE receiver = ? AND number > ? ORDER BY number LIMIT 1"

KEEP_EVENTS = ManyRows(
    "INSERT INTO event (message_type, message, trace, at_us) VALUES (?, ?, ?, ?)"
)
LAST_EVENT = "SELECT coalesce(max(seq), 0) FROM event"
FORGET_EVENTS = "DELETE FROM event WHERE seq <= (SELECT max(seq) FROM event) - ?"
EVENTS_AFTER = (
    "SELECT seq, message_type, message, trace FROM event WHERE seq > ?"
    " AND message_type IN (SELECT value FROM json_each(?))"
)

SUBSCRIPTIONS = "SELECT subscriber, event_type, left_at FROM subscription"
SUBSCRIBE = (
    "INSERT INTO subscription (subscriber, event_type, left_at) VALUES (?, ?, NULL)"
    " ON CONFLICT (subscriber, event_type) DO UPDATE SET left_at = NULL"
)
UNSUBSCRIBE = "UPDATE subscription SET left_at = ? WHERE subscriber = ? AND event_type = ?"


class ChannelBacklog(msgspec.Struct, frozen=True):
    """What an outbox held when its incarnation began: numbers `first` to `last`, or nothing.

    `former` are those that its file gave before it began anew, see Numbering. `listeners` are who
    has ever listened to what from this file, see was_wanted.
    """

    first: int
    last: int
    former: tuple[tuple[str, int], ...] = ()
    listeners: frozenset[tuple[str, str]] = frozenset()


class Outbox(Participant):
    """The sender's end. One a writer connection; what it does commits with the transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        catalog: ServiceCatalog,
        config: StoreConfig,
        clock: Clock,
    ) -> None:
        """Work on the writer connection; `catalog` says who subscribes to what."""
        self._connection = connection
        self._catalog = catalog
        self._messages_max = config.outbox_messages_max
        self._events_max = config.events_kept_max
        self._clock = clock
        self._last: dict[str, int] = {}
        self._next: dict[str, int] = {}
        # The highest numbers that receivers have applied: set on the loop, read on the writer.
        self.acknowledged: dict[str, int] = {}
        # And those whose rows are gone: set on the writer, read on the loop.
        self.removed: dict[str, int] = {}
        self._to_remove: list[tuple[str, int]] = []

    def opened(self) -> None:
        """Read where the channels stand, and serve new subscribers."""
        self._last = dict(self._connection.execute(LAST).fetchall())
        self._subscribe(self._clock.now_us())
        first: dict[str, int] = dict(self._connection.execute(FIRST).fetchall())
        self.acknowledged = {
            receiver: first.get(receiver, last + 1) - 1
            for receiver, last in self._last.items()
            if receiver != TIMERS
        }
        self.removed = dict(self.acknowledged)

    def backlog(self) -> dict[str, ChannelBacklog]:
        """Return what is on its way to each receiver."""
        first: dict[str, int] = dict(self._connection.execute(FIRST).fetchall())
        former = former_of(self._connection)
        listeners = heard(self._connection)
        return {
            receiver: ChannelBacklog(
                first.get(receiver, last + 1), last, former.get(receiver, ()), listeners
            )
            for receiver, last in self._last.items()
            if receiver != TIMERS
        }

    @property
    def timer_seq(self) -> int:
        """The last number that a timer was given."""
        return self._last.get(TIMERS, 0)

    def is_full(self, receiver: str) -> bool:
        """Whether the receiver has left too much untaken, of what was committed."""
        untaken = self._last.get(receiver, 0) - self.acknowledged.get(receiver, 0)
        return untaken >= self._messages_max

    def before_commit(self, output: Output) -> None:
        """Number and write the messages and events, number the timers, remove what was applied."""
        last = self._last
        if output.messages or output.timers:
            last = dict(last)
            rows = []
            now_us = self._clock.now_us()
            for timer in output.timers:
                timer.seq = last[TIMERS] = last.get(TIMERS, 0) + 1
            for each in output.messages:
                each.number = last[each.receiver] = last.get(each.receiver, 0) + 1
                rows.append(
                    (each.receiver, each.number, each.message_type, each.blob, each.trace, now_us,
                     each.by_us)
                )  # fmt: skip
            PUT_MANY.insert(self._connection, rows)
            moved = [pair for pair in last.items() if self._last.get(pair[0]) != pair[1]]
            self._connection.executemany(KEEP_LAST, moved)
        if output.events:
            self._keep_events(output)
        self._to_remove = [
            pair
            for pair in self.acknowledged.copy().items()
            if self.removed.get(pair[0]) != pair[1]
        ]
        if self._to_remove:
            self._connection.executemany(REMOVE, self._to_remove)
        self._next = last

    def committed(self) -> None:
        """Go on from the numbers that were given."""
        self._last = self._next
        self.removed.update(self._to_remove)

    # The numbers are given at the commit, and again at the next one where that fails.
    begin = savepoint = savepoint_undone = rolled_back = nothing

    # --- Inside ------------------------------------------------------------------------------

    def _keep_events(self, output: Output) -> None:
        now_us = self._clock.now_us()
        rows = [(each.message_type, each.blob, each.trace, now_us) for each in output.events]
        KEEP_EVENTS.insert(self._connection, rows)
        self._connection.execute(FORGET_EVENTS, (self._events_max,))

    def _subscribe(self, now_us: int) -> None:
        """Send kept events to whoever subscribes anew, as it asks; note who has left.

        Under former names too: who goes back to the code before has had what this one was sent.
        """
        execute = self._connection.execute
        wanted = {
            (each.subscriber, name)
            for each in self._catalog.subscriptions
            for name in (each.event_type, *each.formerly)
        }
        (last_event,) = execute(LAST_EVENT).fetchone()
        rows = execute(SUBSCRIPTIONS).fetchall()
        there = {(row[0], row[1]) for row in rows if row[2] is None}
        for subscriber, event_type in sorted(there - wanted):
            execute(UNSUBSCRIBE, (last_event, subscriber, event_type))
        missed = list(missed_events(self._connection, self._catalog.subscriptions))
        self._connection.executemany(SUBSCRIBE, sorted(wanted - there))
        self._send_missed(sorted(missed, key=lambda row: row[:2]), now_us)

    def _send_missed(
        self, missed: Iterable[tuple[int, str, str, bytes, str | None]], now_us: int
    ) -> None:
        last = self._last
        for _, subscriber, message_type, blob, trace in missed:
            last[subscriber] = last.get(subscriber, 0) + 1
            row = (subscriber, last[subscriber], message_type, blob, trace, now_us, None)
            self._connection.execute(PUT, row)
        self._connection.executemany(KEEP_LAST, last.items())


def missed_events(
    connection: sqlite3.Connection, subscriptions: Iterable[Subscription]
) -> Iterator[tuple[int, str, str, bytes, str | None]]:
    """Yield the kept events that subscribers are sent at the next start: who is new, or back.

    A row's number, the subscriber, the message's type and itself, and its trace. An event that is
    called otherwise now is the same: what a subscriber was sent under either name, it has had.
    """
    left = {(row[0], row[1]): row[2] for row in connection.execute(SUBSCRIPTIONS).fetchall()}
    (last_event,) = connection.execute(LAST_EVENT).fetchone()
    for each in subscriptions:
        names = (each.event_type, *each.formerly)
        known = [left[each.subscriber, name] for name in names if (each.subscriber, name) in left]
        if None in known:
            continue
        after = max(known, default=0 if each.start == "beginning" else last_event)
        asked = (after, msgspec.json.encode(names).decode())
        for seq, message_type, blob, trace in connection.execute(EVENTS_AFTER, asked).fetchall():
            if each.wants(blob):
                yield seq, each.subscriber, message_type, blob, trace


def load_outgoing(
    connection: sqlite3.Connection, receiver: str, *, after: int, limit: int
) -> list[Outgoing]:
    """Return up to `limit` messages on their way to `receiver`, from number `after` + 1 on."""
    rows = connection.execute(LOAD, (receiver, after, limit)).fetchall()
    return [
        Outgoing(
            receiver=receiver,
            number=row[0],
            message_type=row[1],
            blob=row[2],
            trace=row[3],
            by_us=row[4],
        )
        for row in rows
    ]


def load_oldest(connection: sqlite3.Connection, acknowledged: Mapping[str, int]) -> dict[str, int]:
    """Return when the oldest message to each receiver was sent that is not acknowledged."""
    found = {}
    for receiver, number in acknowledged.items():
        row = connection.execute(OLDEST, (receiver, number)).fetchone()
        if row is not None:
            found[receiver] = row[0]
    return found
