"""What travels with a message of a traced request, in the place of its request id.

`REQUEST TRACE-SPAN-HOPS`: the request's id, then in hex the trace's (32 digits), that of the span
that has sent the message (16), and how many steps led to it (2). A request id holds no space, so
that one look tells a traced message from others, which carry the id alone: they pay for nothing, in
memory or in a row.

Ids and the header are those of W3C Trace Context, https://www.w3.org/TR/trace-context/.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from actors.log import request_id

if TYPE_CHECKING:
    from typing import TypeGuard

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED = 1
_HOPS = {f"{number:02x}": number for number in range(256)}


class Traceparent(NamedTuple):
    """What a caller says of its own trace."""

    trace_id: str
    span_id: str
    sampled: bool


class Place(NamedTuple):
    """Where in which trace a message was sent."""

    request_id: str
    trace_id: str
    span_id: str
    hops: int

    def context(self) -> str:
        """Return what its messages carry."""
        return f"{self.request_id} {self.trace_id}-{self.span_id}-{self.hops:02x}"

    def traceparent(self) -> str:
        """Return the header that says so to whoever is asked from here."""
        return f"00-{self.trace_id}-{self.span_id}-01"


def is_traced(trace: str | None) -> TypeGuard[str]:
    """Whether the message's request is traced."""
    return trace is not None and " " in trace


def read_place(trace: str) -> Place:
    """Return what a traced message carries."""
    # Once a step: as a call of Place, and with int(), it took twice as long.
    parts = (trace[:-53], trace[-52:-20], trace[-19:-3], _HOPS[trace[-2:]])
    return tuple.__new__(Place, parts)


def span_id_of(parent: str, service: str, kind: str, number: object) -> str:
    """Return the id of a step that the span `parent` led to: the same however often it is run.

    `number` tells it from others of that kind that the same led to there.
    """
    return blake2b(f"{parent} {service} {kind} {number}".encode(), digest_size=8).hexdigest()


def read_traceparent(header: str) -> Traceparent | None:
    """Return what the header says, or None where it is none: then a trace begins here."""
    found = _HEADER.fullmatch(header.strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    # A later version may say more behind it, this one may not; ff is no version.
    if version == "ff" or (version == "00" and more is not None):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Traceparent(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def trace_headers() -> dict[str, str]:
    """Return the headers that let what is asked from here go on with the trace; none of others.

    For an @effect that asks somebody by HTTP.
    """
    trace = request_id.get()
    return {"traceparent": read_place(trace).traceparent()} if is_traced(trace) else {}
