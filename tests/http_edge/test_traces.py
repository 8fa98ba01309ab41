"""Traces at the edge: a caller's traceparent, chance, and what an operator is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.config import load_config
from actors.kernel.clock import ManualClock
from actors.kernel.envelope import Envelope
from actors.kernel.rng import Rng
from actors.log import ids_of, request_id
from actors.tracing.tracing import Tracing
from tests.http_edge.fake_system import FakeSystem
from tests.http_edge.serving import is_problem, serving

if TYPE_CHECKING:
    from actors.tracing.trace_span import TraceSpan
    from tests.http_edge.serving import Served

GET = "/api/v1/customers/c1"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-"


def requests(served: Served) -> list[TraceSpan]:
    return served.system.tracing.requests()


@pytest.mark.parametrize(("flags", "traced"), [("01", True), ("00", False), ("zz", False)])
async def test_a_callers_traceparent_decides(flags: str, *, traced: bool) -> None:
    """By its flag; the answer says where the trace is found, and what is asked goes on with it."""
    async with serving() as served:
        known: list[str | None] = []
        served.system.on_ask = lambda _: known.append(request_id.get())
        headers = {"traceparent": PARENT + flags, "X-Request-ID": "mine"}
        reply = await served.send("GET", GET, headers=headers)
        assert reply.headers["X-Request-ID"] == "mine"
        assert [ids_of(each)["request_id"] for each in known] == ["mine"]
        assert ("Traceresponse" in reply.headers) == traced == bool(requests(served))
        if not traced:
            return
        (span,) = requests(served)
        assert reply.headers["Traceresponse"] == f"00-{TRACE}-{span.span_id}-01"
        assert ids_of(known[0])["trace_id"] == span.trace_id == TRACE
        assert (span.name, span.outcome) == ("GET /api/v1/customers/{customer_id}", "404")
        assert span.duration_us is not None
        assert span.parent_id == "00f067aa0ba902b7"


async def test_of_two_traceparents_neither_counts() -> None:
    """As the recommendation has it: a trace begins anew, if one does."""
    async with serving() as served:
        head = f"GET {GET} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        twice = f"traceparent: {PARENT}01\r\n" * 2
        await served.raw(f"{head}{twice}\r\n".encode())
        assert requests(served) == []


async def test_no_more_are_traced_for_their_callers_than_may_be() -> None:
    """A client that asks for it with each request does not slow down the others."""
    config = msgspec.structs.replace(load_config().trace, asked_per_s_max=4.0)
    clock = ManualClock()
    tracing = Tracing(config, clock=clock, rng=Rng(3))
    for after_s, traced in ((0.0, 4), (0.125, 1), (0.125, 0), (0.375, 2), (2.0, 4)):
        clock.advance(after_s)
        spans = [tracing.begin(PARENT + "01", "mine", arrived_s=0.0) for _ in range(20)]
        assert sum(each is not None for each in spans) == traced


async def test_a_share_of_the_others_is_traced() -> None:
    """By a generator of its own: the ids that requests get are those they would have had."""
    made: list[list[str]] = []
    for share in (0.0, 0.5):
        system = FakeSystem()
        config = msgspec.structs.replace(load_config().trace, sample_share=share)
        system.tracing = Tracing(config, clock=system.clock, rng=Rng(3))
        async with serving(system) as served:
            replies = [await served.send("GET", path) for path in [GET, "/nothing"] * 8]
            made.append([reply.headers["X-Request-ID"] for reply in replies])
            traced = [reply for reply in replies if "Traceresponse" in reply.headers]
            assert len(traced) == len(requests(served))
            assert 0 < len(traced) < 16 if share else not traced
            names = {each.name for each in requests(served)}
            assert names == (
                {"GET /api/v1/customers/{customer_id}", "GET none"} if share else set()
            )
    assert made[0] == made[1]


async def test_an_error_of_ours_is_kept_where_some_are_traced() -> None:
    """By its request's id, with what was done for it; an error of the client's is none."""
    system = FakeSystem()
    config = msgspec.structs.replace(load_config().trace, sample_share=1e-9)
    system.tracing = Tracing(config, clock=system.clock, rng=Rng(3))
    assert system.tracing.recent is not None
    async with serving(system) as served:
        for given in ("missing", "broken"):
            envelope = Envelope(None, trace=given)
            system.tracing.recent.note("room", "query", [envelope], [None], 0.0)
            if given == "broken":
                system.on_ask = lambda _: 1 / 0
            await served.send("GET", GET, headers={"X-Request-ID": given})
        (span,) = requests(served)
        assert (span.request_id, span.outcome) == ("broken", "500")
        assert span.name == "GET /api/v1/customers/{customer_id}"


async def test_an_operator_is_shown_traces() -> None:
    """The slowest requests, as many as he asks for; and one trace by its id."""
    async with serving() as served:
        reply = await served.admin("GET", "/admin/traces?slowest=3")
        assert (reply.status, len(reply.json)) == (200, 3)
        for wrong in ("0", "x", "1001"):
            reply = await served.admin("GET", f"/admin/traces?slowest={wrong}")
            is_problem(reply, 422, "slowest")
        is_problem(await served.admin("GET", "/admin/traces?limit=3"), 422, "limit")
        assert (await served.admin("GET", f"/admin/traces/{'1' * 32}")).status == 200
        for none in ("2" * 32, "%C3%A9", "x"):
            is_problem(await served.admin("GET", f"/admin/traces/{none}"), 404, "id")
