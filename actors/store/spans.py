"""Keeps what a traced request led to in the step's own transaction: no step without its span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.errors import Busy
from actors.kernel.messages import type_name, type_of
from actors.log import request_id
from actors.store.messaging.origin import ChannelOrigin, LetterOrigin, TimerOrigin
from actors.store.participant import Participant, nothing
from actors.tracing.trace_context import is_traced, read_place, span_id_of
from actors.tracing.trace_span import OUTCOMES, REQUEST, OpenedContext, TraceSpan

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from contextvars import Token

    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.store.messaging.output import Output
    from actors.tracing.span_book import SpanBook
    from actors.tracing.span_export import SpanExport

PUT = "INSERT INTO trace_span (seq, commit_us, spans) VALUES (?, ?, ?)"
PRUNE = "DELETE FROM trace_span WHERE seq <= ?"
LAST = "SELECT coalesce(max(seq), 0) FROM trace_span"
# With how long the commit took: the row behind it says so.
ROWS = "SELECT seq, spans, lead(commit_us) OVER (ORDER BY seq) AS commit_us FROM trace_span"
OF_TRACE = f"SELECT * FROM ({ROWS}) WHERE instr(spans, ?)"  # noqa: S608 - SQL of ours
# Of how many spans too many are pruned together: to look for them costs as much as to add one.
PRUNED_SHARE: Final = 1 / 16
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[TraceSpan]).decode


class Spans(Participant):
    """The spans of one writer connection's steps. What it writes commits with them.

    What a step sends carries the id of its span, which is made from what led to it: whatever is
    run again, after a rollback or in another process, has the same, so that its messages find it.
    """

    def __init__(
        self, connection: sqlite3.Connection, name: str, clock: Clock, book: SpanBook
    ) -> None:
        """`name` is the service's own; `book` is shared with the loop."""
        self._connection = connection
        self._name = name
        self._clock = clock
        self._book = book
        # The step at work, if its request is traced, and when it began.
        self.at_work: TraceSpan | None = None
        self._begun_s = 0.0
        self._logged: Token[str | None] | None = None
        # Those that lead to steps of this batch and are in no row yet; and the steps.
        self._opened: list[TraceSpan] = []
        self._steps: list[TraceSpan] = []
        # How many of those that had ended late stand in the row that is written, if one is.
        self._late = 0
        self._writes = False
        # The number of the last row: that of its last span. And up to where all were pruned.
        self._last = self._next = self._pruned = 0

    def step(self, envelope: Envelope) -> str | None:
        """Begin the step of a traced message; return what is to travel with what it sends."""
        trace, self._begun_s = envelope.trace, self._clock.monotonic()
        assert trace is not None, "is_traced was asked"
        request, trace_id, parent_id, hops = read_place(trace)
        kind, number = _origin_of(envelope)
        span_id = span_id_of(parent_id, self._name, kind, number)
        accepted_s = envelope.accepted_s
        self.at_work = TraceSpan(
            trace_id=trace_id,
            span_id=span_id,
            parent_id=parent_id,
            kind=kind,
            name=type_name(type_of(envelope.message)),
            service=self._name,
            start_us=self._clock.now_us(),
            wait_us=int((self._begun_s - accepted_s) * 1e6) if accepted_s else None,
            attempts=envelope.attempt + 1,
        )
        if self._logged is not None:
            request_id.reset(self._logged)
        self._logged = request_id.set(trace)
        if trace.__class__ is OpenedContext and trace.opened.kept_by is None:
            self._opened.append(trace.opened)
        if hops >= self._book.hops_max:  # a timer that sets itself again would never end
            return request
        return f"{request} {trace_id}-{span_id}-{hops + 1:02x}"

    def done(self, outcome: Any) -> None:
        """Hear how the step at work has ended, which is committed with all that it did."""
        span = self.at_work
        assert span is not None, "one is at work"
        self._leave()
        if isinstance(outcome, Busy):  # its message stays where it is kept, and comes again
            return
        span.duration_us = int((self._clock.monotonic() - self._begun_s) * 1e6)
        span.outcome = OUTCOMES.get(outcome.__class__, "handled")
        self._steps.append(span)

    def unrun(self, envelope: Envelope) -> None:
        """Begin the step of a message, traced or not, that is settled without its handler."""
        if is_traced(envelope.trace):
            self.step(envelope)
            assert self.at_work is not None, "it has begun"
            self.at_work.attempts = envelope.attempt

    # --- The steps of the batch --------------------------------------------------------------

    def opened(self) -> None:
        """Go on from the last number."""
        self._last = self._connection.execute(LAST).fetchone()[0]
        self._book.committed = None

    def begin(self, now_us: int) -> None:
        """Nothing was done yet."""
        del now_us
        self._forget()

    def before_commit(self, output: Output) -> None:
        """Write the steps in one row, with what led to them and what has ended since the last."""
        del output
        book = self._book
        self._writes = bool(self._steps or book.late)
        if not self._writes:
            return
        late = list(book.late)
        self._late = len(late)
        self._opened = list({each.span_id: each for each in self._opened}.values())
        spans = [*late, *self._opened, *self._steps]
        self._next = self._last + len(spans)
        commit_us = None if book.committed is None else book.committed[1]
        self._connection.execute(PUT, (self._next, commit_us, _encode(spans).decode()))
        if self._next - self._pruned > book.rows_max * (1 + PRUNED_SHARE):
            self._pruned = self._next - book.rows_max
            self._connection.execute(PRUNE, (self._pruned,))
        self._begun_s = self._clock.monotonic()

    def committed(self) -> None:
        """Note how long that took; and where the requests' ends are to be written."""
        if not self._writes:
            return
        book, self._last = self._book, self._next
        for _ in range(self._late):
            book.late.popleft()
        book.committed = self._last, round((self._clock.monotonic() - self._begun_s) * 1e6)
        for each in self._opened:
            each.kept_by = self._name
            if each.kind == REQUEST and each.duration_us is not None:
                book.ended(each)  # the client had its answer before this began
        if book.export is not None:
            self._export(book.export, book.committed[1])
        self._forget()

    def rolled_back(self) -> None:
        """Forget the steps: they come again."""
        self._forget()

    savepoint = savepoint_undone = nothing

    # --- Inside ------------------------------------------------------------------------------

    def _forget(self) -> None:
        if self._steps or self._opened or self.at_work is not None:
            self._leave()
            self._opened, self._steps = [], []

    def _export(self, export: SpanExport, commit_us: int) -> None:
        """Have the steps leave, and the effects that led to them; a request leaves when it ends."""
        for step in self._steps:
            step.commit_us = commit_us
        export.put([*(each for each in self._opened if each.kind != REQUEST), *self._steps])

    def _leave(self) -> None:
        self.at_work = None
        if self._logged is not None:
            request_id.reset(self._logged)
            self._logged = None


def _origin_of(envelope: Envelope) -> tuple[str, object]:
    """Return what kind of message it is, and what tells it from others of one parent."""
    origin = envelope.origin
    if origin.__class__ is ChannelOrigin:
        return "message", origin.number
    if origin.__class__ is TimerOrigin:
        return ("outcome" if origin.has_ended else "timer"), origin.seq
    if origin.__class__ is LetterOrigin:
        return "letter", origin.letter_id
    return "command", envelope.seq


def spans_of(connection: sqlite3.Connection, *, trace_id: str, book: SpanBook) -> list[TraceSpan]:
    """Return the spans of the trace that the service's file holds, or is to hold."""
    rows = connection.execute(OF_TRACE, (trace_id,))
    return [each for each in _read(rows, book) if each.trace_id == trace_id]


def requests_in(connection: sqlite3.Connection, *, book: SpanBook) -> list[TraceSpan]:
    """Return the traced requests that the service's file holds, or is to hold."""
    return [each for each in _read(connection.execute(ROWS), book) if each.kind == REQUEST]


def _read(rows: Iterable[Any], book: SpanBook) -> Iterator[TraceSpan]:
    last, last_us = book.committed or (0, None)
    for row in rows:
        commit_us = last_us if row["seq"] == last else row["commit_us"]
        for span in _decode(row["spans"]):
            if span.kind not in {REQUEST, "effect"}:
                span.commit_us = commit_us
            yield span
    yield from list(book.late)
