"""The reader's address, which answers also where the reader cannot: that is when it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from actors.errors import ActorError, StoreError
from http_edge.answer import JSON, Answer, make_head

if TYPE_CHECKING:
    from aiohttp import web

    from http_edge.handler import Context, Handler
    from http_edge.request import Request
    from http_edge.routes.route import Route

PARKED: Final = "parked"


@dataclass(frozen=True, slots=True)
class WhileParked:
    """`route`; while its service is parked, that it is and why, with a 200."""

    route: Route

    @property
    def method(self) -> str:
        return self.route.method

    @property
    def path(self) -> str:
        return self.route.path

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return WhileParkedHandler(self.route, context)


class WhileParkedHandler:
    """Asks the service first: what it knows itself is more."""

    def __init__(self, route: Route, context: Context) -> None:
        self._handler = route.handler(context)
        self._service = route.service
        self._system = context.system

    async def __call__(
        self, request: Request, params: dict[str, str], query: str
    ) -> web.StreamResponse:
        try:
            return await self._handler(request, params, query)
        except (ActorError, StoreError):
            for each in self._system.actors():
                name, state = getattr(each, "name", None), getattr(each, "state", None)
                if (name, state) == (self._service, PARKED):
                    body = {"status": PARKED, "reason": getattr(each, "last_error", None)}
                    return Answer(make_head(200, JSON), msgspec.json.encode(body))
            raise
