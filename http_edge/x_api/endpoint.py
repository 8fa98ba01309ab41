"""An address of X's API: who may ask and how often, before anything else is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from actors.kernel.messages import Accepted
from http_edge.answer import JSON, Answer, make_head
from http_edge.x_api.identity import Scheme
from http_edge.x_api.problems import plain, unsupported_authentication
from http_edge.x_api.rate_limit import Quota

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.kernel.messages import Message
    from http_edge.handler import Context, Handler
    from http_edge.request import Request
    from http_edge.system import System
    from http_edge.x_api.identity import Caller, Identity
    from http_edge.x_api.rate_limit import RateLimiter

SERVICE: Final = "x_platform"
QUOTA: Final = web.RequestKey("quota", Quota)

APP_ONLY: Final = (Scheme.APP,)
USER_ONLY: Final = (Scheme.OAUTH1, Scheme.OAUTH2)
ANYBODY: Final = (Scheme.APP, Scheme.OAUTH1, Scheme.OAUTH2)


class Call:
    """One request, whose caller is known and may make it."""

    __slots__ = ("_system", "caller", "params", "query", "quota", "request")

    def __init__(
        self,
        request: Request,
        params: dict[str, str],
        query: str,
        *,
        caller: Caller,
        quota: Quota,
        system: System,
    ) -> None:
        """`params` are the path's, decoded; `query` is raw."""
        self.request = request
        self.params = params
        self.query = query
        self.caller = caller
        self.quota = quota
        self._system = system

    async def ask(self, message: Message, *, timeout_s: float | None = None) -> Any:
        """Return the service's reply, or its Refusal, by the request's deadline or in `timeout_s`.

        Raises what an ask raises.
        """
        if timeout_s is None:
            timeout_s = self.request.look_again()
        reply = await self._system.ask(SERVICE, message, timeout_s=timeout_s)
        if isinstance(reply, Accepted):
            # X has no such answer: what did not come in time is not there.
            raise plain(503)
        return reply

    def answer(self, status: int, body: object) -> Answer:
        """Return the body as JSON, with what is left of the caller's quota."""
        return Answer(make_head(status, JSON, *self.quota.headers()), msgspec.json.encode(body))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`schemes` are the ways of authenticating that X takes here; `run` does the rest."""

    method: str
    path: str
    schemes: tuple[Scheme, ...]
    run: Callable[[Call], Awaitable[web.StreamResponse]]


class EndpointRow:
    """A line of the X listener's table of routes."""

    def __init__(self, endpoint: Endpoint, identity: Identity, limiter: RateLimiter) -> None:
        self._endpoint = endpoint
        self._identity = identity
        self._limiter = limiter

    @property
    def method(self) -> str:
        return self._endpoint.method

    @property
    def path(self) -> str:
        return self._endpoint.path

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return EndpointHandler(self._endpoint, self._identity, self._limiter, context)


class EndpointHandler:
    """Answers an `Endpoint`: 401, then 403, then 429, then what is asked."""

    def __init__(
        self, endpoint: Endpoint, identity: Identity, limiter: RateLimiter, context: Context
    ) -> None:
        self._endpoint = endpoint
        self._name = f"{endpoint.method} {endpoint.path}"
        self._identity = identity
        self._limiter = limiter
        self._system = context.system

    async def __call__(
        self, request: Request, params: dict[str, str], query: str
    ) -> web.StreamResponse:
        caller = self._identity.recognise(request)
        schemes = self._endpoint.schemes
        if caller.scheme not in schemes:
            supported = sorted(scheme.value for scheme in schemes)
            raise unsupported_authentication(caller.scheme.value, supported)
        quota = self._limiter.take(self._name, caller.account)
        # Also what fails from here on tells the quota; see `XGateway`.
        request[QUOTA] = quota
        if quota.exceeded:
            raise plain(429)
        self._identity.spend(caller)
        call = Call(
            request,
            params,
            query,
            caller=caller,
            quota=quota,
            system=self._system,
        )
        return await self._endpoint.run(call)
