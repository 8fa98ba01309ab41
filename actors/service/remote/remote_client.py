"""Asks one remote service: a request at a time, behind its breaker; what an answer means."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from actors.errors import DeadlineExceeded, NotAnswering, RemoteFailed
from actors.kernel.messages import Refusal
from actors.kernel.supervision.backoff import full_jitter_s
from actors.service.remote.transport import NoAnswerCame, RemoteRequest
from actors.tracing.trace_context import is_traced, read_place
from actors.tracing.trace_span import REMOTE

if TYPE_CHECKING:
    from actors.kernel.envelope import Envelope
    from actors.service.remote.remote_route import RemoteRoute
    from actors.service.remote.remote_service import RemoteService
    from actors.service.remote.transport import RemoteAnswer, Transport
    from actors.tracing.trace_span import TraceSpan

OK, MULTIPLE_CHOICES, TOO_MANY_REQUESTS, SERVER_ERROR = 200, 300, 429, 500
# What is an expected no, if its body is a JSON object: else it may be somebody else's, such as a
# proxy's that knows no such address.
REFUSALS: Final[dict[int, Literal["not_found", "conflict", "invalid"]]] = {
    404: "not_found",
    409: "conflict",
    422: "invalid",
}
# What reading a body ends in that is no JSON, or nested deeper than anything can read.
UNREADABLE: Final = (ValueError, RecursionError)
# Of what a refusal says.
DETAIL_CHARS_MAX: Final = 1_000
# The least that a deadline is said to be, in seconds.
LEFT_S_MIN: Final = 0.001


class RemoteClient:
    """One incarnation's requests to a remote service."""

    def __init__(self, remote: RemoteService, transport: Transport) -> None:
        """What must outlive this incarnation is the service's."""
        self._remote = remote
        self._transport = transport
        self._config = remote.config

    async def ask(self, envelope: Envelope, key: str | None) -> Any:
        """Return the reply or a Refusal, by the envelope's deadline; what failed is tried again.

        Raises RemoteFailed, NotAnswering, DeadlineExceeded.
        """
        remote, clock = self._remote, self._remote.clock
        end_s = envelope.deadline
        if end_s is None:
            end_s = clock.monotonic() + remote.config.remote.command_s_max
        remote.budget.deposit()
        attempt = 0
        while True:
            attempt += 1
            left_s = end_s - clock.monotonic()
            try:
                return await self.request(envelope, key, limit_s=left_s, reads=True)
            except RemoteFailed as failed:
                wait_s = self._pause_s(attempt)
                if (
                    not _may_pass(failed.status)
                    or clock.monotonic() + wait_s >= end_s
                    or not self._may_repeat()
                ):
                    raise
                await asyncio.sleep(wait_s)

    async def request(
        self, envelope: Envelope, key: str | None, *, limit_s: float, reads: bool
    ) -> Any:
        """Make one request; return the reply, if one `reads` it, or a Refusal.

        Raises as `ask`.
        """
        remote, message = self._remote, envelope.message
        route = remote.routes[message.__class__]
        address = route.address_of(message)
        if isinstance(address, Refusal):
            return address
        counts = remote.counts
        call = None if limit_s <= LEFT_S_MIN else remote.breaker.enter()
        if call is None:
            counts.outcomes["not_made"] += 1
            raise self._not_made(limit_s)
        target, body = address
        span = None
        if is_traced(envelope.trace):
            name = f"{route.method} {route.path}"
            span = remote.tracing.call(envelope.trace, service=remote.name, name=name)
        request = RemoteRequest(
            method=route.method,
            url=remote.url + target,
            headers=_headers(envelope.trace, span, key, limit_s, body),
            body=body,
        )
        begun_s, outcome = remote.clock.monotonic(), "withdrawn"
        ended: Any = None
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._answer(route, request)
            ended = self._meaning(route, answer, reads=reads)
            outcome = "refused" if ended.__class__ is Refusal else "answered"
            call.succeeded()
        except TimeoutError:
            outcome = "timed_out"
            # Whoever has less patience says nothing of the service, but of himself.
            config = self._config
            if limit_s >= min(config.edge.breaker.patience_s, config.remote.command_s_max):
                call.failed()
            error = f"{remote.name} did not answer {route.method} {route.path} in {limit_s:.3f} s"
            ended = DeadlineExceeded(error)
            raise ended from None
        except RemoteFailed as failed:
            outcome, ended = "failed", failed
            if _is_well(failed.status):
                call.succeeded()
            else:
                call.failed()
            raise
        else:
            return ended
        finally:
            call.withdrawn()  # unless it has ended by now
            counts.outcomes[outcome] += 1
            if outcome != "withdrawn":
                counts.request_s.note(remote.clock.monotonic() - begun_s)
            self._trace(span, envelope, outcome, ended, begun_s)

    # --- Inside ------------------------------------------------------------------------------

    async def _answer(self, route: RemoteRoute, request: RemoteRequest) -> RemoteAnswer:
        try:
            return await self._transport.send(request)
        except NoAnswerCame as error:
            raise self._failed(route, str(error)) from None

    def _not_made(self, limit_s: float) -> Exception:
        name = self._remote.name
        if limit_s <= LEFT_S_MIN:
            return DeadlineExceeded(f"the deadline passed before {name} was asked")
        return NotAnswering(
            f"{name} has answered nothing for a while, and is left alone",
            retry_after_s=self._remote.breaker.retry_after_s,
        )

    def _meaning(self, route: RemoteRoute, answer: RemoteAnswer, *, reads: bool) -> Any:
        """Return the reply or a Refusal. Raises RemoteFailed where it is neither."""
        status = answer.status
        if OK <= status < MULTIPLE_CHOICES:
            try:
                return route.read(answer.body) if reads else None
            except UNREADABLE as error:
                why = f"answered {status}, and its body is no reply: {error}"
                raise self._failed(route, why, status) from None
        if status in REFUSALS:
            refusal = _refusal(status, answer.body)
            if refusal is not None:
                return refusal
            why = f"answered {status} without a JSON object that says what it refuses"
            raise self._failed(route, why, status)
        if _may_pass(status) and answer.retry_after is not None:
            self._remote.rest(_seconds(answer.retry_after, self._remote.clock.now_us()))
        raise self._failed(route, f"answered {status}", status)

    def _trace(
        self, span: TraceSpan | None, envelope: Envelope, outcome: str, ended: Any, begun_s: float
    ) -> None:
        """Have its trace know of it; or, should what it was for err, whoever remembers that."""
        tracing = self._remote.tracing
        if span is not None:
            status = getattr(ended, "status", None) or 0  # of a failure
            told = str(status) if status >= MULTIPLE_CHOICES else outcome
            tracing.called(span, outcome=told, begun_s=begun_s)
        elif tracing.recent is not None and ended is not None:
            tracing.recent.note(self._remote.name, REMOTE, [envelope], [ended], begun_s)

    def _failed(self, route: RemoteRoute, why: str, status: int | None = None) -> RemoteFailed:
        return RemoteFailed(
            f"{self._remote.name}: {route.method} {route.path}: {why}",
            retry_after_s=max(self._remote.rests_s, self._remote.config.breaker.open_s),
            status=status,
        )

    def _pause_s(self, attempt: int) -> float:
        """Return how long to wait before the next: as drawn, or longer if it said so itself."""
        limits = self._config.effect
        drawn_s = full_jitter_s(
            self._remote.rng, attempt + 1, min_s=limits.backoff_s_min, max_s=limits.backoff_s_max
        )
        return max(drawn_s, self._remote.rests_s)

    def _may_repeat(self) -> bool:
        counts = self._remote.counts
        may = self._remote.budget.withdraw()
        counts.retries += may
        counts.retries_refused += not may
        return may


def _headers(
    trace: str | None, span: TraceSpan | None, key: str | None, limit_s: float, body: bytes | None
) -> dict[str, str]:
    """Return all that goes with a request besides its body: the one place for that."""
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "X-Request-Timeout": f"{limit_s:.3f}",
    }
    if body is not None:
        headers["Content-Type"] = "application/json"
    if key is not None:
        headers["Idempotency-Key"] = key
    if trace is not None and span is not None:
        place = read_place(trace)
        headers["X-Request-ID"] = place.request_id
        headers["traceparent"] = place._replace(span_id=span.span_id).traceparent()
    elif trace is not None:
        headers["X-Request-ID"] = trace
    return headers


def _may_pass(status: int | None) -> bool:
    """Whether the same request may be answered otherwise, soon."""
    return status is None or status >= SERVER_ERROR or status == TOO_MANY_REQUESTS


def _is_well(status: int | None) -> bool:
    """Whether a failure is none of the service's: it works, and does not want such a request."""
    return status is not None and status >= MULTIPLE_CHOICES and not _may_pass(status)


def _refusal(status: int, body: bytes) -> Refusal | None:
    """Return what the body says, RFC 9457's members or its whole text; None if it is no object."""
    try:
        said = msgspec.json.decode(body, type=dict[str, Any])
    except UNREADABLE:
        return None
    texts = [said.get(name) for name in ("detail", "title")]
    detail = next((each for each in texts if isinstance(each, str) and each), body.decode())
    field = said.get("field")
    return Refusal(
        kind=REFUSALS[status],
        detail=detail[:DETAIL_CHARS_MAX],
        field=field if isinstance(field, str) else None,
    )


def _seconds(retry_after: str, now_us: int) -> float:
    """Return what the header says (RFC 9110, 10.2.3), in seconds; 0.0 where that is nothing."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now_us / 1_000_000)
    except (ValueError, OverflowError):
        return 0.0
