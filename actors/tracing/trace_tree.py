"""A trace as a tree: what led to what, each in the order of its beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.tracing.trace_span import REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from actors.tracing.trace_span import TraceSpan


class TraceNode(msgspec.Struct, kw_only=True):
    """A span, see TraceSpan, and what it led to.

    `parent_is_missing`: it has one, which is not among the spans (yet).
    """

    span_id: str
    parent_id: str | None
    kind: str
    service: str
    name: str
    start_us: int
    wait_us: int | None
    duration_us: int | None
    commit_us: int | None
    outcome: str | None
    attempts: int
    parent_is_missing: bool = False
    spans: list[TraceNode] = []


class TraceTree(msgspec.Struct, kw_only=True, frozen=True):
    """One trace.

    `sampled`: it was traced from its beginning; else it was kept from memory for its error, its
    steps stand below the request, in their order, and some may be missing. `duration_us` is from
    the beginning of its first span to the end of its last one. `unread` names the services whose
    files could not be asked, `cut` says that there are more spans than are shown.
    """

    trace_id: str
    request_id: str | None
    start_us: int
    duration_us: int
    sampled: bool
    cut: bool
    unread: Sequence[str]
    spans: list[TraceNode]


class TracedRequest(msgspec.Struct, kw_only=True, frozen=True):
    """A request that was traced; without a duration it has no answer that is known."""

    trace_id: str
    request_id: str | None
    name: str
    start_us: int
    duration_us: int | None
    outcome: str | None


class TracedRequests(msgspec.Struct, kw_only=True, frozen=True):
    """Those whose clients waited longest; `unread` as of a TraceTree."""

    items: Sequence[TracedRequest]
    unread: Sequence[str]
    next: None = None


def tree_of(
    trace_id: str,
    spans: Iterable[TraceSpan],
    *,
    unread: Sequence[str],
    spans_max: int,
    sampled: bool,
) -> TraceTree | None:
    """Return the tree of the first `spans_max` of the spans, or None where there are none.

    A request's parent is its caller's, which may be among them: one listener of ours asks another.
    """
    found = {each.span_id: each for each in sorted(spans, key=_how_far_known)}
    if not found:
        return None
    order = sorted(found.values(), key=lambda each: each.start_us)[:spans_max]
    nodes = {each.span_id: _node(each) for each in order}
    roots = []
    for span in order:
        node = nodes[span.span_id]
        parent = None if span.parent_id is None else nodes.get(span.parent_id)
        if parent is None:
            node.parent_is_missing = span.parent_id is not None and span.kind != REQUEST
            roots.append(node)
        else:
            parent.spans.append(node)
    start_us = order[0].start_us
    return TraceTree(
        trace_id=trace_id,
        request_id=next((each.request_id for each in order if each.request_id), None),
        start_us=start_us,
        duration_us=max(each.start_us + (each.duration_us or 0) for each in order) - start_us,
        sampled=sampled,
        cut=len(found) > spans_max,
        unread=unread,
        spans=roots,
    )


def slowest_first(requests: Iterable[TraceSpan]) -> list[TraceSpan]:
    """Order them by how long their clients waited, those without an answer first."""
    found = {each.span_id: each for each in sorted(requests, key=_how_far_known)}
    return sorted(found.values(), key=_least_known)


def slowest_of(requests: Iterable[TraceSpan], limit: int) -> list[TracedRequest]:
    """Return the first `limit` of them as they are listed."""
    return [
        TracedRequest(
            trace_id=each.trace_id,
            request_id=each.request_id,
            name=each.name,
            start_us=each.start_us,
            duration_us=each.duration_us,
            outcome=each.outcome,
        )
        for each in slowest_first(requests)[:limit]
    ]


def _how_far_known(span: TraceSpan) -> bool:
    # A request may stand in two files, or in one and in memory: then with its end in one of them.
    return span.duration_us is not None


def _least_known(span: TraceSpan) -> tuple[bool, int, int]:
    duration_us = span.duration_us
    return duration_us is not None, -(duration_us or 0), -span.start_us


def _node(span: TraceSpan) -> TraceNode:
    return TraceNode(
        span_id=span.span_id,
        parent_id=span.parent_id,
        kind=span.kind,
        service=span.service,
        name=span.name,
        start_us=span.start_us,
        wait_us=span.wait_us,
        duration_us=span.duration_us,
        commit_us=span.commit_us,
        outcome=span.outcome,
        attempts=span.attempts,
        spans=[],
    )
