"""An endpoint for operators: nobody else has the token."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import msgspec

from actors.errors import DeadlineExceeded
from http_edge.address import Endpoint
from http_edge.admin_token import authorize
from http_edge.answer import JSON, Answer, make_head
from http_edge.body_reader import BodyReader, refuse_body
from http_edge.endpoints.wrapping_endpoint import WrappingEndpoint
from http_edge.problems import Kind, ProblemError
from http_edge.target import parse_query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from aiohttp import web

    from actors.config import EdgeConfig
    from http_edge.address import HttpHandler
    from http_edge.ask_breakers import AskBreakers
    from http_edge.edge_context import EdgeContext, Reload
    from http_edge.http_request import HttpRequest
    from http_edge.served_system import ServedSystem

    # Returns the status and what becomes the body. Raises ProblemError or actors' errors.
    Act = Callable[["AdminCall"], Awaitable[tuple[int, object]]]


class AdminCall(NamedTuple):
    """What an operator asks; `params` are decoded, `query` is raw."""

    system: ServedSystem
    asks: AskBreakers
    config: EdgeConfig
    reload: Reload | None
    params: dict[str, str]
    query: str
    body: bytes
    routes: Collection[str]


@dataclass(frozen=True, slots=True)
class AdminEndpoint(Endpoint):
    """`act` answers, once the token is right; a body is refused unless `reads_body`.

    It is given up at the request's deadline, unless it `takes_long` by its nature.
    """

    for_operators: ClassVar[bool] = True

    act: Act
    about: str
    reads_body: bool = False
    takes_long: bool = False

    def describe(self) -> str:
        return self.about

    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        del method, path
        act, reads_body, system, config = self.act, self.reads_body, context.system, context.config
        asks, reload, routes = context.asks, context.reload, context.routes
        token = context.admin_token.encode()
        reader = BodyReader(config)
        encode = msgspec.json.Encoder().encode
        takes_long = self.takes_long

        async def answer(request: HttpRequest, params: dict[str, str], query: str) -> Answer:
            authorize(request, token)
            # Most send none, and pay for none.
            body = await reader.read(request) if request.body_exists else b""
            if not reads_body:
                refuse_body(body)
            limit = asyncio.timeout(None if takes_long else request.look_again())
            try:
                async with limit:
                    call = AdminCall(system, asks, config, reload, params, query, body, routes)
                    status, said = await act(call)
            except TimeoutError:
                if not limit.expired():  # it is the call's own
                    raise
                detail = "no answer by the request's deadline; what was asked for may still be done"
                raise DeadlineExceeded(detail) from None
            return Answer(make_head(status, JSON), encode(said))

        return answer


@dataclass(frozen=True, slots=True)
class GuardedEndpoint(WrappingEndpoint):
    """Any other endpoint, for those alone who have the token."""

    for_operators: ClassVar[bool] = True

    @property
    def admitted_as(self) -> str | None:
        return None  # whatever clients ask for, an operator is heard

    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        inner = self.inner.bind(method, path, context)
        token = context.admin_token.encode()

        async def answer(
            request: HttpRequest, params: dict[str, str], query: str
        ) -> web.StreamResponse:
            authorize(request, token)
            return await inner(request, params, query)

        return answer


# As a table says it.
admin = AdminEndpoint
guarded = GuardedEndpoint


def limit_of(call: AdminCall, name: str = "limit") -> int:
    """Return how many the query asks for, by its one parameter. Raises a 422."""
    fields, config = parse_query(call.query), call.config
    text = fields.pop(name, str(config.page_items_default))
    for other in fields:
        raise ProblemError(Kind.INVALID, f"unknown query parameter {other}", field=other)
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(config.page_items_max))
    if not digits or not 1 <= int(text) <= config.page_items_max:
        detail = f"{name} is a whole number from 1 to {config.page_items_max}"
        raise ProblemError(Kind.INVALID, detail, field=name)
    return int(text)
