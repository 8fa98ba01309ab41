"""The way in: each request gets an id, its handler and exactly one answer. Routes are tables.

Adding a service adds a table under `http_edge/routes/`; nothing here changes.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, ClassVar

import structlog
from aiohttp import web
from multidict import istr

from actors.errors import Busy, DressRehearsalError
from actors.kernel.messages import Command
from actors.log import request_id
from http_edge.answer import Answer
from http_edge.body import BodyReader, refuse_body
from http_edge.doorkeeper import ORIGIN, REFERER, SEC_FETCH_SITE, Doorkeeper
from http_edge.failure_log import FailureLog
from http_edge.options_handler import OptionsHandler
from http_edge.problems import Kind, Overload, ProblemError, from_error
from http_edge.router import Match, Router
from http_edge.routes.health import Probe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from http_edge.handler import Context, Handler, Row
    from http_edge.request import Request

log = structlog.get_logger()

HOST = istr("Host")
X_REQUEST_ID = istr("X-Request-ID")
_SANE_ID = re.compile(r"[\x21-\x7e]{1,64}").fullmatch
_ABSOLUTE_TARGET = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)([^?#]*).*", re.DOTALL)
_STATUS_5XX = 500
_READING = frozenset({"GET", "HEAD"})
# Whose body is part of what they ask.
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
# What keeps the system reachable when all places are taken.
_VITAL = ("/healthz", "/readyz", "/admin/")


class Gateway:
    """Answers all requests of one listener."""

    # Whether what answers GET answers HEAD as well.
    serves_heads: ClassVar[bool] = True
    # Whether a body that nobody reads is refused.
    refuses_bodies: ClassVar[bool] = True

    def __init__(self, rows: Iterable[Row], context: Context, *, listener: str) -> None:
        """`listener` is its name in the configuration, which says where it is bound."""
        config = context.config
        self._door = Doorkeeper(getattr(config, listener).host, config.hosts)
        self._known_hosts = self._door.known
        self._body_reader = BodyReader(config)
        self._probes: set[str] = set()
        # What changes something, and what has no use for a body.
        self._changing: set[Handler] = set()
        self._bodiless: set[Handler] = set()
        routes = [(row, row.handler(context)) for row in rows]
        for row, handler in routes:
            self._note(row, handler)
        self._router = Router(
            ((row.method, row.path, handler) for row, handler in routes), heads=self.serves_heads
        )
        self._static = self._router.static
        # RFC 9110 section 9.3.7: asked of the server as a whole.
        allowed = ", ".join(sorted({*self._router.methods, "OPTIONS"}))
        self._static["*"] = Match({"OPTIONS": OptionsHandler(allowed)}, {}, "")
        self.has_vital = any(_is_vital(path) for path in self._static)
        self._context = context
        self._turnstile = context.turnstile
        self.clock = context.system.clock
        self._date = context.date
        self._log_requests = context.log_requests
        self._failures = FailureLog()
        self._random_bits = context.system.rng.fork("edge").getrandbits

    async def __call__(self, request: Request) -> web.StreamResponse:
        message = request._message  # noqa: SLF001 - each of its properties costs a call more
        headers = message.headers
        given = self._id_of(headers.get(X_REQUEST_ID))
        if not self._turnstile.passes() and not _is_vital(message.path):
            await self._turnstile.wait()
        begun = self.clock.monotonic()
        # aiohttp runs each request in a task of its own, so there is nothing to reset.
        request_id.set(given)
        try:
            request.check(begun)
            target = message.path
            if request.beyond or headers.get(HOST) not in self._known_hosts:
                self._check_way_in(request, target)
            methods, params, query = self._static.get(target) or self._match(request)
            handler = methods.get(message.method) or self.other_method(request, methods)
            if handler in self._changing:
                self._check_source(request)
            if handler in self._bodiless and request.body_exists:
                refuse_body(await self._body_reader.read(request))
            answer = await handler(request, params, query)
        except (Exception, asyncio.CancelledError) as error:  # the one catch-all
            if _are_we_cancelled(error):
                raise
            answer = self._failed(request, error)
        request.protocol.answered = True  # type: ignore[attr-defined]  # it is a Connection
        if isinstance(answer, Answer):
            answer.stamp(given, self._date())
        # We never change protocols; what follows an Upgrade, or a CONNECT, is not read as HTTP.
        if self._context.draining or request.beyond or message.upgrade:
            answer.force_close()
        if self._log_requests:
            self._log(request, answer, begun)
        return answer

    def bound_to(self, addresses: Iterable[str]) -> None:
        """Answer to these as well, which the listener got by the name it was told."""
        for address in addresses:
            self._door.goes_by(address)

    def other_method(self, request: web.BaseRequest, methods: Mapping[str, Handler]) -> Handler:
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
        return self._stamped(self.no_place())

    def no_place(self) -> ProblemError:
        """Return what is said where there are as many connections as there may be."""
        limit = self._context.config.connections_max
        detail = f"the listener has no place for more than {limit} connections"
        return Overload(Kind.TOO_MANY_CONNECTIONS, detail, retry_after_s=1.0)

    def _stamped(self, problem: ProblemError) -> Answer:
        answer = self.refusal(problem, None)
        answer.stamp(f"{self._random_bits(64):016x}", self._date())
        return answer

    def _id_of(self, given: str | None) -> str:
        if given is None or not _SANE_ID(given):
            return f"{self._random_bits(64):016x}"
        return given

    def _note(self, row: Row, handler: Handler) -> None:
        """Remember what a request for this row needs to be looked at for."""
        if isinstance(row, Probe):
            self._probes.add(row.path)
        # The tutorial's GET writes: it is a command that says so, whatever the method.
        writes = issubclass(getattr(row, "message", object), Command)
        if writes or row.method not in _READING:
            self._changing.add(handler)
        if self.refuses_bodies and row.method not in _BODY_METHODS:
            self._bodiless.add(handler)

    def _check_way_in(self, request: Request, target: str) -> None:
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

    def _match(self, request: web.BaseRequest) -> Match:
        target = request.raw_path
        if not target.startswith("/"):
            # Absolute form, as sent to proxies: what counts is behind the host, which stands here.
            self._check_host(request)
            target = request.rel_url.raw_path_qs
        return self.find(target)

    def find(self, target: str) -> Match:
        """Return what is at the raw target, or raise a 404, or a 400 for a bad escape."""
        return self._router.match(target)

    def _log(self, request: Request, answer: web.StreamResponse, begun: float) -> None:
        log.debug(
            "request",
            method=request.method,
            path=request.path,
            status=answer.status,
            duration_ms=round((self.clock.monotonic() - begun) * 1000, 3),
        )

    def _failed(self, request: Request, error: BaseException) -> Answer:
        problem: ProblemError | None = None
        if isinstance(error, ProblemError):
            problem = error
        elif isinstance(error, DressRehearsalError):
            problem = from_error(error)
        elif isinstance(error, web.RequestPayloadError):
            problem = ProblemError(Kind.INCOMPLETE_BODY, str(error))
        elif isinstance(error, ConnectionError):
            # The client left while its body was read; nobody hears this, and it is no bug.
            problem = ProblemError(Kind.INCOMPLETE_BODY, "the connection closed")
        if problem is None:
            log.error("request failed by a bug", path=request.path, exc_info=error)
            # What went wrong is for the log; the client can only pass on the id.
            problem = ProblemError(Kind.INTERNAL_ERROR, "quote the X-Request-ID when you report it")
        elif problem.problem.status >= _STATUS_5XX and not isinstance(error, (Busy, Overload)):
            # What was refused for lack of room is counted by its actor.
            self._failures.note(request, problem.problem)
        return self.refusal(problem, request)


def _are_we_cancelled(error: BaseException) -> bool:
    """Somebody else's end must not be taken for ours: everything else gets an answer."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling() > 0)


def _authority(request: web.BaseRequest) -> tuple[str | None, str]:
    """Return the host and port that were asked, and the path (RFC 9112 section 3.2.2)."""
    target = request.raw_path
    if (found := _ABSOLUTE_TARGET.fullmatch(target)) is not None:
        return found[1].rpartition("@")[2], found[2]
    return request.headers.get(HOST), target.partition("?")[0]


def _is_vital(target: str) -> bool:
    return target.startswith(_VITAL)
