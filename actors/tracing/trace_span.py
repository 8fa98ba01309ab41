"""One part of a trace: what a request, a step, an effect or a query was, and how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

# The columns of the table trace_span behind its number, in their order.
FIELDS: Final = (
    "trace_id", "span_id", "parent_id", "kind", "name", "start_us", "wait_us", "duration_us",
    "commit_us", "outcome", "attempts", "request_id",
)  # fmt: skip


class TraceSpan(msgspec.Struct, kw_only=True, eq=False):
    """Times in microseconds, `start_us` since the epoch by the wall clock.

    kind         request | command | message | timer | letter | outcome | effect | query
    service      who did it: a service, or the edge
    parent_id    None where nothing led to it; a request's may be its caller's
    wait_us      how long it waited in the mailbox (a request: until it began); None if not measured
    duration_us  None while it has no end
    commit_us    how long the commit took that kept it; None where that is not known (yet)
    outcome      a request's status; of a step handled, refused, later, expired, dead_letter; of an
                 effect its end
    attempts     how often it was tried
    request_id   of a request

    `seq` is its number in the file of the service `kept_by`; 0 where it is in none.
    """

    trace_id: str
    span_id: str
    parent_id: str | None = None
    kind: str
    name: str
    service: str
    start_us: int
    wait_us: int | None = None
    duration_us: int | None = None
    commit_us: int | None = None
    outcome: str | None = None
    attempts: int = 1
    request_id: str | None = None
    seq: int = 0
    kept_by: str | None = None

    def row(self, seq: int) -> tuple[Any, ...]:
        """Return it as a row of that number."""
        return (
            seq, self.trace_id, self.span_id, self.parent_id, self.kind, self.name, self.start_us,
            self.wait_us, self.duration_us, self.commit_us, self.outcome, self.attempts,
            self.request_id,
        )  # fmt: skip

    @classmethod
    def of_row(cls, row: Mapping[str, Any], service: str) -> TraceSpan:
        """Return what the row in the service's file says."""
        fields = {name: row[name] for name in FIELDS}
        # A request's row stands in the file of the first step that it led to.
        done_by = EDGE if row["kind"] == REQUEST else service
        return cls(**fields, service=done_by, seq=row["seq"], kept_by=service)


REQUEST: Final = "request"
EDGE: Final = "edge"


class OpenedContext(str):
    """What travels with a traced message (see trace_context), and the span that it comes from.

    That is in no row yet: a request, or an effect. It becomes one with the first step it leads to.
    """

    __slots__ = ("opened",)

    opened: TraceSpan

    @classmethod
    def of(cls, context: str, opened: TraceSpan) -> OpenedContext:
        """Return it with its span."""
        made = cls(context)
        made.opened = opened
        return made
