"""Whether the process lives, and whether every service is up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec

from http_edge.address import Address, Endpoint
from http_edge.answer import JSON, Answer, make_head
from http_edge.problems import Kind, ProblemError
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_edge.address import HttpHandler
    from http_edge.edge_context import EdgeContext
    from http_edge.http_request import HttpRequest


@dataclass(frozen=True, slots=True)
class ProbeEndpoint(Endpoint):
    """`check` raises the problem there is, if there is one."""

    is_probe: ClassVar[bool] = True

    check: Callable[[EdgeContext], None]
    about: str

    def describe(self) -> str:
        return self.about

    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        del method, path
        check, head = self.check, make_head(200, JSON)

        async def answer(request: HttpRequest, params: dict[str, str], query: str) -> Answer:
            del request, params
            refuse_query(query)
            check(context)
            return Answer(head, b'{"status":"ok"}')

        return answer


# As a table says it.
probe = ProbeEndpoint


def _alive(context: EdgeContext) -> None:
    """Whoever can answer lives."""
    del context


def _ready(context: EdgeContext) -> None:
    if context.draining:
        raise ProblemError(Kind.NOT_READY, "the process is shutting down")
    down = list(context.system.unhealthy())
    if down:
        named = ", ".join(f"{name} ({context.system.state_of(name)})" for name in down)
        error = ProblemError(Kind.NOT_READY, f"not up: {named}")
        error.problem = msgspec.structs.replace(error.problem, services=down)
        raise error


HEALTH: tuple[Address, ...] = (
    Address("GET", "/healthz", probe(_alive, "whether the process lives")),
    Address("GET", "/readyz", probe(_ready, "whether every service is up")),
)
