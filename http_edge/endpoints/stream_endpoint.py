"""All pages of a list as one JSON array, in flat memory: complete, or visibly broken off."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from aiohttp import HttpVersion11, hdrs, web

from actors.errors import DressRehearsalError
from actors.kernel.messages import Command, Refusal
from actors.log import request_id
from http_edge.address import Endpoint
from http_edge.answer import JSON
from http_edge.decoding.url_decoder import UrlDecoder
from http_edge.endpoints.service_endpoint import faults_of
from http_edge.problems import from_refusal
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from actors.kernel.messages import Message
    from http_edge.address import HttpHandler
    from http_edge.edge_context import EdgeContext
    from http_edge.http_request import HttpRequest
    from http_edge.served_system import Handling

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StreamEndpoint(Endpoint):
    """All pages of `message`, a list, as one JSON array of what `item` makes of each item.

    Each page has a request's time for itself, to read and to send.
    """

    service: str
    message: type[Message]
    item: Callable[[Any], object]

    @property
    def asked(self) -> str:
        return self.service

    def describe(self) -> str:
        return f"all pages of {self.message.__name__} of {self.service}"

    def faults(self, path: str, system: Handling) -> Iterator[str]:
        if issubclass(self.message, Command):
            # A GET, and once a page: any other page of a browser could have it done.
            yield f"{self.message.__name__} is a command: only a query has pages"
        else:
            yield from faults_of(self.service, self.message, path, system, ("items", "next"))

    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        del method, path
        ask, config = context.asks.of(self.service, self.message).ask, context.config
        decode = UrlDecoder(
            self.message, items_default=config.page_items_max, items_max=config.page_items_max
        ).decode

        async def page_of(params: dict[str, str], *, timeout_s: float | None = None) -> Any:
            limit_s = config.deadline_s if timeout_s is None else timeout_s
            reply = await ask(decode(params, ""), timeout_s=limit_s)
            if isinstance(reply, Refusal):
                raise from_refusal(reply)
            return reply

        async def answer(
            request: HttpRequest, params: dict[str, str], query: str
        ) -> web.StreamResponse:
            refuse_query(query)
            # A service that cannot even give the first page is answered like everywhere else.
            page = await page_of(params, timeout_s=request.left_s)
            response = _response(context)
            if request.version >= HttpVersion11:
                response.enable_chunked_encoding()
            await response.prepare(request)
            if request.method != hdrs.METH_HEAD:
                await self._send(request, response, page, page_of, config.deadline_s)
            return response

        return answer

    async def _send(
        self,
        request: HttpRequest,
        response: web.StreamResponse,
        page: Any,
        page_of: Callable[[dict[str, str]], Awaitable[Any]],
        send_s_max: float,
    ) -> None:
        separator, encode = b"[", msgspec.json.Encoder().encode
        try:
            while True:
                for item in page.items:
                    separator += encode(self.item(item)) + b","
                end = page.next is None
                # The last comma waits for the next item: JSON allows none before the bracket.
                chunk, separator = separator.removesuffix(b","), b","
                async with asyncio.timeout(send_s_max):
                    await response.write(chunk + b"]" if end else chunk)
                if end:
                    return
                page = await page_of({"after": page.next})
        except (DressRehearsalError, TimeoutError) as error:
            # The status is out already. A valid but short array would be a lie; a cut is not.
            log.warning("list broken off", path=request.path, error=repr(error))
            _abort(request)
        except ConnectionError:  # the client left: nobody hears what is said of it
            raise
        except Exception:
            log.exception("list broken off by a bug", path=request.path)
            _abort(request)


# As a table says it.
stream = StreamEndpoint


def _abort(request: HttpRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def _response(context: EdgeContext) -> web.StreamResponse:
    return web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: JSON,
            hdrs.DATE: context.date(),
            hdrs.SERVER: "Dress Rehearsal",
            "X-Content-Type-Options": "nosniff",
            "X-Request-ID": request_id.get() or "",
        }
    )
