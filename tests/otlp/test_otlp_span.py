"""What a span is by OpenTelemetry's conventions."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from actors.otlp.otlp_span import otlp_span_of
from actors.tracing.trace_span import TraceSpan


def span(kind: str, outcome: str, **fields: Any) -> TraceSpan:
    given: dict[str, Any] = {"name": "Add", "service": "a", "duration_us": 7, **fields}
    return TraceSpan(
        trace_id=f"{1:032x}",
        span_id=f"{2:016x}",
        parent_id=f"{3:016x}",
        kind=kind,
        start_us=5,
        outcome=outcome,
        **given,
    )


@pytest.mark.parametrize(
    ("kind", "outcome", "expected", "is_error"),
    [
        ("request", "201", SpanKind.SERVER, False),
        ("request", "409", SpanKind.SERVER, False),
        ("request", "503", SpanKind.SERVER, True),
        ("command", "refused", SpanKind.SERVER, False),
        ("query", "failed", SpanKind.SERVER, True),
        ("message", "handled", SpanKind.CONSUMER, False),
        ("message", "dead_letter", SpanKind.CONSUMER, True),
        ("timer", "expired", SpanKind.INTERNAL, True),
        ("outcome", "handled", SpanKind.INTERNAL, False),
        ("effect", "done", SpanKind.CLIENT, False),
        ("effect", "put_off", SpanKind.CLIENT, False),
        ("effect", "given_up", SpanKind.CLIENT, True),
        ("remote", "refused", SpanKind.CLIENT, False),
        ("remote", "400", SpanKind.CLIENT, True),
        ("remote", "timed_out", SpanKind.CLIENT, True),
    ],
)
def test_kinds_and_errors(kind: str, outcome: str, expected: SpanKind, *, is_error: bool) -> None:
    """An expected no is no error; of a request only what the server is to blame for."""
    made = otlp_span_of(span(kind, outcome, name="POST /a"))
    assert made.kind is expected
    assert made.status.status_code is (StatusCode.ERROR if is_error else StatusCode.UNSET)
    assert made.attributes is not None
    assert ("error.type" in made.attributes) == (is_error and kind in {"request", "remote"})


def test_times_and_ids() -> None:
    """In nanoseconds, and as numbers."""
    made = otlp_span_of(span("command", "handled", commit_us=9))
    assert (made.start_time, made.end_time) == (5_000, 12_000)
    assert (made.context.trace_id, made.context.span_id) == (1, 2)
    assert made.parent is not None
    assert made.parent.span_id == 3
    assert made.attributes is not None
    assert made.attributes["dress_rehearsal.commit_us"] == 9


def test_a_replica_is_an_instance_of_its_service() -> None:
    """As a collector counts them."""
    about = otlp_span_of(span("query", "handled", service="sentiment-2")).resource.attributes
    assert about["service.name"] == "sentiment"
    assert about["service.instance.id"] == "sentiment-2"
