"""What a system's files hold before a run begins: messages and timers on their way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from actors.simulation.oracles.handled import Content

if TYPE_CHECKING:
    from pathlib import Path

NUMBERED = "SELECT receiver, last FROM channel"
TIMERS = "SELECT seq, due_us, message_type, message, {} FROM timer"
WAITING = "SELECT receiver, number, message_type, message, {} FROM outbox"
# An earlier version has none.
TIMED = "SELECT 1 FROM pragma_table_info('timer') WHERE name = 'by_us'"
APPLIED = "SELECT sender, max(applied) FROM inbox GROUP BY sender"
TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
KEYS = "SELECT key FROM client_key"
EVENTS = "SELECT seq, message_type, message FROM event ORDER BY seq"
SUBSCRIPTIONS = "SELECT subscriber, event_type, left_at FROM subscription"


OWN = frozenset({"channel", "timer", "outbox", "inbox", "client_key", "event", "subscription"})


class TimerRow(NamedTuple):
    """A row of a service's timers."""

    seq: int
    due_us: int
    type: str
    json: bytes
    by_us: int | None = None


class OutboxRow(NamedTuple):
    """A row of an outbox."""

    number: int
    type: str
    json: bytes
    by_us: int | None = None


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """By service: its timers, and the number that was given last.

    By (sender, receiver): the number that was sent last, the one that was applied last, and what
    stands in the outbox. Of (service, key): those that were used. By publisher: the events that it
    keeps, numbered. Of (publisher, subscriber, event): the number after which it was sent none, or
    None where it is sent all.
    """

    timers: dict[str, list[TimerRow]] = {}
    timers_last: dict[str, int] = {}
    sent: dict[tuple[str, str], int] = {}
    applied: dict[tuple[str, str], int] = {}
    waiting: dict[tuple[str, str], list[OutboxRow]] = {}
    keys: set[tuple[str, str]] = set()
    events: dict[str, list[tuple[int, Content]]] = {}
    subscriptions: dict[tuple[str, str, str], int | None] = {}

    @classmethod
    def of(cls, folder: Path) -> Past:
        """Read it from the files themselves, which nobody is writing."""
        past = cls(
            timers={},
            timers_last={},
            sent={},
            applied={},
            waiting={},
            keys=set(),
            events={},
            subscriptions={},
        )
        for path in sorted(folder.glob("*.db")):
            with closing(sqlite3.connect(path)) as connection:
                past._read(path.stem, connection)
        return past

    def _read(self, name: str, connection: sqlite3.Connection) -> None:
        execute = connection.execute
        if (
            not {table for (table,) in execute(TABLES)} >= OWN
        ):  # of no service of ours, or an old one
            return
        for receiver, last in execute(NUMBERED):
            if receiver:
                self.sent[name, receiver] = last
            else:  # a service's own timers
                self.timers_last[name] = last
        by_us = "by_us" if execute(TIMED).fetchone() else "NULL"
        self.timers[name] = [TimerRow(*row) for row in execute(TIMERS.format(by_us))]
        for receiver, *row in execute(WAITING.format(by_us)):
            self.waiting.setdefault((name, receiver), []).append(OutboxRow(*row))
        for sender, applied in execute(APPLIED):
            self.applied[sender, name] = applied
        self.keys.update((name, key) for (key,) in execute(KEYS))
        self.events[name] = [(row[0], Content(*row[1:])) for row in execute(EVENTS)]
        self.subscriptions.update(
            {(name, subscriber, event): left for subscriber, event, left in execute(SUBSCRIPTIONS)}
        )
