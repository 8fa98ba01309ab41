"""What answers one method of one address, and what all that do so share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from http_edge.turnstile import Turnstile

if TYPE_CHECKING:
    from aiohttp import web

    from actors.config import EdgeConfig
    from http_edge.answer import HttpDate
    from http_edge.request import Request
    from http_edge.system import System


class Handler(Protocol):
    """Made once at start-up, called once a request."""

    async def __call__(
        self, request: Request, params: dict[str, str], query: str
    ) -> web.StreamResponse:
        """Answer; `params` are decoded, `query` is raw. Raises ProblemError or actors' errors."""
        ...


class Row(Protocol):
    """A line of a table of routes."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        ...


@dataclass(slots=True)
class Context:
    """What the handlers of all listeners share. `draining` is set once, when the edge drains."""

    system: System
    config: EdgeConfig
    date: HttpDate
    admin_token: str
    log_requests: bool
    turnstile: Turnstile = field(default_factory=Turnstile)
    draining: bool = False
