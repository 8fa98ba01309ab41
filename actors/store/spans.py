"""Keeps what a traced request led to in the step's own transaction: no step without its span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from actors.errors import Busy, DeadLettered, MessageExpired
from actors.kernel.messages import Later, Refusal, type_name, type_of
from actors.log import request_id
from actors.store.messaging.many_rows import ManyRows
from actors.store.messaging.origin import ChannelOrigin, LetterOrigin, TimerOrigin
from actors.store.participant import Participant, nothing
from actors.tracing.trace_context import Place, is_traced, read_place, span_id_of
from actors.tracing.trace_span import FIELDS, REQUEST, OpenedContext, TraceSpan

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from contextvars import Token

    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.store.messaging.output import Output
    from actors.tracing.span_book import End, SpanBook

PUT_MANY = ManyRows(
    f"INSERT INTO trace_span (seq, {', '.join(FIELDS)})"  # noqa: S608 - names of ours
    f" VALUES ({', '.join('?' * (len(FIELDS) + 1))})"
)
END = "UPDATE trace_span SET duration_us = ?, outcome = ? WHERE seq = ?"
COMMITTED = "UPDATE trace_span SET commit_us = ?3 WHERE seq BETWEEN ?1 AND ?2"
PRUNE = "DELETE FROM trace_span WHERE seq <= ?"
LAST = "SELECT coalesce(max(seq), 0) FROM trace_span"
OF_TRACE = "SELECT * FROM trace_span WHERE trace_id = ? ORDER BY seq LIMIT ?"
# Who has no answer comes first: nothing took longer.
SLOWEST = (
    "SELECT * FROM trace_span WHERE kind = ?"
    " ORDER BY duration_us IS NOT NULL, duration_us DESC, seq DESC LIMIT ?"
)
# What is neither of these was handled.
OUTCOMES: Final = {
    Refusal: "refused",
    Later: "later",
    MessageExpired: "expired",
    DeadLettered: "dead_letter",
}


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
        # Those that lead to steps of this batch and have no row yet; and the steps.
        self._opened: list[TraceSpan] = []
        self._steps: list[TraceSpan] = []
        self._ends: list[End] = []
        self._writes = False
        self._last = self._next = 0

    def step(self, envelope: Envelope) -> str | None:
        """Begin the step of a traced message; return what is to travel with what it sends."""
        trace, now_s = envelope.trace, self._clock.monotonic()
        assert trace is not None, "is_traced was asked"
        place = read_place(trace)
        kind, number = _origin_of(envelope)
        accepted_s = envelope.accepted_s
        self.at_work = span = TraceSpan(
            trace_id=place.trace_id,
            span_id=span_id_of(place.span_id, self._name, kind, number),
            parent_id=place.span_id,
            kind=kind,
            name=type_name(type_of(envelope.message)),
            service=self._name,
            start_us=self._clock.now_us(),
            wait_us=round((now_s - accepted_s) * 1e6) if accepted_s else None,
            attempts=envelope.attempt + 1,
        )
        self._begun_s = now_s
        self._log_as(trace)
        if trace.__class__ is OpenedContext and trace.opened.kept_by is None:
            self._opened.append(trace.opened)
        if place.hops >= self._book.hops_max:  # a timer that sets itself again would never end
            return place.request_id
        return Place(place.request_id, place.trace_id, span.span_id, place.hops + 1).context()

    def done(self, outcome: Any) -> None:
        """Hear how the step at work has ended, which is committed with all that it did."""
        span = self.at_work
        assert span is not None, "one is at work"
        self._leave()
        if isinstance(outcome, Busy):  # its message stays where it is kept, and comes again
            return
        span.duration_us = round((self._clock.monotonic() - self._begun_s) * 1e6)
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

    def begin(self, now_us: int) -> None:
        """Nothing was done yet."""
        del now_us
        self._forget()

    def before_commit(self, output: Output) -> None:
        """Write the steps, with what led to them; and what the last commits could not know."""
        del output
        book = self._book
        self._writes = bool(self._steps or book.ends or book.committed)
        if not self._writes:
            return
        execute = self._connection.execute
        if book.committed is not None:
            execute(COMMITTED, book.committed)
        if book.ends:
            self._ends = list(book.ends)
            self._connection.executemany(END, self._ends)
        self._next = self._last
        if self._steps:
            opened = {each.span_id: each for each in self._opened if each.kept_by is None}
            spans = [*opened.values(), *self._steps]
            PUT_MANY.insert(
                self._connection,
                [each.row(number) for number, each in enumerate(spans, self._last + 1)],
            )
            self._opened, self._next = list(opened.values()), self._last + len(spans)
            if self._next > book.rows_max:
                execute(PRUNE, (self._next - book.rows_max,))
        self._begun_s = self._clock.monotonic()

    def committed(self) -> None:
        """Note how long that took; and where the requests' ends are to be written."""
        if not self._writes:
            return
        book, first = self._book, self._last + 1
        for _ in self._ends:
            book.ends.popleft()
        book.committed = None
        if self._next >= first:
            commit_us = round((self._clock.monotonic() - self._begun_s) * 1e6)
            book.committed = (first, self._next, commit_us)
        for seq, each in enumerate(self._opened, first):
            each.seq, each.kept_by = seq, self._name
            if each.kind == REQUEST and each.duration_us is not None:
                book.ended(each)  # the client had its answer before this began
        self._last = self._next
        self._forget()

    def rolled_back(self) -> None:
        """Forget the steps: they come again."""
        self._forget()

    savepoint = savepoint_undone = nothing

    # --- Inside ------------------------------------------------------------------------------

    def _forget(self) -> None:
        if self._steps or self._opened or self._ends or self.at_work is not None:
            self._leave()
            self._opened, self._steps, self._ends = [], [], []

    def _log_as(self, trace: str) -> None:
        if self._logged is not None:
            request_id.reset(self._logged)
        self._logged = request_id.set(trace)

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


def spans_of(
    connection: sqlite3.Connection, *, service: str, trace_id: str, limit: int
) -> list[TraceSpan]:
    """Return the first `limit` spans of the trace that the service's file holds."""
    rows = connection.execute(OF_TRACE, (trace_id, limit)).fetchall()
    return _read(rows, service)


def slowest_requests(
    connection: sqlite3.Connection, *, service: str, limit: int
) -> list[TraceSpan]:
    """Return the requests whose clients waited longest, of those the service's file holds."""
    return _read(connection.execute(SLOWEST, (REQUEST, limit)).fetchall(), service)


def _read(rows: Sequence[Any], service: str) -> list[TraceSpan]:
    return [TraceSpan.of_row(row, service) for row in rows]
