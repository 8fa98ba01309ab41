"""One message to one service: decode, ask, answer. All that can be known beforehand is prepared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin
from urllib.parse import quote

import msgspec
from aiohttp import hdrs
from multidict import istr

from actors.errors import NoSuchActor
from actors.kernel.messages import Accepted, Command, Refusal
from http_edge.address import Endpoint, fill_in, parameters_of
from http_edge.answer import JSON, TEXT, Answer, make_head
from http_edge.body_reader import BODY_METHODS, BodyReader
from http_edge.decoding.body_limit import body_bytes_max
from http_edge.decoding.json_body import BodyDecoder, JsonBody
from http_edge.decoding.url_decoder import UrlDecoder
from http_edge.problems import Kind, ProblemError, from_refusal
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from multidict import CIMultiDictProxy

    from actors.kernel.messages import Message
    from http_edge.address import HttpHandler
    from http_edge.edge_context import EdgeContext
    from http_edge.http_request import HttpRequest
    from http_edge.served_system import Handling

    # What becomes of a reply and the path's parameters.
    Respond = Callable[[Any, dict[str, str]], Answer]

IDEMPOTENCY_KEY = istr("Idempotency-Key")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# Their own address is the thing's, so that is where a client looks how it ended.
_IN_PLACE_METHODS = frozenset({"PUT", "PATCH", "DELETE"})

_STATUSES = frozenset(HTTPStatus)

# Whole seconds until a client looks again: what outlasts a deadline ends by a retry or a restart.
ACCEPTED_RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class ServiceEndpoint(Endpoint):
    """A request becomes `message`, asked of `service`; its reply is sent with `status`.

    The path's parameters are fields of the message. With POST, PUT and PATCH the other fields come
    from the body, else from the query.
    `location` is put before the reply's `id`, which it must have, to make the Location header of
    what was created.
    `reply` may choose the status and another body from the service's reply; text stays text.
    An answer that the service put off past the deadline is a 202 with what there is so far, also
    through `reply`. Its Location is made likewise, or is the address itself with PUT, PATCH and
    DELETE; else it has none, as a 201 without `location` has none.
    `body` reads the body; strict JSON unless another program did otherwise.
    """

    service: str
    message: type[Message]
    status: int = 200
    location: str | None = None
    reply: Callable[[Any], tuple[int, object]] | None = None
    body: type[BodyDecoder] = JsonBody

    @property
    def writes(self) -> bool:
        return issubclass(self.message, Command)

    @property
    def asked(self) -> str:
        return self.service

    @property
    def admitted_as(self) -> str:
        return self.describe()

    def describe(self) -> str:
        return f"{self.message.__name__} of {self.service}"

    def faults(self, path: str, system: Handling) -> Iterator[str]:
        if self.status not in _STATUSES:
            yield f"HTTP has no status {self.status}"
        # What `reply` makes of the reply has no type that could be looked at.
        needs = () if self.location is None or self.reply is not None else ("id",)
        yield from faults_of(self.service, self.message, path, system, needs)

    def bind(self, method: str, path: str, context: EdgeContext) -> HttpHandler:
        in_place = path if method in _IN_PLACE_METHODS else None
        if method in BODY_METHODS:
            return self._from_body(path, context, self._responder(in_place))
        return self._from_address(context, self._responder(in_place))

    def _from_address(self, context: EdgeContext, respond: Respond) -> HttpHandler:
        config = context.config
        writes, ask = self.writes, context.asks.of(self.service, self.message).ask
        decode = UrlDecoder(
            self.message, items_default=config.page_items_default, items_max=config.page_items_max
        ).decode

        async def answer(request: HttpRequest, params: dict[str, str], query: str) -> Answer:
            timeout_s = request.left_s
            message = decode(params, query)
            key = request.headers.get(IDEMPOTENCY_KEY) if writes else None
            if key is not None:
                _check_key(key, request.headers)
            reply = await ask(message, timeout_s=timeout_s, key=key)
            return respond(reply, params)

        return answer

    def _from_body(self, path: str, context: EdgeContext, respond: Respond) -> HttpHandler:
        writes, ask = self.writes, context.asks.of(self.service, self.message).ask
        body_of = self.body(self.message)
        limit = body_bytes_max(self.message, without=tuple(parameters_of(path)))
        reader = BodyReader(context.config, bytes_max=limit)
        bytes_max = reader.bytes_max

        async def answer(request: HttpRequest, params: dict[str, str], query: str) -> Answer:
            headers = request.headers
            if hdrs.CONTENT_ENCODING in headers:
                _check_encoding(headers[hdrs.CONTENT_ENCODING])
            timeout_s = request.left_s
            if query and not body_of.ignores_query:
                refuse_query(query)
            content = request.content
            if content.is_eof():
                body = content.read_nowait()
                if len(body) > bytes_max:
                    raise reader.too_large()
            else:
                # Only a body that is still on its way costs a timer and looks at the clock.
                body = await reader.read(request)
                timeout_s = request.look_again()
            request.come_in()
            message = body_of.decode(body, params)
            key = headers.get(IDEMPOTENCY_KEY) if writes else None
            if key is not None:
                _check_key(key, headers)
            reply = await ask(message, timeout_s=timeout_s, key=key)
            return respond(reply, params)

        return answer

    def _responder(self, in_place: str | None) -> Respond:
        usual, reply_of, location = self.status, self.reply, self.location
        usual_head = make_head(usual, JSON)
        encode = msgspec.json.Encoder().encode

        def respond(reply: Any, params: dict[str, str]) -> Answer:
            kind = type(reply)
            if kind is Refusal:
                raise from_refusal(reply)
            if kind is Accepted:
                return self._accepted(reply.value, in_place, params)
            status = usual
            if reply_of is not None:
                status, reply = reply_of(reply)
            if type(reply) is str:
                return Answer(make_head(status, TEXT), reply.encode())
            head = usual_head if status == usual else make_head(status, JSON)
            if location is not None and status == usual:
                head += f"Location: {location}{_segment(reply)}\r\n"
            return Answer(head, encode(reply))

        return respond

    def _accepted(self, so_far: object, in_place: str | None, params: dict[str, str]) -> Answer:
        """202: what there is so far, where to see how it ends, and when to look."""
        if self.reply is not None:
            _, so_far = self.reply(so_far)
        headers = [("Retry-After", str(ACCEPTED_RETRY_AFTER_S))]
        if self.location is not None:
            headers.append(("Location", self.location + _segment(so_far)))
        elif in_place is not None:
            found = fill_in(in_place, lambda name: quote(params[name], safe=""))
            headers.append(("Location", found))
        if type(so_far) is str:
            return Answer(make_head(202, TEXT, *headers), so_far.encode())
        return Answer(make_head(202, JSON, *headers), msgspec.json.encode(so_far))


# As a table says it.
service = ServiceEndpoint


def faults_of(
    service: str,
    message: type[Message],
    path: str,
    system: Handling,
    needs: tuple[str, ...] = (),
) -> Iterator[str]:
    """Yield why requests there would never be answered; `needs` are fields of the reply."""
    for name in parameters_of(path):
        if name not in message.__struct_encode_fields__:
            fields = ", ".join(message.__struct_encode_fields__) or "none"
            yield f"{message.__name__} has no field {name}, but {fields}"
    try:
        if not system.handles(service, message):
            yield f"{service} has no handler for {message.__name__}: write one, or name whose it is"
        elif needs:
            yield from _lacking(needs, system.reply_type(service, message), message)
    except NoSuchActor as error:
        yield str(error)


def _lacking(needs: Iterable[str], reply: Any, message: type[Message]) -> Iterator[str]:
    for each in get_args(reply) if get_origin(reply) in {Union, UnionType} else (reply,):
        if each is Any:
            continue
        has = {*dir(each), *getattr(each, "__annotations__", ())}
        for name in needs:
            if name not in has:
                said = getattr(each, "__name__", each)
                yield f"the reply to {message.__name__}, {said}, has no {name}: give it that field"


def _segment(reply: Any) -> str:
    """Return the id as one path segment: with a location, the reply has one."""
    return quote(str(reply.id), safe="")


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
