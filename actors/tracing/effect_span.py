"""What the trace is told of an effect, by the step that its end is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.tracing.trace_context import read_place, span_id_of
from actors.tracing.trace_span import OpenedContext, TraceSpan

if TYPE_CHECKING:
    from actors.kernel.clock import Clock


class EffectSpan:
    """One effect under way of a request that is traced.

    Its id is made of what asked for it: it is the same in the process that comes after a kill, so
    that whoever was asked before is found under it.
    """

    __slots__ = ("_begun_s", "_clock", "_span", "attempts", "context")

    def __init__(self, service: str, seq: int, name: str, trace: str, clock: Clock) -> None:
        """`seq` and `trace` are its timer's, `name` is the type of its message."""
        place = read_place(trace)
        self._clock = clock
        self._begun_s = clock.monotonic()
        # Of attempts begun: those of a process that was killed are not known.
        self.attempts = 0
        self._span = TraceSpan(
            trace_id=place.trace_id,
            span_id=span_id_of(place.span_id, service, "effect", seq),
            parent_id=place.span_id,
            kind="effect",
            name=name,
            service=service,
            start_us=clock.now_us(),
        )
        # What travels with what it asks.
        self.context = place._replace(span_id=self._span.span_id).context()

    def ended(self, outcome: str) -> OpenedContext:
        """Note how it has ended; return what its outcome carries, whose step keeps it."""
        self._span.duration_us = round((self._clock.monotonic() - self._begun_s) * 1e6)
        self._span.attempts, self._span.outcome = max(1, self.attempts), outcome
        return OpenedContext.of(self.context, self._span)
