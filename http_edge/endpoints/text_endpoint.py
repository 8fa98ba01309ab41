"""A text that is always the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from http_edge.address import Endpoint
from http_edge.answer import TEXT, Answer, make_head
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from http_edge.address import HttpHandler
    from http_edge.edge_context import EdgeContext
    from http_edge.http_request import HttpRequest


@dataclass(frozen=True, slots=True)
class TextEndpoint(Endpoint):
    """Answers with `text`, in UTF-8."""

    text: str

    def describe(self) -> str:
        return "a text"

    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        del method, path, context
        head, body = make_head(200, TEXT), self.text.encode()

        async def answer(request: HttpRequest, params: dict[str, str], query: str) -> Answer:
            del request, params
            refuse_query(query)
            return Answer(head, body)

        return answer


# As a table says it.
text = TextEndpoint
