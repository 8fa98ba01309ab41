"""What a server as a whole can do: the methods that any of its addresses takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from http_edge.answer import TEXT, Answer, make_head

if TYPE_CHECKING:
    from aiohttp import web


class OptionsHandler:
    """Answers `OPTIONS *`."""

    def __init__(self, allowed: str) -> None:
        self._head = make_head(200, TEXT, ("Allow", allowed))

    async def __call__(
        self, request: web.BaseRequest, params: dict[str, str], query: str
    ) -> Answer:
        del request, params, query
        return Answer(self._head, b"")
