"""What a service says itself, or that it is parked: that may be when it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from actors.errors import ActorError, StoreError
from http_edge.answer import JSON, Answer, make_head
from http_edge.endpoints.wrapping_endpoint import WrappingEndpoint

if TYPE_CHECKING:
    from aiohttp import web

    from http_edge.address import HttpHandler
    from http_edge.edge_context import EdgeContext
    from http_edge.endpoints.service_endpoint import ServiceEndpoint
    from http_edge.http_request import HttpRequest

PARKED: Final = "parked"
# The reason itself names files and exceptions: an operator sees it.
WHERE: Final = "an operator finds the reason at /admin/actors, and in the log"


@dataclass(frozen=True, slots=True)
class ParkedEndpoint(WrappingEndpoint):
    """Asks the service first: what it knows itself is more. Of a parked one it says so: 200."""

    inner: ServiceEndpoint

    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        inner = self.inner.bind(method, path, context)

        async def answer(
            request: HttpRequest, params: dict[str, str], query: str
        ) -> web.StreamResponse:
            try:
                return await inner(request, params, query)
            except (ActorError, StoreError):
                if context.system.state_of(self.inner.service) != PARKED:
                    raise
                body = {"status": PARKED, "reason": WHERE}
                return Answer(make_head(200, JSON), msgspec.json.encode(body))

        return answer


# As a table says it.
while_parked = ParkedEndpoint
