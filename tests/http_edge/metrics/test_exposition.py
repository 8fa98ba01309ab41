"""`/metrics`: whom it answers, in which form, and that the edge's own numbers are right."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors import errors
from actors.kernel.mailbox import PLACES
from actors.measures.measured import Measured, MeasuredActor
from http_edge.metrics.edge_counts import EdgeCounts
from http_edge.metrics.exposition import UNBROKEN_BYTES, Exposition
from http_edge.metrics.shed_counts import REASONS
from http_edge.metrics.system_families import system_families
from http_edge.problems import Kind, Overload
from http_edge.turnstile import Turnstile
from tests.http_edge.metrics.scraped import OPENMETRICS, Scraped
from tests.http_edge.serving import is_problem, serving
from tests.http_edge.test_edge import Gate

if TYPE_CHECKING:
    from tests.http_edge.serving import Served

ROOM: dict[str, Any] = {"type": "double", "rate": {"amount": 1, "currency": "EUR"}}
ROOMS = "/api/v1/rooms"
# Methods of HTTP that nothing here is for.
ODD = ("PROPFIND", "LOCK", "UNLOCK", "MKCOL", "COPY", "MOVE", "SEARCH", "REPORT", "PURGE", "TRACE")


# What Prometheus 3 sends: names of any letters, where a text can have them.
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


async def _scrape(served: Served) -> Scraped:
    headers = {"Authorization": f"Bearer {served.token}", "Accept": OPENMETRICS}
    return Scraped(await served.send("GET", "/metrics", headers=headers))


async def test_it_wants_the_token_and_nothing_else() -> None:
    """Without it a 401; with a query a 422; on a tutorial's listener there is no such address."""
    async with serving() as served:
        is_problem(await served.send("GET", "/metrics"), 401)
        is_problem(await served.admin("GET", "/metrics?name[]=x"), 422, "name[]")
        is_problem(await served.admin("POST", "/metrics"), 405)
        assert (await served.admin("HEAD", "/metrics")).body == b""
        headers = {"Authorization": f"Bearer {served.token}"}
        is_problem(await served.send("GET", "/metrics", "hotel", headers=headers), 404)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=abc", "text/plain; version=0.0.4; charset=utf-8"),
        (f"{OPENMETRICS},text/plain;version=0.0.4;q=0.3", "application/openmetrics-text;"),
        ("application/openmetrics-text; version=0.0.1,text/plain", "text/plain; version=0.0.4;"),
        ("application/openmetrics-text; version=2.0.0", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text; version=2.0.0\udcff", "text/plain; version=0.0.4;"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0;"),
        ("text/plain;version=1.0.0", "text/plain; version=0.0.4; charset=utf-8"),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
async def test_its_form_is_what_is_asked_for(accept: str | None, content_type: str) -> None:
    """OpenMetrics, which has an end, or the older text; nonsense is answered as silence is."""
    async with serving() as served:
        headers = {"Authorization": f"Bearer {served.token}"}
        headers |= {} if accept is None else {"Accept": accept}
        reply = await served.send("GET", "/metrics", headers=headers)
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith(content_type)
        assert reply.body.count(b"# EOF") == ("openmetrics" in content_type)
        assert b'dress_rehearsal_http_requests_total{listener="gateway"' not in reply.body
        again = await served.send("GET", "/metrics", headers=headers)
        assert b'dress_rehearsal_http_requests_total{listener="gateway"' in again.body


async def test_each_request_is_counted_once() -> None:
    """Seven, of which two are refused: so many by their route, method and status."""
    async with serving() as served:
        for number in range(5):
            assert (await served.send("GET", f"{ROOMS}/{number}")).status in {200, 404}
        seen = len(served.system.seen)
        assert seen == 5
        served.system.on_ask = _full
        for _ in range(2):
            is_problem(await served.send("POST", ROOMS, json=ROOM), 503)
        scraped = await _scrape(served)
        labels = {"listener": "gateway"}
        gets = {**labels, "route": f"{ROOMS}/{{room_id}}", "method": "GET"}
        posts = {**labels, "route": ROOMS, "method": "POST"}
        assert scraped.value("http_requests_total", **gets) == 5
        assert scraped.by("http_requests_total", "status", **posts) == {"503": 2}
        assert scraped.value("http_requests_total") == 7
        duration = "http_request_duration_seconds"
        assert scraped.value(f"{duration}_count", **gets) == 5
        assert scraped.value(f"{duration}_count", **posts, status_class="5xx") == 2
        assert 0 < scraped.value(f"{duration}_sum") < 100
        assert scraped.value(f"{duration}_bucket", **posts, le="+Inf") == 2
        assert scraped.by("http_requests_shed_total", "reason", **labels) == {"mailbox_full": 2}
        assert scraped.value("http_requests_in_progress", **labels) == 1  # this one
        assert scraped.value("http_connections", **labels) >= 1


async def test_what_expires_is_counted_where_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request before its turn, which is asked of nobody; and an actor's, by their places."""
    async with serving() as served:
        monkeypatch.setattr(Turnstile, "passes", lambda _: False)
        hurried = {"X-Request-Timeout": "0.01"}
        is_problem(await served.send("GET", f"{ROOMS}/1", headers=hurried), 504)
        scraped = await _scrape(served)
        labels = {"listener": "gateway"}
        assert scraped.value("http_requests_expired_total", **labels) == 1
        assert scraped.by("http_requests_shed_total", "reason", **labels) == {"deadline": 1}
    expired = dict.fromkeys(PLACES, 0) | {"timer": 2}
    actor = MeasuredActor(
        name="a", state="running", lanes=[], handled=0, refused=0, dead_lettered=0, rejected=0,
        expired=expired, restarts={},
    )  # fmt: skip
    measured = Measured(actors=[actor], services=[], asks=0, background_share=1.0)
    (family,) = [
        each
        for each in system_families(measured)
        if each.name == "dress_rehearsal_messages_expired"
    ]
    counted = {each.labels["place"]: each.value for each in family.samples}
    assert counted == expired


async def test_others_have_their_turn_while_it_is_written_and_not_too_many() -> None:
    """A scrape of a busy system must not hold it up, nor wait for it once a family.

    Nor do several together hold it up longer at a time than one.
    """
    actors = [
        MeasuredActor(
            name=f"actor-{number}", state="running", lanes=[], handled=0, refused=0,
            dead_lettered=0, rejected=0, expired=dict.fromkeys(PLACES, 0), restarts={},
        )
        for number in range(200)
    ]  # fmt: skip
    measured = Measured(actors=actors, services=[], asks=0, background_share=1.0)
    exposition = Exposition(EdgeCounts())

    async def turns_of(scrapes: int) -> tuple[int, bytes]:
        writes = (exposition.write(measured, "") for _ in range(scrapes))
        writing = asyncio.gather(*writes)
        turns = 0
        while not writing.done():
            turns += 1
            await asyncio.sleep(0)
        return turns, writing.result()[0][1]

    turns, text = await turns_of(1)
    assert 3 <= turns - 1 <= len(text) / UNBROKEN_BYTES + 2
    several, _ = await turns_of(5)
    assert several >= 5 * (turns - 2)


def _full(_: object) -> None:
    error = "it is full"
    raise errors.MailboxFull(error, retry_after_s=1.0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Overload(Kind.OVERLOADED, "x", retry_after_s=1.0), "overloaded"),
        (errors.MailboxFull("x", retry_after_s=1.0), "mailbox_full"),
        (errors.OutboxFull("x", retry_after_s=1.0), "outbox_full"),
        (errors.Starting("x", retry_after_s=1.0), "starting"),
        (errors.ServiceUnavailable("x", retry_after_s=1.0), "parked"),
        (errors.DeadlineExceeded("x"), "deadline"),
        (errors.ActorStopped("x"), "stopped"),
        (errors.StoreUnwritable("x"), "store_full"),
        (errors.Busy("x", retry_after_s=1.0), "other"),
        (errors.ActorCrashed("x"), None),
        (ValueError("a bug"), None),
    ],
)
async def test_why_a_request_is_turned_away(error: Exception, reason: str | None) -> None:
    """By a reason of a closed set; a crash is no such thing."""

    def fail(_: object) -> None:
        raise error

    async with serving() as served:
        served.system.on_ask = fail
        assert (await served.send("GET", f"{ROOMS}/1")).status >= 500
        scraped = await _scrape(served)
        counted = scraped.by("http_requests_shed_total", "reason")
        assert counted == ({} if reason is None else {reason: 1})
        reasons = {
            each.labels["reason"] for each in scraped.samples if "requests_shed" in each.name
        }
        assert reasons == set(REASONS)


async def test_a_client_makes_up_no_label() -> None:
    """Paths that are nothing's are one, and so are methods nobody knows; what is no HTTP counts."""
    async with serving() as served:
        for number, method in enumerate(ODD):
            assert (await served.send("GET", f"/nothing/{number}")).status == 404
            assert (await served.send(method, ROOMS)).status == 405
            assert (await served.send(method, "/all", "tweets")).status == 200
        await served.raw(b"nonsense\r\n\r\n")
        scraped = await _scrape(served)
        assert scraped.by("http_requests_total", "route") == {"none": 21, "/all": 10}
        assert scraped.by("http_requests_total", "method") == {"GET": 10, "other": 21}
        assert scraped.by("http_requests_total", "status") == {
            "404": 10,
            "405": 10,
            "200": 10,
            "400": 1,
        }


async def test_how_long_a_client_reads_is_no_latency() -> None:
    """A stream is counted and has no duration; where it is refused that is an answer like any."""
    async with serving() as served:
        assert (await served.send("GET", "/all", "tweets")).status == 200
        served.system.on_ask = _full
        assert (await served.send("GET", "/all", "tweets")).status == 503
        scraped = await _scrape(served)
        assert scraped.by("http_requests_total", "status", route="/all") == {"200": 1, "503": 1}
        duration = "http_request_duration_seconds_count"
        assert scraped.by(duration, "status_class", route="/all") == {"5xx": 1}


async def test_who_may_not_come_by_an_address_is_counted_there() -> None:
    """A page from elsewhere asked for what there is; the wrong host asked nobody here."""
    async with serving() as served:
        elsewhere = {"Origin": "http://elsewhere.example"}
        assert (await served.send("POST", ROOMS, headers=elsewhere)).status == 403
        assert (await served.send("GET", ROOMS, headers={"Host": "x.example"})).status == 421
        scraped = await _scrape(served)
        assert scraped.by("http_requests_total", "route") == {ROOMS: 1, "none": 1}


@pytest.mark.real_time
async def test_a_connection_too_many_is_turned_away_by_its_reason() -> None:
    """It has asked nothing yet."""
    async with serving(connections_max=1) as served:
        served.system.on_ask = gate = Gate()
        body = {"ID": "c1", "Name": "Ada", "Email": "ada@example.com"}
        asking = asyncio.create_task(served.send("POST", "/customer", "hotel", json=body))
        await gate.reached.wait()
        assert b" 503 " in await served.raw(b"", "hotel")
        gate.open.set()
        assert (await asking).status == 201
        scraped = await _scrape(served)
        assert scraped.by("http_requests_shed_total", "reason", listener="hotel") == {"no_place": 1}
        counted = scraped.by("http_requests_total", "status", listener="hotel")
        assert counted == {"201": 1, "503": 1}


@pytest.mark.real_time
async def test_the_loop_is_looked_at_once_somebody_looks() -> None:
    """Before the first scrape there is no timer; then a stall of the loop is seen."""
    async with serving(loop_lag_period_s=0.02) as served:
        lag = served.edge._context.counts.loop_lag
        assert lag is not None
        await asyncio.sleep(0.1)
        assert sum(lag.seconds.counts) == 0
        await _scrape(served)
        await asyncio.sleep(0.05)
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.15
        while loop.time() < until:
            pass
        await asyncio.sleep(0.05)
        scraped = await _scrape(served)
        assert scraped.value("event_loop_lag_seconds_count") >= 2
        assert scraped.value("event_loop_lag_seconds_sum") > 0.1
    assert lag._timer is None
