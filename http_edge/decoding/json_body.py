"""From a body straight into a message; what does not fit is named by its field."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar, Protocol

import msgspec

from http_edge.decoding.blame import explain
from http_edge.decoding.characters import refuse_control
from http_edge.decoding.large_numbers import may_be_large, refuse_large
from http_edge.decoding.message_fields import is_whole_number, text_fields, whole_number_fields
from http_edge.decoding.nesting import may_be_deep, refuse_deep
from http_edge.problems import Kind, ProblemError

if TYPE_CHECKING:
    from actors.kernel.messages import Message


class BodyDecoder(Protocol):
    """Turns a body into a message, whatever its Content-Type: curl -d calls JSON a form.

    `ignores_query`: whether a query beside the body is ignored, else refused.
    """

    ignores_query: ClassVar[bool]

    def __init__(self, message_type: type[Message]) -> None: ...

    def decode(self, body: bytes, params: dict[str, str]) -> Message:
        """Return the message; `params` are the path's. Raises a 400 or a 422."""
        ...


class JsonBody:
    """Strict JSON: unknown fields, wrong types and violated limits are a 422 naming the field."""

    ignores_query: ClassVar[bool] = False

    def __init__(self, message_type: type[Message]) -> None:
        self._decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(message_type)
        self._type = message_type
        self._numbers = whole_number_fields(message_type)
        self._texts = text_fields(message_type)
        self._may_be_deep = may_be_deep(message_type)
        self._may_be_large = may_be_large(message_type)
        self._nothing = _nothing(message_type)

    def decode(self, body: bytes, params: dict[str, str]) -> Message:
        if params:
            body = self._merge(body, params)
        try:
            message = self._decoder.decode(body or self._nothing)
            if self._may_be_deep:
                refuse_deep(body)
            refuse_control(body, message, self._texts)
            if self._may_be_large:
                refuse_large(body, message)
        except (ValueError, RecursionError) as error:
            explain(body, error, self._type)
        return message

    def _merge(self, body: bytes, params: dict[str, str]) -> bytes:
        """The path names some of the message's fields; the body must not name them again."""
        try:
            fields = msgspec.json.decode(body or b"{}", type=dict[str, msgspec.Raw])
        except (ValueError, RecursionError) as error:
            explain(body, error)
        for name, text in params.items():
            if name in fields:
                raise ProblemError(
                    Kind.INVALID, f"{name} stands in the address already", field=name
                )
            number = name in self._numbers
            if number and not is_whole_number(text):
                detail = f"{name} is not a whole number of 64 bits"
                raise ProblemError(Kind.INVALID, detail, field=name)
            fields[name] = msgspec.Raw(text.encode() if number else msgspec.json.encode(text))
        return msgspec.json.encode(fields)


# Remembered, as the types of fields are: an edge is made at each boot of a simulation.
@cache
def _nothing(message_type: type[Message]) -> bytes:
    """Return what no body stands for."""
    fields = msgspec.structs.fields(message_type)
    return b"" if any(field.required for field in fields) else b"{}"
