"""The embedded X's HTTP side as one thing: its addresses, and an operator's for acting on it.

What they share lives here: who may ask, how often, and which streams are open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.systems.x_platform.messages import LockAccount, TweetAs
from http_edge.body import refuse_body
from http_edge.routes.admin import AdminHandler, Guarded
from http_edge.routes.route import Route
from http_edge.target import refuse_query
from http_edge.x_api.credentials import read_embedded_credentials
from http_edge.x_api.endpoint import SERVICE, EndpointRow
from http_edge.x_api.gateway import XGateway
from http_edge.x_api.identity import Identity
from http_edge.x_api.rate_limit import RateLimiter
from http_edge.x_api.rules import RulesEndpoints
from http_edge.x_api.search import SearchEndpoint
from http_edge.x_api.stream import DRAINING, FORCED
from http_edge.x_api.stream_endpoint import StreamEndpoint
from http_edge.x_api.streams import Streams
from http_edge.x_api.tweets import TweetEndpoints
from http_edge.x_api.users import UserEndpoints

if TYPE_CHECKING:
    from pathlib import Path

    from actors.systems.x_platform.config import XPlatformConfig
    from http_edge.handler import Context, Handler, Row


class XApi:
    """Answers for the service `x_platform` as X's API v2 would."""

    def __init__(self, context: Context, config: XPlatformConfig, data_dir: Path) -> None:
        """Reads the credentials in `data_dir`, made if there are none. Raises ConfigError."""
        self._context = context
        clock = context.system.clock
        self._identity = Identity(read_embedded_credentials(data_dir), clock)
        limiter = RateLimiter(config, clock)
        self._streams = Streams(config.connections_max)
        endpoints = (
            StreamEndpoint(self._streams, context, config).endpoint(),
            *RulesEndpoints(context, rules_max=config.rules_max).endpoints(),
            SearchEndpoint(context).endpoint(),
            *TweetEndpoints(context).endpoints(),
            *UserEndpoints(context).endpoints(),
        )
        self._rows = [EndpointRow(each, self._identity, limiter) for each in endpoints]

    def gateway(self) -> XGateway:
        """Return what answers X's own listener."""
        return XGateway(self._rows, self._context, listener="x_platform")

    def admin_rows(self) -> list[Row]:
        """Return the operator's addresses, for the gateway's listener."""
        return [
            Guarded(Route("POST", "/admin/x/tweets", SERVICE, TweetAs, 201)),
            Guarded(Route("POST", "/admin/x/lock", SERVICE, LockAccount)),
            Disconnect("POST", "/admin/x/disconnect", self._streams),
        ]

    def drain(self) -> None:
        """End the streams, which would not end by themselves."""
        self._streams.disconnect(DRAINING)


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Ends all streams, as X does now and then."""

    method: str
    path: str
    streams: Streams

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return AdminHandler(self, context)

    async def answer(
        self, context: Context, params: dict[str, str], query: str, body: bytes
    ) -> tuple[int, object]:
        """202: they have been told why, and close in their own time."""
        del context, params
        refuse_query(query)
        refuse_body(body)
        return 202, {"disconnected": self.streams.disconnect(FORCED)}
