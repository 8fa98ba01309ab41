"""What of W3C Trace Context is read, and what travels with messages instead of a request's id."""

from __future__ import annotations

import pytest

from actors.log import ids_of, request_id
from actors.tracing.trace_context import (
    Place,
    Traceparent,
    is_traced,
    read_place,
    read_traceparent,
    span_id_of,
    trace_headers,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f" 00-{TRACE}-{SPAN}-03 ", True),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-holds", True),
    ],
)
def test_a_traceparent_says_which_trace_and_whether(header: str, *, sampled: bool) -> None:
    """Its last bit alone counts; of a later version what is known is read."""
    assert read_traceparent(header) == Traceparent(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"cc-{TRACE}-{SPAN}-01.",
        f"\u0660\u0660-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent_is_none(header: str) -> None:
    """The recommendation has the trace begin anew then."""
    assert read_traceparent(header) is None


def test_a_place_in_a_trace_travels_in_a_request_ids_place() -> None:
    """Whoever asks for the request's id finds it, and of a traced one the trace's."""
    place = Place("my-request", TRACE, SPAN, 10)
    context = place.context()
    assert read_place(context) == place
    assert is_traced(context)
    assert ids_of(context) == {"request_id": "my-request", "trace_id": TRACE}
    assert not is_traced("my-request")
    assert not is_traced(None)
    assert ids_of("my-request") == {"request_id": "my-request"}


def test_a_step_has_the_same_id_whenever_it_is_run() -> None:
    """Its parent's and what tells it from its siblings make it."""
    assert span_id_of(SPAN, "room", "message", 7) == span_id_of(SPAN, "room", "message", 7)
    others = {
        span_id_of(SPAN, *parts)
        for parts in (("room", "message", 8), ("room", "timer", 7), ("booking", "message", 7))
    }
    assert len(others | {span_id_of(TRACE, "room", "message", 7)}) == 4
    assert all(len(each) == 16 for each in others)


def test_who_is_asked_by_http_is_told_of_the_trace() -> None:
    """Of a request that is not traced he is told nothing."""
    token = request_id.set(Place("my-request", TRACE, SPAN, 1).context())
    try:
        assert trace_headers() == {"traceparent": f"00-{TRACE}-{SPAN}-01"}
        request_id.set("my-request")
        assert trace_headers() == {}
    finally:
        request_id.reset(token)
