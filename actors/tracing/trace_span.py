"""One part of a trace: what a request, a step, an effect or a query was, and how long it took."""

from __future__ import annotations

from typing import Final

import msgspec

from actors.errors import DeadLettered, DeadlineExceeded, MessageExpired
from actors.kernel.messages import Later, Refusal


class TraceSpan(msgspec.Struct, kw_only=True, eq=False, array_like=True, gc=False):
    """Times in microseconds, `start_us` since the epoch by the wall clock.

    kind         request | command | message | timer | letter | outcome | effect | query | remote
    service      who did it: a service, or the edge
    parent_id    None where nothing led to it; a request's may be its caller's
    wait_us      how long it waited in the mailbox (a request: until it began); None if not measured
    duration_us  None while it has no end
    commit_us    how long the commit took that kept it; None where that is not known (yet)
    outcome      a request's status; of a step handled, refused, later, expired, dead_letter; of an
                 effect its end; of a remote call answered, refused, timed_out, withdrawn, or why it
                 has failed: its status, or failed
    attempts     how often it was tried
    request_id   of a request

    `kept_by` is the service whose file has a request's beginning, or an effect; None if none has.
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
    kept_by: str | None = None


# What is neither of these, and no other error, was handled.
OUTCOMES: Final[dict[type, str]] = {
    Refusal: "refused",
    Later: "later",
    MessageExpired: "expired",
    DeadLettered: "dead_letter",
}


def outcome_of(ended: type) -> str:
    """Return what is said of what has ended in one of that type."""
    if issubclass(ended, BaseException) and ended not in OUTCOMES:
        return "expired" if issubclass(ended, DeadlineExceeded) else "failed"
    return OUTCOMES.get(ended, "handled")


REQUEST: Final = "request"
REMOTE: Final = "remote"
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
