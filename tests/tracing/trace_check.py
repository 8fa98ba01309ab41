"""What must hold of the traces in a system's files, by what went between its services.

It knows the table and what travels with messages, and none of the code that writes either.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

from actors.service.channel import Channel
from actors.service.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = "SELECT spans FROM trace_span ORDER BY seq"


class Row(NamedTuple):
    service: str
    trace_id: str
    span_id: str
    parent_id: str | None
    kind: str
    name: str


class Sent(NamedTuple):
    """A message of a traced request, as it went on its way."""

    sender: str
    receiver: str
    trace_id: str
    parent_id: str
    name: str


def rows_in(folder: Path) -> list[Row]:
    found = []
    for path in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(path)) as connection:
            for (spans,) in connection.execute(ROWS).fetchall():
                found += [Row(path.stem, *span[:5]) for span in json.loads(spans)]
    return found


@contextmanager
def noting() -> Iterator[set[Sent]]:
    """Note each message and each due timer that is traced, whichever incarnation sends it."""
    sent: set[Sent] = set()

    def note(sender: str, receiver: str, name: str, trace: str | None) -> None:
        _, _, context = (trace or "").partition(" ")
        if context:
            trace_id, parent_id, _ = context.split("-")
            sent.add(Sent(sender, receiver, trace_id, parent_id, name))

    def envelope(self: Any, message: Any) -> Any:
        note(self._sender, self._receiver, message.message_type, message.trace)
        return go(self, message)

    def start(self: Any, timer: Any) -> None:
        note(self._name, self._name, timer.message_type, timer.trace)
        begin(self, timer)

    go, begin = Channel._envelope, Scheduler._start
    with patch.object(Channel, "_envelope", envelope), patch.object(Scheduler, "_start", start):
        yield sent


def wrong_traces(rows: list[Row], sent: set[Sent]) -> Iterator[str]:
    """Yield each span without the one that led to it, and each message that was sent and has none.

    What led to a message is of its sender.

    Of a system at rest, which has nothing under way.
    """
    spans = {row.span_id: row.service for row in rows}
    for row in rows:
        if row.kind == "request":
            continue
        if row.parent_id not in spans:
            yield f"an orphan: {row}"
    kept = {(row.service, row.trace_id, row.parent_id, row.name) for row in rows}
    for each in sent:
        if spans.get(each.parent_id, each.sender) != each.sender:
            yield f"below another service's step: {each}"
        if (each.receiver, each.trace_id, each.parent_id, each.name) not in kept:
            yield f"a hole: {each}"
