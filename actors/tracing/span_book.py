"""What of a service's spans is not in its file yet, for whoever writes there next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.config import TraceConfig
    from actors.tracing.span_export import SpanExport
    from actors.tracing.trace_span import TraceSpan


class SpanBook:
    """Outlives a service's incarnations. The loop adds requests, the writer's thread takes them."""

    def __init__(self, config: TraceConfig | None = None, export: SpanExport | None = None) -> None:
        """Without a configuration nothing is traced there. `export` is given what is committed."""
        self.export = export
        self.rows_max = 0 if config is None else config.rows_max
        self.hops_max = 0 if config is None else config.hops_max
        self._late_max = 0 if config is None else config.memory_spans_max
        # Requests that had their answer after their first step was kept.
        self.late: deque[TraceSpan] = deque()
        # The number of the row that the last commit has kept, and how long that took.
        self.committed: tuple[int, int] | None = None

    def ended(self, request: TraceSpan) -> None:
        """Note a request whose beginning is in the file; the next commit adds how it ended."""
        if len(self.late) < self._late_max:
            self.late.append(request)
