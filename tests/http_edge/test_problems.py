"""Refusals, errors and bugs as problems; limits say when to come back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from actors import errors
from actors.kernel.messages import Refusal
from tests.http_edge.serving import is_problem, serving

if TYPE_CHECKING:
    from tests.http_edge.fake_system import Seen

GET = "/api/v1/customers/c1"


def fail(error: BaseException) -> Any:
    def on_ask(seen: Seen) -> None:
        del seen
        raise error

    return on_ask


@pytest.mark.parametrize(
    ("refusal", "status", "field"),
    [
        (Refusal.not_found("no customer c1"), 404, None),
        (Refusal.conflict("the room is taken"), 409, None),
        (Refusal.invalid("no such currency", field="rate.currency"), 422, "rate.currency"),
        (Refusal.invalid("used before", field="Idempotency-Key"), 422, "Idempotency-Key"),
    ],
)
async def test_a_refusal_is_told_in_its_own_words(
    refusal: Refusal, status: int, field: str | None
) -> None:
    """Each kind has its status; detail and field are the service's."""
    async with serving() as served:
        served.system.on_ask = lambda _: refusal
        reply = await served.send("GET", GET)
        is_problem(reply, status, field)
        assert reply.json["detail"] == refusal.detail


@pytest.mark.parametrize(
    ("error", "status", "kind", "retry_after"),
    [
        (errors.MailboxFull("full", retry_after_s=0.2), 503, "mailbox-full", 1),
        (errors.ServiceUnavailable("parked", retry_after_s=29.1), 503, "service-unavailable", 30),
        (errors.Starting("not up yet", retry_after_s=1.0), 503, "starting", 1),
        (errors.Busy("busy", retry_after_s=2), 503, "service-unavailable", 2),
        (errors.NoSuchActor("gone"), 503, "service-unavailable", None),
        (errors.DeadlineExceeded("late"), 504, "deadline-exceeded", None),
        (errors.DeadLettered("poison"), 503, "dead-lettered", None),
        (errors.ActorCrashed("crash"), 503, "actor-crashed", None),
        (errors.ActorStopped("stopped"), 503, "actor-stopped", None),
        (errors.StoreRefused("disk full"), 503, "store-refused", 5),
        (errors.StoreLost("the file is gone"), 503, "store-unavailable", 5),
        (errors.StoreCorrupt("malformed"), 503, "store-unavailable", 5),
    ],
)
async def test_a_limit_or_a_crash_is_told_by_its_own_type(
    error: Exception, status: int, kind: str, retry_after: int | None
) -> None:
    """503 or 504, and Retry-After in whole seconds of at least one where waiting helps."""
    async with serving() as served:
        served.system.on_ask = fail(error)
        reply = await served.send("GET", GET)
        is_problem(reply, status)
        assert reply.json["type"] == f"/problems/{kind}"
        assert reply.json.get("retry_after") == retry_after
        wanted = None if retry_after is None else str(retry_after)
        assert reply.headers.get("Retry-After") == wanted


SECRET = "/srv/data/customer.db: OperationalError: no such table: hold"


@pytest.mark.parametrize(
    "error",
    [
        errors.MailboxFull(SECRET, retry_after_s=1),
        errors.ServiceUnavailable(SECRET, retry_after_s=1),
        errors.Starting(SECRET, retry_after_s=1),
        errors.OutboxFull(SECRET, retry_after_s=1),
        errors.NoSuchActor(SECRET),
        errors.DeadlineExceeded(SECRET),
        errors.DeadLettered(SECRET),
        errors.ActorCrashed(SECRET),
        errors.ActorStopped(SECRET),
        errors.StoreRefused(SECRET),
        errors.StoreLost(SECRET),
        errors.StoreCorrupt(SECRET),
        RuntimeError(SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("state", ["running", "parked"])
async def test_a_client_is_told_whose_trouble_it_is_and_not_what_we_call_it(
    error: Exception, state: str
) -> None:
    """The service, its state, what to do; no path, table or exception. The log has the reason."""
    with structlog.testing.capture_logs() as logs:
        async with serving() as served:
            served.system.on_ask = fail(error)
            served.system.down = ["customer"] if state == "parked" else []
            reply = await served.send("GET", GET, headers={"X-Request-ID": "r-1"})
    assert reply.status in {500, 503, 504}
    assert reply.headers["X-Request-ID"] == "r-1"
    for word in ("/srv", ".db", "Error", "table", "hold"):
        assert word not in reply.json["detail"], word
    if reply.status != 500:
        assert reply.json["detail"].startswith("customer ")
        assert (" (parked) " in reply.json["detail"]) == (state == "parked")
    if not isinstance(error, errors.Busy):
        (line,) = logs
        assert SECRET in str(line.get("reason") or line["exc_info"])


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), errors.AskCycle(["secret", "b"]), errors.BlockingCall("x")]
)
async def test_a_bug_is_logged_and_not_shown(error: Exception) -> None:
    """500 without a word of what went wrong; the log has it, and the connection lives on."""
    with structlog.testing.capture_logs() as logs:
        async with serving() as served:
            served.system.on_ask = fail(error)
            reply = await served.send("GET", GET, headers={"X-Request-ID": "r-1"})
            is_problem(reply, 500)
            assert b"secret" not in reply.body
            served.system.on_ask = None
            is_problem(await served.send("GET", GET), 404)
    (line,) = [line for line in logs if line["log_level"] == "error"]
    assert line["exc_info"] is error


async def test_somebody_elses_cancellation_is_not_ours() -> None:
    """A future that was cancelled inside the system is a bug there, and still an answer here."""
    async with serving() as served:
        served.system.on_ask = fail(asyncio.CancelledError())
        with structlog.testing.capture_logs():
            is_problem(await served.send("GET", GET), 500)


async def test_an_error_raised_before_anything_is_awaited_is_the_same() -> None:
    """The kernel may refuse at once, without ever making a future."""
    async with serving() as served:
        gateway_ask = "ask"

        def ask(*_: object, **__: object) -> None:
            message = "full"
            raise errors.MailboxFull(message, retry_after_s=1)

        setattr(served.system, gateway_ask, ask)
        # Handlers took the bound method at start-up; another edge takes this one.
        async with serving(served.system) as again:
            is_problem(await again.send("GET", GET), 503)


async def test_5xx_is_a_warning_and_a_request_line_is_debug() -> None:
    """Quiet unless something is wrong or somebody asked for it."""
    with structlog.testing.capture_logs() as logs:
        async with serving() as served:
            await served.send("GET", GET)
            assert logs == []
            served.system.on_ask = fail(errors.DeadlineExceeded("late"))
            await served.send("GET", GET)
        assert [line["log_level"] for line in logs] == ["warning"]
        assert logs[0]["problem"] == "/problems/deadline-exceeded"
        logs.clear()
        async with serving(log_requests=True) as served:
            await served.send("GET", GET)
        assert [(line["log_level"], line["status"]) for line in logs] == [("debug", 404)]


async def test_details_are_bounded() -> None:
    """What a client sends comes back shortened, so that a problem stays small."""
    async with serving() as served:
        body = b'{"' + b"x" * 60_000 + b'":1}'
        reply = await served.send("POST", "/api/v1/customers", data=body)
        assert reply.status == 422
        assert len(reply.body) < 1500
