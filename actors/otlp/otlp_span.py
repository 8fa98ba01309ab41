"""A span as OpenTelemetry's SDK has it, by its semantic conventions.

https://opentelemetry.io/docs/specs/semconv/ - those of HTTP and of messaging; what they have no
name for is under `dress_rehearsal`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from actors.tracing.trace_span import REMOTE, REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.util.types import AttributeValue

    from actors.tracing.trace_span import TraceSpan

# What is asked and answers is a server; who is told, a consumer. The rest is within its service.
KINDS: Final = {
    REQUEST: SpanKind.SERVER,
    "command": SpanKind.SERVER,
    "query": SpanKind.SERVER,
    "message": SpanKind.CONSUMER,
    "effect": SpanKind.CLIENT,
    REMOTE: SpanKind.CLIENT,
}
# A refusal is an expected no.
ERRORS: Final = frozenset(
    {"dead_letter", "dead_lettered", "expired", "failed", "given_up", "timed_out"}
)
SERVER_ERROR: Final = 500
SCOPE: Final = InstrumentationScope("dress-rehearsal")
SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


def otlp_span_of(span: TraceSpan) -> ReadableSpan:
    """Return it; its resource is the service that it is of."""
    parent = None if span.parent_id is None else _context(span, span.parent_id)
    start_ns = span.start_us * 1000
    return ReadableSpan(
        name=span.name,
        context=_context(span, span.span_id),
        parent=parent,
        resource=_resource(span.service),
        attributes=dict(_attributes(span)),
        kind=KINDS.get(span.kind, SpanKind.INTERNAL),
        status=_status(span),
        start_time=start_ns,
        end_time=start_ns + (span.duration_us or 0) * 1000,
        instrumentation_scope=SCOPE,
    )


def _context(span: TraceSpan, span_id: str) -> SpanContext:
    # A request's parent is its caller's.
    is_remote = span.kind == REQUEST and span_id == span.parent_id
    return SpanContext(int(span.trace_id, 16), int(span_id, 16), is_remote, SAMPLED)


@cache
def _resource(service: str) -> Resource:
    """Return what a service, or a replica such as sentiment-2, is called there."""
    name, _, number = service.rpartition("-")
    if not number.isdigit():
        return Resource.create({"service.name": service})
    return Resource.create({"service.name": name, "service.instance.id": service})


def _attributes(span: TraceSpan) -> Iterator[tuple[str, AttributeValue]]:
    yield "dress_rehearsal.kind", span.kind
    if span.attempts > 1:  # each attribute takes the encoder some 7 us
        yield "dress_rehearsal.attempts", span.attempts
    for name in ("outcome", "wait_us", "commit_us", "request_id"):
        value = getattr(span, name)
        if value is not None:
            yield f"dress_rehearsal.{name}", value
    if span.kind in {REQUEST, REMOTE}:
        yield from _http(span)
    elif span.kind == "message":
        yield "messaging.system", "dress_rehearsal"
        yield "messaging.operation.name", "handle"
        yield "messaging.operation.type", "process"
        yield "messaging.destination.name", span.service


def _http(span: TraceSpan) -> Iterator[tuple[str, AttributeValue]]:
    method, _, path = span.name.partition(" ")
    yield "http.request.method", method
    if span.kind == REQUEST:
        yield "http.route", path
    else:
        yield "url.template", path
        yield "peer.service", span.service
    if span.outcome is not None and span.outcome.isdigit():
        yield "http.response.status_code", int(span.outcome)
    if _is_error(span):
        assert span.outcome is not None, "that it is one says its outcome"
        yield "error.type", span.outcome


def _status(span: TraceSpan) -> Status:
    return Status(StatusCode.ERROR, span.outcome) if _is_error(span) else Status(StatusCode.UNSET)


def _is_error(span: TraceSpan) -> bool:
    outcome = span.outcome
    if outcome is None or not outcome.isdigit():
        return outcome in ERRORS
    return span.kind == REMOTE or int(outcome) >= SERVER_ERROR
