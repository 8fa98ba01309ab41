"""A row says which message an address is, and which service gets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from http_edge.answer import TEXT, Answer, make_head
from http_edge.decoding import BodyDecoder, JsonBody
from http_edge.service_handler import ServiceHandler
from http_edge.stream_handler import StreamHandler
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from actors.kernel.messages import Message
    from http_edge.handler import Context, Handler


@dataclass(frozen=True, slots=True)
class Route:
    """`method` and `path` become `message`, asked of `service`; its reply is sent with `status`.

    `{name}` in the path is one segment and a field of the message, `{name*}` all that is left. With
    POST, PUT and PATCH the other fields come from the body, else from the query.
    `location` is put before the reply's `id` to make the Location header of what was created.
    `reply` may choose the status and another body from the service's reply; text stays text.
    An answer that the service put off past the deadline is a 202 with what there is so far, also
    through `reply`. Its Location is made likewise, or is the address itself with PUT, PATCH and
    DELETE; a tutorial's address names none, as its 201 does not.
    `body` reads the body; strict JSON unless a tutorial did otherwise.
    """

    method: str
    path: str
    service: str
    message: type[Message]
    status: int = 200
    location: str | None = None
    reply: Callable[[Any], tuple[int, object]] | None = None
    body: type[BodyDecoder] = JsonBody

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return ServiceHandler(self, context)


@dataclass(frozen=True, slots=True)
class Stream:
    """All pages of `message`, a list, as one JSON array of what `item` makes of each item."""

    method: str
    path: str
    service: str
    message: type[Message]
    item: Callable[[Any], object]

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        return StreamHandler(self, context)


@dataclass(frozen=True, slots=True)
class Text:
    """A fixed text."""

    method: str
    path: str
    text: str

    def handler(self, context: Context) -> Handler:
        """Return what answers it."""
        del context
        return TextHandler(self.text)


class TextHandler:
    """Answers a `Text`."""

    def __init__(self, text: str) -> None:
        self._head = make_head(200, TEXT)
        self._body = text.encode()

    async def __call__(
        self, request: web.BaseRequest, params: dict[str, str], query: str
    ) -> Answer:
        del request, params
        refuse_query(query)
        return Answer(self._head, self._body)
