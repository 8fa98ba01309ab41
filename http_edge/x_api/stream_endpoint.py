"""How a stream begins: its parameters, its place, its rules, and where in the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.systems.x_platform.messages import FindHead, Head, ListRules, Rules
from http_edge.x_api.endpoint import APP_ONLY, Endpoint
from http_edge.x_api.fields import OF_TWEETS
from http_edge.x_api.parameters import Parameters
from http_edge.x_api.problems import connection_refused, plain
from http_edge.x_api.stream import Stream

if TYPE_CHECKING:
    from aiohttp import web

    from actors.config import XPlatformConfig
    from http_edge.handler import Context
    from http_edge.x_api.endpoint import Call
    from http_edge.x_api.streams import Streams

NO_RULES: Final = (
    "You must define rules using the POST /2/tweets/search/stream/rules endpoint before connecting"
    " to filtered stream."
)
_MINUTE_US: Final = 60_000_000


class StreamEndpoint:
    """`GET /2/tweets/search/stream`."""

    def __init__(self, streams: Streams, context: Context, config: XPlatformConfig) -> None:
        self._streams = streams
        self._context = context
        self._config = config

    def endpoint(self) -> Endpoint:
        """Return it for the table of routes."""
        return Endpoint("GET", "/2/tweets/search/stream", APP_ONLY, self.run)

    async def run(self, call: Call) -> web.StreamResponse:
        """Stream until it ends; or say why not, before there is a stream."""
        parameters = Parameters(call.query, names=("backfill_minutes",), fields=OF_TWEETS)
        minutes = parameters.whole_number(
            "backfill_minutes", at_most=self._config.backfill_minutes_max
        )
        selection = parameters.done()
        if self._context.draining:
            raise plain(503)
        stream = Stream(
            call,
            selection,
            streams=self._streams,
            context=self._context,
            config=self._config,
        )
        self._streams.enter(stream)
        try:
            return await stream.run(await self._begin(call, minutes))
        finally:
            self._streams.leave(stream)

    async def _begin(self, call: Call, backfill_minutes: int) -> int:
        rules: Rules = await call.ask(ListRules())
        if not rules.rules:
            raise connection_refused(409, NO_RULES, "RuleConfigurationIssue")
        now_us = self._context.system.clock.now_us()
        since_us = now_us - backfill_minutes * _MINUTE_US if backfill_minutes else None
        head: Head = await call.ask(FindHead(since_us=since_us))
        return head.seq
