"""Decides at the edge which requests are traced, and keeps of them what no transaction does."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from actors.kernel.messages import type_name, type_of
from actors.tracing.recent_steps import RecentStep, RecentSteps
from actors.tracing.span_book import SpanBook
from actors.tracing.trace_context import (
    Place,
    is_traced,
    read_place,
    read_traceparent,
    span_id_of,
)
from actors.tracing.trace_span import (
    EDGE,
    REMOTE,
    REQUEST,
    OpenedContext,
    TraceSpan,
    outcome_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.config import TraceConfig
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.tracing.span_export import SpanExport


class Tracing:
    """One a system, on the loop.

    A request is traced where its caller's traceparent says so or, without one, by chance: so the
    decision is made once (head sampling). What it leads to is traced with it, and by nothing else.
    Callers are whoever comes: no more than `trace.asked_per_s_max` a second are traced for their
    sake, a second's worth at once.

    Steps that are committed are rows of their services' files. What commits nothing, queries and
    requests that led to no step, stays here in memory, up to `trace.memory_spans_max`.

    Where some are traced by chance, what is done for the others is remembered for a while, in
    memory too; and kept, up to `trace.errors_max` requests, where the answer is an error of ours.
    """

    def __init__(
        self, config: TraceConfig, *, clock: Clock, rng: Rng, export: SpanExport | None = None
    ) -> None:
        """`rng` decides, and makes ids; nobody else draws from it. `export` gets all, once each."""
        self._config = config
        self.export = export
        self.clock = clock
        self._rng = rng
        # When the next may be traced for its caller's sake, were there no burst: a virtual
        # scheduling algorithm (GCRA, ITU-T I.371).
        self._next_asked_s = 0.0
        self._memory: deque[TraceSpan] = deque(maxlen=config.memory_spans_max)
        self.books: dict[str, SpanBook] = {}
        self.recent = RecentSteps(config, clock) if config.sample_share > 0 else None
        self._erred: deque[tuple[TraceSpan, list[tuple[Any, ...]]]]
        self._erred = deque(maxlen=config.errors_max)

    @property
    def share(self) -> float:
        """How many of the requests are traced that bring no traceparent."""
        return self._config.sample_share

    def book_of(self, service: str) -> SpanBook:
        """Return what is between the loop and the service's file."""
        book = self.books.get(service)
        if book is None:
            book = self.books[service] = SpanBook(self._config, self.export)
        return book

    def begin(
        self, traceparent: str | None, given: str, *, arrived_s: float, name: str = ""
    ) -> TraceSpan | None:
        """Return the request's span if it is to be traced. It arrived at `arrived_s`, monotonic."""
        caller = None if traceparent is None else read_traceparent(traceparent)
        if caller is None:
            if self._rng.random() >= self.share:
                return None
        elif not (caller.sampled and self._may_be_asked()):
            return None
        waited_s = self.clock.monotonic() - arrived_s
        return TraceSpan(
            trace_id=f"{self._rng.getrandbits(128):032x}" if caller is None else caller.trace_id,
            span_id=f"{self._rng.getrandbits(64):016x}",
            parent_id=None if caller is None else caller.span_id,
            kind=REQUEST,
            name=name,
            service=EDGE,
            start_us=self.clock.now_us() - round(waited_s * 1e6),
            wait_us=round(waited_s * 1e6),
            request_id=given,
        )

    def ended(self, request: TraceSpan, *, outcome: str, duration_s: float) -> None:
        """Note the end of a request that was traced."""
        request.duration_us, request.outcome = round(duration_s * 1e6), outcome
        if request.kept_by is None:
            self._memory.append(request)
        else:
            self.books[request.kept_by].ended(request)
        if self.export is not None:
            self.export.put([request])

    def answered(
        self, service: str, batch: Sequence[Envelope], outcomes: Sequence[Any], begun_s: float
    ) -> None:
        """Note the queries of a batch that were asked for requests that are traced."""
        for envelope, outcome in zip(batch, outcomes, strict=False):
            if is_traced(envelope.trace):
                self._keep(self._query(service, envelope, outcome, begun_s))
        if self.recent is not None:
            self.recent.note(service, "query", batch, outcomes, begun_s)

    def call(self, trace: str, *, service: str, name: str) -> TraceSpan:
        """Return the span of a request that is made to a remote service for a traced message.

        Each has one of its own, however often the same is tried: the id is made by chance.
        """
        place = read_place(trace)
        return TraceSpan(
            trace_id=place.trace_id,
            span_id=f"{self._rng.getrandbits(64):016x}",
            parent_id=place.span_id,
            kind=REMOTE,
            name=name,
            service=service,
            start_us=self.clock.now_us(),
        )

    def called(self, span: TraceSpan, *, outcome: str, begun_s: float) -> None:
        """Note how that has ended, which had begun at `begun_s`, monotonic."""
        span.duration_us = round((self.clock.monotonic() - begun_s) * 1e6)
        span.outcome = outcome
        self._keep(span)

    def erred(
        self, given: str, *, name: str, arrived_s: float, outcome: str, duration_s: float
    ) -> None:
        """Keep what was done for the request `given`, which was not traced: its answer says 5xx."""
        steps = None if self.recent is None else self.recent.of(given)
        if not steps:
            return
        now_s = self.clock.monotonic()
        span = TraceSpan(
            trace_id=f"{self._rng.getrandbits(128):032x}",
            span_id=f"{self._rng.getrandbits(64):016x}",
            kind=REQUEST,
            name=name,
            service=EDGE,
            start_us=self.clock.now_us() - round((now_s - arrived_s) * 1e6),
            duration_us=round(duration_s * 1e6),
            outcome=outcome,
            request_id=given,
        )
        self._erred.append((span, steps))
        if self.export is not None:  # what is done for it from now on is kept here alone
            self.export.put([span, *self._remembered(span, steps)])

    def spans_of(self, trace_id: str) -> list[TraceSpan]:
        """Return those of the trace that are kept in memory."""
        found = [each for each in self._memory if each.trace_id == trace_id]
        for request, steps in self._erred:
            if request.trace_id == trace_id:
                found += [request, *self._remembered(request, steps)]
        return found

    def requests(self) -> list[TraceSpan]:
        """Return the requests that are kept in memory."""
        traced = [each for each in self._memory if each.kind == REQUEST]
        return traced + [request for request, _ in self._erred]

    def is_sampled(self, trace_id: str) -> bool:
        """Whether it was traced from its beginning, as far as is known here."""
        return not any(request.trace_id == trace_id for request, _ in self._erred)

    # --- Inside ------------------------------------------------------------------------------

    def _may_be_asked(self) -> bool:
        now_s = self.clock.monotonic()
        due_s = max(self._next_asked_s, now_s)
        if due_s - now_s >= 1.0:
            return False
        self._next_asked_s = due_s + 1.0 / self._config.asked_per_s_max
        return True

    def _keep(self, span: TraceSpan) -> None:
        self._memory.append(span)
        if self.export is not None:
            self.export.put([span])

    def _remembered(self, request: TraceSpan, steps: Sequence[tuple[Any, ...]]) -> list[TraceSpan]:
        """Return the steps as spans below their request: what led to them was not written down."""
        before_us = self.clock.now_us() - round(self.clock.monotonic() * 1e6)
        return [
            TraceSpan(
                trace_id=request.trace_id,
                span_id=span_id_of(request.span_id, each.service, each.kind, number),
                parent_id=request.span_id,
                kind=each.kind,
                name=each.message.__name__,
                service=each.service,
                start_us=before_us + round(each.begun_s * 1e6),
                wait_us=(
                    round((each.begun_s - each.accepted_s) * 1e6) if each.accepted_s else None
                ),
                duration_us=round((each.ended_s - each.begun_s) * 1e6),
                outcome=outcome_of(each.outcome),
                attempts=each.attempts,
            )
            for number, each in enumerate(map(RecentStep._make, steps))
        ]

    def _query(self, service: str, envelope: Envelope, outcome: Any, begun_s: float) -> TraceSpan:
        assert envelope.trace is not None, "is_traced was asked"
        place, now_s = read_place(envelope.trace), self.clock.monotonic()
        duration_us, accepted_s = round((now_s - begun_s) * 1e6), envelope.accepted_s
        return TraceSpan(
            trace_id=place.trace_id,
            span_id=span_id_of(place.span_id, service, "query", envelope.seq),
            parent_id=place.span_id,
            kind="query",
            name=type_name(type_of(envelope.message)),
            service=service,
            start_us=self.clock.now_us() - duration_us,
            wait_us=round((begun_s - accepted_s) * 1e6) if accepted_s else None,
            duration_us=duration_us,
            outcome=outcome_of(outcome.__class__),
            attempts=envelope.attempt + 1,
        )


def context_of(opened: TraceSpan, given: str) -> OpenedContext:
    """Return what travels with the messages of a request or an effect, of the request `given`."""
    return OpenedContext.of(Place(given, opened.trace_id, opened.span_id, 0).context(), opened)
