"""Whether the process lives, and whether every service is up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from http_edge.answer import JSON, Answer, make_head
from http_edge.problems import Kind, ProblemError
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from http_edge.handler import Context, Handler, Row


@dataclass(frozen=True, slots=True)
class Probe:
    """`check` raises the problem there is, if there is one."""

    method: str
    path: str
    check: Callable[[Context], None]

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return ProbeHandler(self, context)


class ProbeHandler:
    """Answers a `Probe`."""

    def __init__(self, row: Probe, context: Context) -> None:
        self._check = row.check
        self._context = context
        self._head = make_head(200, JSON)

    async def __call__(
        self, request: web.BaseRequest, params: dict[str, str], query: str
    ) -> Answer:
        del request, params
        refuse_query(query)
        self._check(self._context)
        return Answer(self._head, b'{"status":"ok"}')


def _alive(context: Context) -> None:
    """Whoever can answer lives."""
    del context


def _ready(context: Context) -> None:
    if context.draining:
        raise ProblemError(Kind.NOT_READY, "the process is shutting down")
    down = list(context.system.unhealthy())
    if down:
        named = ", ".join(f"{name} ({context.system.state_of(name)})" for name in down)
        error = ProblemError(Kind.NOT_READY, f"not up: {named}")
        error.problem = msgspec.structs.replace(error.problem, services=down)
        raise error


ROUTES: dict[str, tuple[Row, ...]] = {
    "gateway": (Probe("GET", "/healthz", _alive), Probe("GET", "/readyz", _ready))
}
