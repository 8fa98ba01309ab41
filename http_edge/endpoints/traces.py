"""The operator's look at traces: which requests were slowest, and what one of them led to."""

from __future__ import annotations

from typing import Final

from http_edge.address import Address
from http_edge.endpoints.admin_endpoint import AdminCall, admin, limit_of
from http_edge.problems import Kind, ProblemError
from http_edge.target import refuse_query

# Spans that are shown of one trace: some 300 KB of an answer.
SPANS_MAX: Final = 1000


async def _slowest(call: AdminCall) -> tuple[int, object]:
    """200: traced requests, those without an answer first."""
    return 200, await call.system.slowest_requests(limit_of(call, "slowest"))


async def _trace(call: AdminCall) -> tuple[int, object]:
    refuse_query(call.query)
    trace_id = call.params["id"]
    # As it stands in a log line; what could be no id is of no trace.
    found = await call.system.trace(trace_id, spans_max=SPANS_MAX) if trace_id.isascii() else None
    if found is None:
        detail = f"nothing is kept of a trace {trace_id}; /admin/traces lists the slowest"
        raise ProblemError(Kind.NO_SUCH_TRACE, detail, field="id")
    return 200, found


TRACES: Final[tuple[Address, ...]] = (
    Address("GET", "/admin/traces", admin(_slowest, "the slowest requests that are traced")),
    Address("GET", "/admin/traces/{id}", admin(_trace, "what one request led to")),
)
