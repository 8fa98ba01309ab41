"""A line of a table: method, path, and what is there."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from aiohttp import web

    from http_edge.edge_context import EdgeContext
    from http_edge.http_request import HttpRequest
    from http_edge.served_system import Handling

    # Called once a request with the request, the path's parameters, decoded, and the query, raw.
    # Raises ProblemError or actors' errors.
    HttpHandler = Callable[
        [HttpRequest, dict[str, str], str], Coroutine[Any, Any, web.StreamResponse]
    ]

_PARAMETER: Final = re.compile(r"\{(\w+)\*?\}")


class Endpoint(ABC):
    """What answers at an address: a value, which a table may hold more than once."""

    # Whether it answers to whatever host it is asked for.
    is_probe: ClassVar[bool] = False
    # Whether whoever gets an answer has shown the operator's token, and may be told everything.
    for_operators: ClassVar[bool] = False

    @abstractmethod
    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        """Return what answers there; called once, at start-up."""

    def faults(self, path: str, system: Handling) -> Iterator[str]:
        """Yield what would make each request there fail."""
        del path, system
        yield from ()

    @property
    def writes(self) -> bool:
        """Whether it changes something, whatever its method says."""
        return False

    @property
    def asked(self) -> str | None:
        """Which service does it, if one does: a client is told who could not answer."""
        return None

    @property
    def admitted_as(self) -> str | None:
        """As what it is counted among what is in progress; None: it is not bounded."""
        return None

    def describe(self) -> str:
        """Return a few words for who looks at the table."""
        return ""


class Address(NamedTuple):
    """`{name}` in a path is one segment; `{name*}` at its end is the rest, slashes included."""

    method: str
    path: str
    endpoint: Endpoint


def parameters_of(path: str) -> list[str]:
    """Return the names of the path's parameters."""
    return _PARAMETER.findall(path)


def fill_in(path: str, value_of: Callable[[str], str]) -> str:
    """Return the path with the value of each parameter in its place."""
    return _PARAMETER.sub(lambda found: value_of(found[1]), path)
