"""Sends spans by OpenTelemetry's own exporter, which knows its protocol and when to try again."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from actors.otlp.otlp_span import otlp_span_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.config import OtlpConfig
    from actors.tracing.trace_span import TraceSpan


class OtlpSender:
    """A SpanReceiver: a collector, over HTTP.

    What the configuration does not say is taken from OpenTelemetry's own environment variables,
    such as a header with a key (OTEL_EXPORTER_OTLP_HEADERS).
    """

    def __init__(self, config: OtlpConfig) -> None:
        """Nothing is connected yet."""
        self._words = _LastWords()
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self._words)
        # It logs each attempt; we say once a spell what it said last.
        logger.propagate = False
        self._exporter = OTLPSpanExporter(endpoint=config.url, timeout=config.send_s_max)

    def send(self, spans: Sequence[TraceSpan]) -> str | None:
        """Return when they have arrived, or why they have not."""
        self._words.said.clear()
        result = self._exporter.export([otlp_span_of(each) for each in spans])
        return None if result is SpanExportResult.SUCCESS else " ".join(self._words.said)

    def close(self) -> None:
        """Close the connection, and give up what waits for its next attempt."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _LastWords(logging.Handler):
    """What the exporter says nowhere else: why it has failed, and before that what went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.said: deque[str] = deque(maxlen=2)

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
