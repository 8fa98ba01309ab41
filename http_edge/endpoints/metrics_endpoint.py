"""All that was counted, for Prometheus: OpenMetrics, or its older text where that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from aiohttp import hdrs

from http_edge.address import Address, Endpoint
from http_edge.admin_token import authorize
from http_edge.answer import Answer, make_head
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from http_edge.address import HttpHandler
    from http_edge.edge_context import EdgeContext
    from http_edge.http_request import HttpRequest
    from http_edge.metrics.exposition import Exposition


@dataclass(frozen=True, slots=True)
class MetricsEndpoint(Endpoint):
    """Before somebody has asked, nothing of it is loaded and no lag of the loop looked for."""

    for_operators: ClassVar[bool] = True

    def describe(self) -> str:
        return "what was counted, for Prometheus"

    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        del method, path
        system, counts = context.system, context.counts
        look_s_max = context.config.metrics_look_s_max
        token = context.admin_token.encode()
        exposition: Exposition | None = None

        def begin() -> Exposition:
            # The library takes 15 ms to load: whoever does not look at metrics boots without.
            from http_edge.metrics.exposition import Exposition  # noqa: PLC0415

            if counts.loop_lag is not None and not context.draining:
                counts.loop_lag.begin()
                context.on_drain(counts.loop_lag.end)
            return Exposition(counts)

        async def answer(request: HttpRequest, params: dict[str, str], query: str) -> Answer:
            nonlocal exposition
            del params
            authorize(request, token)
            refuse_query(query)
            exposition = exposition or begin()
            look_s = max(0.0, min(look_s_max, request.look_again()))
            measured = await system.measured(look_s_max=look_s)
            accept = ",".join(request.headers.getall(hdrs.ACCEPT, ()))
            content_type, body = await exposition.write(measured, accept)
            return Answer(make_head(200, content_type), body)

        return answer


METRICS: tuple[Address, ...] = (Address("GET", "/metrics", MetricsEndpoint()),)
