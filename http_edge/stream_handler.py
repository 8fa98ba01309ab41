"""All pages of a list as one JSON array, in flat memory: complete, or visibly broken off."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from aiohttp import HttpVersion11, hdrs, web

from actors.errors import DressRehearsalError
from actors.kernel.messages import Refusal
from actors.log import request_id
from http_edge.answer import JSON
from http_edge.decoding import UrlDecoder
from http_edge.problems import from_refusal
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from http_edge.handler import Context
    from http_edge.request import Request
    from http_edge.routes.route import Stream

log = structlog.get_logger()


class StreamHandler:
    """Answers a `Stream`. Each page has a request's time for itself, to read and to send."""

    def __init__(self, row: Stream, context: Context) -> None:
        config = context.config
        self._ask = context.system.ask
        self._date = context.date
        self._row = row
        self._deadline_s = config.deadline_s
        self._url = UrlDecoder(
            row.message, items_default=config.page_items_max, items_max=config.page_items_max
        )
        self._encode = msgspec.json.Encoder().encode

    async def __call__(
        self, request: Request, params: dict[str, str], query: str
    ) -> web.StreamResponse:
        refuse_query(query)
        # A service that cannot even give the first page is answered like everywhere else.
        page = await self._page(params, None, timeout_s=request.left_s)
        headers = {
            hdrs.CONTENT_TYPE: JSON,
            hdrs.DATE: self._date(),
            hdrs.SERVER: "Dress Rehearsal",
            "X-Content-Type-Options": "nosniff",
            "X-Request-ID": request_id.get() or "",
        }
        response = web.StreamResponse(headers=headers)
        if request.version >= HttpVersion11:
            response.enable_chunked_encoding()
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            await self._send(request, response, page)
        return response

    async def _send(
        self,
        request: web.BaseRequest,
        response: web.StreamResponse,
        page: Any,
    ) -> None:
        separator = b"["
        try:
            while True:
                for item in page.items:
                    separator += self._encode(self._row.item(item)) + b","
                end = page.next is None
                # The last comma waits for the next item: JSON allows none before the bracket.
                chunk, separator = separator.removesuffix(b","), b","
                async with asyncio.timeout(self._deadline_s):
                    await response.write(chunk + b"]" if end else chunk)
                if end:
                    return
                page = await self._page({}, page.next, timeout_s=self._deadline_s)
        except (DressRehearsalError, TimeoutError) as error:
            # The status is out already. A valid but short array would be a lie; a cut is not.
            log.warning("list broken off", path=request.path, error=repr(error))
            if request.transport is not None:
                request.transport.abort()

    async def _page(self, params: dict[str, str], after: str | None, *, timeout_s: float) -> Any:
        message = self._url.decode(params if after is None else {**params, "after": after}, "")
        reply = await self._ask(self._row.service, message, timeout_s=timeout_s)
        if isinstance(reply, Refusal):
            raise from_refusal(reply)
        return reply
