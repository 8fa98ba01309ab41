"""What of a service's spans is not in its file yet, for whoever writes there next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.config import TraceConfig
    from actors.tracing.trace_span import TraceSpan

    # A request's duration in microseconds, its outcome, and the number of its row.
    End = tuple[int | None, str | None, int]


class SpanBook:
    """Outlives a service's incarnations. The loop writes ends, the writer's thread takes them."""

    def __init__(self, config: TraceConfig | None = None) -> None:
        """Without a configuration nothing is traced there."""
        self.rows_max = 0 if config is None else config.rows_max
        self.hops_max = 0 if config is None else config.hops_max
        self._ends_max = 0 if config is None else config.memory_spans_max
        self.ends: deque[End] = deque()
        # From which number to which the last commit has kept, and how long it took.
        self.committed: tuple[int, int, int] | None = None

    def ended(self, span: TraceSpan) -> None:
        """Note the end of a request that has a row; the next commit writes it there."""
        if len(self.ends) < self._ends_max:
            self.ends.append((span.duration_us, span.outcome, span.seq))

    def complete(self, spans: list[TraceSpan]) -> list[TraceSpan]:
        """Add what their rows do not say yet."""
        ends = {seq: (duration_us, outcome) for duration_us, outcome, seq in list(self.ends)}
        first, last, commit_us = self.committed or (0, -1, 0)
        for span in spans:
            if span.seq in ends:
                span.duration_us, span.outcome = ends[span.seq]
            if first <= span.seq <= last:
                span.commit_us = commit_us
        return spans
