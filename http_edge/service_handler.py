"""One route to one service: decode, ask, answer. Everything it can know beforehand is prepared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from aiohttp import hdrs
from multidict import istr

from actors.kernel.messages import Accepted, Command, Refusal
from http_edge.answer import JSON, TEXT, Answer, make_head
from http_edge.body import BodyReader
from http_edge.body_limit import body_bytes_max
from http_edge.decoding import UrlDecoder
from http_edge.problems import Kind, ProblemError, from_refusal
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from actors.kernel.messages import Message
    from http_edge.handler import Context
    from http_edge.request import Request
    from http_edge.routes.route import Route

IDEMPOTENCY_KEY = istr("Idempotency-Key")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
# Their own address is the thing's, so that is where a client looks how it ended.
_IN_PLACE_METHODS = frozenset({"PUT", "PATCH", "DELETE"})
_PARAM = re.compile(r"\{(\w+)\*?\}")

# Whole seconds until a client looks again: what outlasts a deadline ends by a retry or a restart.
ACCEPTED_RETRY_AFTER_S = 1


class ServiceHandler:
    """Answers a `Route`."""

    def __init__(self, route: Route, context: Context) -> None:
        config = context.config
        self._ask = context.system.ask
        self._service = route.service
        self._writes = issubclass(route.message, Command)
        self._url = UrlDecoder(
            route.message, items_default=config.page_items_default, items_max=config.page_items_max
        )
        self._body = route.body(route.message) if route.method in _BODY_METHODS else None
        in_path = _PARAM.findall(route.path)
        self._reader = BodyReader(config, bytes_max=body_bytes_max(route.message, without=in_path))
        self._status = route.status
        self._reply = route.reply
        self._location = route.location
        self._in_place = route.path if route.method in _IN_PLACE_METHODS else None
        self._head = make_head(route.status, JSON)
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, request: Request, params: dict[str, str], query: str) -> Answer:
        headers = request.headers
        timeout_s = request.left_s
        message: Message
        if self._body is None:
            message = self._url.decode(params, query)
        else:
            if hdrs.CONTENT_ENCODING in headers:
                _check_encoding(headers[hdrs.CONTENT_ENCODING])
            if query and not self._body.ignores_query:
                refuse_query(query)
            content = request.content
            if content.is_eof():
                body = content.read_nowait()
                if len(body) > self._reader.bytes_max:
                    raise self._reader.too_large()
            else:
                # Only a body that is still on its way costs a timer and looks at the clock.
                body = await self._reader.read(request)
                timeout_s = request.look_again()
            message = self._body.decode(body, params)
        key = headers.get(IDEMPOTENCY_KEY) if self._writes else None
        if key is not None:
            _check_key(key, headers)
        reply = await self._ask(self._service, message, timeout_s=timeout_s, key=key)
        if type(reply) is Refusal:
            raise from_refusal(reply)
        if type(reply) is Accepted:
            return self._accepted(reply.value, params)
        return self._answer(reply)

    def _answer(self, reply: object) -> Answer:
        status = self._status
        if self._reply is not None:
            status, reply = self._reply(reply)
        if type(reply) is str:
            return Answer(make_head(status, TEXT), reply.encode())
        head = self._head if status == self._status else make_head(status, JSON)
        if self._location is not None and status == self._status:
            head += f"Location: {self._location}{_segment(reply)}\r\n"
        return Answer(head, self._encode(reply))

    def _accepted(self, so_far: object, params: dict[str, str]) -> Answer:
        """202: what there is so far, where to see how it ends, and when to look."""
        if self._reply is not None:
            _, so_far = self._reply(so_far)
        headers = [("Retry-After", str(ACCEPTED_RETRY_AFTER_S))]
        if self._location is not None:
            headers.append(("Location", self._location + _segment(so_far)))
        elif self._in_place is not None:
            path = _PARAM.sub(lambda name: quote(params[name[1]], safe=""), self._in_place)
            headers.append(("Location", path))
        if type(so_far) is str:
            return Answer(make_head(202, TEXT, *headers), so_far.encode())
        return Answer(make_head(202, JSON, *headers), self._encode(so_far))


def _segment(reply: Any) -> str:
    """Return the id as one path segment. `Route`: with a location, the reply has one."""
    return quote(reply.id, safe="")


def _check_encoding(coding: str) -> None:
    if coding.lower() != "identity":
        # Unpacking would turn a small body into one of any size; no legal body needs it.
        detail = "send the body as it is, without a Content-Encoding"
        accepted = (("Accept-Encoding", "identity"),)
        raise ProblemError(Kind.UNSUPPORTED_MEDIA_TYPE, detail, headers=accepted)


def _check_key(key: str, headers: CIMultiDictProxy[str]) -> None:
    if len(headers.getall(IDEMPOTENCY_KEY)) > 1 or not _KEY.fullmatch(key):
        detail = "Idempotency-Key is one header of 1 to 255 visible ASCII characters"
        raise ProblemError(Kind.INVALID, detail, field=IDEMPOTENCY_KEY)
