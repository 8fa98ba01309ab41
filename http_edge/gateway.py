"""The way in: each request gets an id, its handler and exactly one answer. Addresses are values."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import structlog
from aiohttp import EMPTY_PAYLOAD, HttpVersion11, hdrs, web
from multidict import istr

from actors.errors import Busy, DressRehearsalError, NoSuchActor
from actors.log import request_id
from actors.tracing.tracing import context_of
from http_edge.address_table import AddressMatch, AddressTable
from http_edge.admissions import leave
from http_edge.answer import TEXT, Answer, make_head
from http_edge.body_reader import BODY_METHODS, BodyReader, refuse_body
from http_edge.doorkeeper import ORIGIN, REFERER, SEC_FETCH_SITE, Doorkeeper
from http_edge.endpoints.route_faults import strike
from http_edge.failure_log import FailureLog
from http_edge.http_request import TIMEOUT_FIELD
from http_edge.metrics.listener_counts import ListenerCounts
from http_edge.metrics.request_counts import METHODS, OTHER
from http_edge.problems import Kind, Overload, ProblemError, from_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiohttp import StreamReader
    from aiohttp.http_parser import RawRequestMessage

    from actors.tracing.trace_span import TraceSpan
    from http_edge.address import Address, HttpHandler
    from http_edge.admissions import Rest, WayIn
    from http_edge.edge_context import EdgeContext
    from http_edge.http_request import HttpRequest

log = structlog.get_logger()

_HOST = istr("Host")
_X_REQUEST_ID = istr("X-Request-ID")
_TRACEPARENT = istr("traceparent")
_SANE_ID = re.compile(r"[\x21-\x7e]{1,64}").fullmatch
_ABSOLUTE_TARGET = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)([^?#]*).*", re.DOTALL)
_STATUS_5XX = 500
_ERRORS = "500"
_READING = frozenset({"GET", "HEAD"})
# Fields that may ask for another answer than a 503, or for more than one.
_LOOKED_AT = (TIMEOUT_FIELD, hdrs.EXPECT, SEC_FETCH_SITE, ORIGIN, REFERER, _TRACEPARENT)
# What keeps the system reachable when all places are taken.
_VITAL = ("/healthz", "/readyz", "/admin/", "/metrics")


class Gateway:
    """Answers all requests of one listener."""

    # Whether what answers GET answers HEAD as well.
    serves_heads: ClassVar[bool] = True
    # Whether a body that nobody reads is refused.
    refuses_bodies: ClassVar[bool] = True

    def __init__(self, addresses: Iterable[Address], context: EdgeContext, *, host: str) -> None:
        """`host` is where it listens. Raises ValueError where two addresses are one."""
        config = context.config
        self._context = context
        self._door = Doorkeeper(host, config.hosts)
        self._known_hosts = self._door.known
        self._body_reader = BodyReader(config)
        self._probes: set[str] = set()
        # What changes something, and what has no use for a body.
        self._changing: set[HttpHandler] = set()
        self._bodiless: set[HttpHandler] = set()
        # Whom a client is told of, and what may tell everything: it asks for the token itself.
        self._service_of: dict[HttpHandler, str] = {}
        self._open: set[HttpHandler] = set()
        self.counts = ListenerCounts()
        self._count = self.counts.requests.note
        # What is let in only while there is not too much of its kind.
        self._bounds: dict[HttpHandler, WayIn] = {}
        self._admissions = context.admissions
        self._table = AddressTable(heads=self.serves_heads)
        for address in addresses:
            handler = address.endpoint.bind(address.method, address.path, context)
            self._table.add(address.method, address.path, handler)
            self._note(address, handler)
        self._static = self._table.static
        # RFC 9110 section 9.3.7: asked of the server as a whole.
        allowed = ", ".join(sorted({*self._table.methods, "OPTIONS"}))
        self._static["*"] = AddressMatch({"OPTIONS": _tell_methods(allowed)}, {}, "")
        self.has_vital = any(_is_vital(path) for path in self._static)
        self._turnstile = context.turnstile
        self.clock = context.system.clock
        self._date = context.date
        self._failures = FailureLog()
        self._random_bits = context.system.rng.fork("edge").getrandbits
        self._tracing = context.system.tracing
        self._faults = context.system.faults
        self._traces = self._tracing.share > 0

    async def __call__(self, request: HttpRequest) -> web.StreamResponse:
        message = request._message  # noqa: SLF001 - each of its properties costs a call more
        headers = message.headers
        given = self._id_of(headers.get(_X_REQUEST_ID))
        begun = self.clock.monotonic()
        # aiohttp runs each request in a task of its own, so there is nothing to reset.
        request_id.set(given)
        is_traced = self._traces or _TRACEPARENT in headers
        span = self._trace(request, message, given) if is_traced else None
        handler: HttpHandler | None = None
        control: WayIn | None = None
        try:
            request.check_deadline_and_head(begun)
            handler, params, query = self._find_handler(request, message)
            if handler in self._changing:
                self._check_source(request)
            control = self._enter(request, handler, begun)
            if not self._turnstile.passes() and not _is_vital(message.path):
                await self._turnstile.wait(request.left_s)
                request.check_deadline(self.clock.monotonic())
            if handler in self._bodiless and request.body_exists:
                refuse_body(await self._body_reader.read(request))
                request.come_in()
            serve = handler if self._faults.routes is None else self._faulty(handler)
            answer = await serve(request, params, query)
        except (Exception, asyncio.CancelledError) as error:  # the one catch-all
            if _are_we_cancelled(error):
                way, entered_s = request.place or (control, begun)
                leave(way, entered_s, self.clock.monotonic(), "")
                raise
            answer = self._failed(request, error, handler)
        request.protocol.answered = True  # type: ignore[attr-defined]  # it is an HttpConnection
        if isinstance(answer, Answer):
            answer.stamp(given if span is None else _with_trace(given, span), self._date())
            status = answer._head[9:12]  # noqa: SLF001 - a number made of it costs as much as to count
        else:
            status = str(answer.status)
            self.counts.requests.streams(handler)
        ended = self.clock.monotonic()
        way, entered_s = request.place or (control, begun)
        leave(way, entered_s, ended, status)
        # We never change protocols; what follows an Upgrade, or a CONNECT, is not read as HTTP.
        if self._context.draining or request.beyond or message.upgrade:
            answer.force_close()
        self._count(handler, message.method, status, ended - request.arrived)
        if span is not None or (self._traces and status >= _ERRORS):
            self._note_end(span, request, given, status, ended - request.arrived)
        if self._context.log_requests:
            self._log(request, answer, begun)
        return answer

    def _faulty(self, handler: HttpHandler) -> HttpHandler:
        """Return what answers as long as some requests are struck before they are handled."""

        async def serve(
            request: HttpRequest, params: dict[str, str], query: str
        ) -> web.StreamResponse:
            faults, message = self._faults.routes, request._message  # noqa: SLF001 - as above
            if faults is not None and not _is_vital(message.path):
                aborted = await strike(faults, request, self._name_of(request, message))
                if aborted is not None:
                    return aborted
                request.check_deadline(self.clock.monotonic())
            return await handler(request, params, query)

        return serve

    def _enter(self, request: HttpRequest, handler: HttpHandler, now_s: float) -> WayIn | None:
        """Let it in and return what it has to leave, or raise why not.

        Where its body is waited for, it is let in when that is there: whoever holds his back must
        keep out nobody.
        """
        rest = None if request._message.should_close else request.protocol.rest  # type: ignore[attr-defined]  # noqa: SLF001 - it is an HttpConnection
        way = self._admissions.enter(self._bounds.get(handler), rest, now_s)
        if way is None or request.content.is_eof():
            return way
        if request.method not in BODY_METHODS and handler not in self._bodiless:
            return way
        leave(way, now_s, now_s, "")
        request.let_in = partial(self._let_in, way, rest)
        return None

    def _let_in(self, way: WayIn, rest: Rest | None) -> tuple[WayIn, float]:
        now_s = self.clock.monotonic()
        self._admissions.enter(way, rest, now_s)
        return way, now_s

    def turns_away(
        self, message: RawRequestMessage, payload: StreamReader, arrived: float, rest: Rest
    ) -> Answer | None:
        """Return the 503 for a request of whose kind as many are in progress as may be.

        As a call does, but before a task is begun for it: of a flood most are refused, and what
        that takes is taken from those who were let in. None where it may come in, or where there
        may be more to be said of it.
        """
        found = self._static.get(message.path)
        handler = None if found is None else found.methods.get(message.method)
        way = None if handler is None else self._bounds.get(handler)
        if way is None or not way.control.is_full(arrived) or self._is_unusual(message, payload):
            return None
        way.control.refuse(arrived)
        problem = self._admissions.overload(None if message.should_close else rest, arrived)
        self.counts.sheds.note(problem)
        answer = self.refusal(problem, None)
        answer.stamp(self._id_of(message.headers.get(_X_REQUEST_ID)), self._date())
        took_s = self.clock.monotonic() - arrived
        self._count(handler, message.method, str(answer.status), took_s)
        return answer

    def _is_unusual(self, message: RawRequestMessage, payload: StreamReader) -> bool:
        """Whether there is more to look at than whether there is room."""
        headers = message.headers
        return (
            headers.get(_HOST) not in self._known_hosts
            or message.version is not HttpVersion11
            or message.upgrade
            or message.chunked
            or not (payload.is_eof() if payload is not EMPTY_PAYLOAD else message.method == "GET")
            or any(field in headers for field in _LOOKED_AT)
            or self._context.draining
            or self._context.log_requests
            or self._traces
        )

    def bound_to(self, addresses: Iterable[str]) -> None:
        """Answer to these as well, which the listener got by the name it was told."""
        for address in addresses:
            self._door.goes_by(address)

    def other_method(
        self, request: web.BaseRequest, methods: Mapping[str, HttpHandler]
    ) -> HttpHandler:
        """Refuse a method that the address has not, and say which it has."""
        allowed = ", ".join(sorted(methods))
        detail = f"{request.method} is not among the methods of this address: {allowed}"
        raise ProblemError(Kind.METHOD_NOT_ALLOWED, detail, headers=(("Allow", allowed),))

    def refusal(self, problem: ProblemError, request: web.BaseRequest | None) -> Answer:
        """Return the answer in the form in which this listener says no.

        `request` is None where what came was none.
        """
        del request
        return problem.answer()

    def malformed(self, detail: str) -> Answer:
        """Answer what was not HTTP, so that there is no request to speak of."""
        return self._stamped(ProblemError(Kind.BAD_REQUEST, detail))

    def too_slow(self) -> Answer:
        """Answer half a head that has no second half."""
        detail = f"a request's head has {self._context.config.head_s_max:g} seconds to arrive"
        return self._stamped(ProblemError(Kind.HEAD_TOO_SLOW, detail))

    def overloaded(self) -> Answer:
        """Answer a connection that is one too many."""
        problem = self.no_place()
        self.counts.sheds.note(problem)
        return self._stamped(problem)

    def no_place(self) -> ProblemError:
        """Return what is said where there are as many connections as there may be."""
        limit = self._context.config.connections_max
        detail = f"the listener has no place for more than {limit} connections"
        return Overload(Kind.TOO_MANY_CONNECTIONS, detail, retry_after_s=1.0)

    def _stamped(self, problem: ProblemError) -> Answer:
        answer = self.refusal(problem, None)
        self._count(None, OTHER, str(answer.status), 0.0)
        answer.stamp(f"{self._random_bits(64):016x}", self._date())
        return answer

    def _trace(
        self, request: HttpRequest, message: RawRequestMessage, given: str
    ) -> TraceSpan | None:
        """Return the request's span if it is to be traced; what it leads to is, from now on."""
        callers = message.headers.getall(_TRACEPARENT, ())
        # Of two that say different things neither counts.
        caller = callers[0] if len(callers) == 1 else None
        span = self._tracing.begin(caller, given, arrived_s=request.arrived)
        if span is not None:
            span.name = self._name_of(request, message)
            request_id.set(context_of(span, given))
        return span

    def _note_end(
        self,
        span: TraceSpan | None,
        request: HttpRequest,
        given: str,
        status: str,
        duration_s: float,
    ) -> None:
        """Note how a request has ended that is traced, or that has erred."""
        if span is not None:
            self._tracing.ended(span, outcome=status, duration_s=duration_s)
            return
        self._tracing.erred(
            given,
            name=self._name_of(request, request._message),  # noqa: SLF001 - as above
            arrived_s=request.arrived,
            outcome=status,
            duration_s=duration_s,
        )

    def _name_of(self, request: HttpRequest, message: RawRequestMessage) -> str:
        """Return the request's method and address, as a table has it: they are few."""
        handler: HttpHandler | None = None
        with suppress(ProblemError):
            handler, _, _ = self._find_handler(request, message)
        method = message.method if message.method in METHODS else OTHER
        return f"{method} {self.counts.requests.path_of(handler)}"

    def _id_of(self, given: str | None) -> str:
        if given is None or not _SANE_ID(given):
            return f"{self._random_bits(64):016x}"
        return given

    def _note(self, address: Address, handler: HttpHandler) -> None:
        """Remember what a request for it needs to be looked at for."""
        method, path, endpoint = address
        self.counts.requests.knows(handler, path)
        if not _is_vital(path):
            self._context.routes.add(f"{method} {path}")
        if endpoint.is_probe:
            self._probes.add(path)
        if endpoint.writes or method not in _READING:
            self._changing.add(handler)
        if self.refuses_bodies and method not in BODY_METHODS:
            self._bodiless.add(handler)
        if endpoint.for_operators:
            self._open.add(handler)
        elif endpoint.asked is not None:
            self._service_of[handler] = endpoint.asked
        if endpoint.admitted_as is not None and endpoint.asked is not None:
            self._bounds[handler] = self._admissions.of(
                endpoint.admitted_as, endpoint.asked, writes=endpoint.writes
            )

    def _find_handler(
        self, request: HttpRequest, message: RawRequestMessage
    ) -> tuple[HttpHandler, dict[str, str], str]:
        """Return what answers it, the path's parameters and the query, or raise why none does."""
        target = message.path
        if request.beyond or message.headers.get(_HOST) not in self._known_hosts:
            self._check_way_in(request, target)
        methods, params, query = self._static.get(target) or self._match(request)
        return methods.get(message.method) or self.other_method(request, methods), params, query

    def _check_way_in(self, request: HttpRequest, target: str) -> None:
        """Raise a 503 where there is no place for it, a 421 where it is not for us."""
        if request.beyond and not _is_vital(target):
            raise self.no_place()
        self._check_host(request)

    def _check_host(self, request: web.BaseRequest) -> None:
        """Raise a 421 unless it is for us; a probe asks for whatever address it found us at."""
        authority, path = _authority(request)
        if path not in self._probes:
            self._door.check_host(authority)

    def _check_source(self, request: web.BaseRequest) -> None:
        """Raise a 403 where the request says that a page from elsewhere sends it."""
        headers = request.headers
        if SEC_FETCH_SITE in headers or ORIGIN in headers or REFERER in headers:
            self._door.check_source(headers, _authority(request)[0])

    def _match(self, request: web.BaseRequest) -> AddressMatch:
        target = request.raw_path
        if not target.startswith("/"):
            # Absolute form, as sent to proxies: what counts is behind the host, which stands here.
            self._check_host(request)
            target = request.rel_url.raw_path_qs
        return self.find(target)

    def find(self, target: str) -> AddressMatch:
        """Return what is at the raw target, or raise a 404, or a 400 for a bad escape."""
        return self._table.match(target)

    def _log(self, request: HttpRequest, answer: web.StreamResponse, begun: float) -> None:
        log.debug(
            "request",
            method=request.method,
            path=request.path,
            status=answer.status,
            duration_ms=round((self.clock.monotonic() - begun) * 1000, 3),
        )

    def _failed(
        self, request: HttpRequest, error: BaseException, handler: HttpHandler | None
    ) -> Answer:
        self.counts.sheds.note(error)
        problem: ProblemError | None = None
        reason = str(error)
        if isinstance(error, ProblemError):
            problem = error
            # What an ask ends in is another error: this one was handed to nobody.
            self.counts.expired += error.problem.type == Kind.DEADLINE_EXCEEDED.type
        elif isinstance(error, DressRehearsalError):
            problem = self._told(error, handler)
        elif isinstance(error, web.RequestPayloadError):
            problem = ProblemError(Kind.INCOMPLETE_BODY, reason)
        elif isinstance(error, ConnectionError):
            # The client left while its body was read; nobody hears this, and it is no bug.
            problem = ProblemError(Kind.INCOMPLETE_BODY, "the connection closed")
        if problem is None:
            log.error("request failed by a bug", path=request.path, exc_info=error)
            # What went wrong is for the log; the client can only pass on the id.
            problem = ProblemError(Kind.INTERNAL_ERROR, "quote the X-Request-ID when you report it")
        elif problem.problem.status >= _STATUS_5XX and not isinstance(error, (Busy, Overload)):
            # What was refused for lack of room is counted by its actor.
            self._failures.note(request, problem.problem.type, reason)
        return self.refusal(problem, request)

    def _told(self, error: DressRehearsalError, handler: HttpHandler | None) -> ProblemError | None:
        """Return what is said of it: to an operator all, to a client the service's state."""
        if handler in self._open:
            return from_error(error, detail=str(error))
        service = None if handler is None else self._service_of.get(handler)
        try:
            state = "" if service is None else self._context.system.state_of(service)
        except NoSuchActor:
            state = ""
        return from_error(error, service=service or "the service", state=state)


def _with_trace(given: str, span: TraceSpan) -> str:
    """Return the request's id, and behind it a line that says where its trace is found.

    As the draft of W3C Trace Context Level 2 calls it.
    """
    return f"{given}\r\nTraceresponse: 00-{span.trace_id}-{span.span_id}-01"


def _are_we_cancelled(error: BaseException) -> bool:
    """Somebody else's end must not be taken for ours: everything else gets an answer."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling() > 0)


def _authority(request: web.BaseRequest) -> tuple[str | None, str]:
    """Return the host and port that were asked, and the path (RFC 9112 section 3.2.2)."""
    target = request.raw_path
    if (found := _ABSOLUTE_TARGET.fullmatch(target)) is not None:
        return found[1].rpartition("@")[2], found[2]
    return request.headers.get(_HOST), target.partition("?")[0]


def _is_vital(target: str) -> bool:
    return target.startswith(_VITAL)


def _tell_methods(allowed: str) -> HttpHandler:
    """Return what answers `OPTIONS *`: which methods any address takes."""
    head = make_head(200, TEXT, ("Allow", allowed))

    async def answer(request: HttpRequest, params: dict[str, str], query: str) -> Answer:
        del request, params, query
        return Answer(head, b"")

    return answer
