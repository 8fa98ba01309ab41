"""An address of X's API: who may ask and how often, before anything else is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from aiohttp import web

from actors.kernel.messages import Accepted
from actors.systems.x_platform.api.identity import Scheme
from actors.systems.x_platform.api.rate_limit import Quota
from actors.systems.x_platform.api.x_problems import plain_problem, unsupported_authentication
from http_edge.address import Address, Endpoint
from http_edge.answer import JSON, Answer, make_head

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.kernel.messages import Message
    from actors.systems.x_platform.api.api_context import ApiContext
    from actors.systems.x_platform.api.identity import Caller
    from http_edge.address import HttpHandler
    from http_edge.edge_context import EdgeContext
    from http_edge.http_request import HttpRequest

SERVICE: Final = "x_platform"
QUOTA: Final = web.RequestKey("quota", Quota)

APP_ONLY: Final = (Scheme.APP,)
USER_ONLY: Final = (Scheme.OAUTH1, Scheme.OAUTH2)
ANYBODY: Final = (Scheme.APP, Scheme.OAUTH1, Scheme.OAUTH2)


class XCall:
    """One request, whose caller is known and may make it."""

    __slots__ = ("api", "caller", "context", "params", "query", "quota", "request")

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, str],
        query: str,
        *,
        caller: Caller,
        quota: Quota,
        api: ApiContext,
        context: EdgeContext,
    ) -> None:
        """`params` are the path's, decoded; `query` is raw."""
        self.request = request
        self.params = params
        self.query = query
        self.caller = caller
        self.quota = quota
        self.api = api
        self.context = context

    @property
    def now_us(self) -> int:
        """The wall clock's microseconds."""
        return self.context.system.clock.now_us()

    async def ask(self, message: Message, *, timeout_s: float | None = None) -> Any:
        """Return the service's reply, or its Refusal, by the request's deadline or in `timeout_s`.

        Raises what an ask raises.
        """
        if timeout_s is None:
            timeout_s = self.request.look_again()
        reply = await self.context.system.ask(SERVICE, message, timeout_s=timeout_s)
        if isinstance(reply, Accepted):
            # X has no such answer: what did not come in time is not there.
            raise plain_problem(503)
        return reply

    def answer(self, status: int, body: object) -> Answer:
        """Return the body as JSON, with what is left of the caller's quota."""
        return Answer(make_head(status, JSON, *self.quota.headers()), msgspec.json.encode(body))


@dataclass(frozen=True, slots=True)
class XEndpoint(Endpoint):
    """401, then 403, then 429, then `run`. `schemes` are the ways to authenticate that X takes."""

    schemes: tuple[Scheme, ...]
    run: Callable[[XCall], Awaitable[web.StreamResponse]]
    api: ApiContext

    @property
    def asked(self) -> str:
        return SERVICE

    def describe(self) -> str:
        return "X API v2"

    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        schemes, run, api, clock = self.schemes, self.run, self.api, context.system.clock
        identity = api.identity
        supported = sorted(scheme.value for scheme in schemes)
        name = f"{method} {path}"
        context.on_drain(api.drain)

        async def answer(
            request: HttpRequest, params: dict[str, str], query: str
        ) -> web.StreamResponse:
            caller = identity.recognise(request, clock)
            if caller.scheme not in schemes:
                raise unsupported_authentication(caller.scheme.value, supported)
            quota = api.limiter.take(name, caller.account, clock.now_us())
            # Also what fails from here on tells the quota; see `XGateway`.
            request[QUOTA] = quota
            if quota.exceeded:
                raise plain_problem(429)
            identity.spend(caller, clock)
            call = XCall(
                request, params, query, caller=caller, quota=quota, api=api, context=context
            )
            return await run(call)

        return answer


class XRow(NamedTuple):
    """A line of a table of X's API."""

    method: str
    path: str
    schemes: tuple[Scheme, ...]
    run: Callable[[XCall], Awaitable[web.StreamResponse]]

    def address(self, api: ApiContext) -> Address:
        """Return it as the edge's, with what all of them share."""
        return Address(self.method, self.path, XEndpoint(self.schemes, self.run, api))
