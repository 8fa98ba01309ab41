"""From an address straight into a message; what does not fit is named by its parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from http_edge.decoding.blame import blame
from http_edge.decoding.characters import refuse_control_in
from http_edge.decoding.message_fields import (
    is_whole_number,
    nullable_fields,
    text_fields,
    whole_number_fields,
)
from http_edge.problems import Kind, ProblemError
from http_edge.target import parse_query

if TYPE_CHECKING:
    from actors.kernel.messages import Message


class UrlDecoder:
    """A message whose fields are path parameters and query parameters.

    Where the message has a whole number `limit`, it defaults to `items_default`, and is from 1 to
    `items_max`.
    """

    def __init__(self, message_type: type[Message], *, items_default: int, items_max: int) -> None:
        self._type = message_type
        self._items_max = items_max
        self._numbers = whole_number_fields(message_type)
        self._nullable = nullable_fields(message_type)
        # An id that is only looked up, and has no limit, is stored nowhere: it finds nothing.
        self._texts = text_fields(message_type, unlimited=True)
        self._defaults = {"limit": str(items_default)} if "limit" in self._numbers else {}

    def decode(self, params: dict[str, str], query: str) -> Message:
        """Return the message, or raise a 422 that names the parameter, or a 400."""
        fields = params
        if query or self._defaults:
            given = parse_query(query)
            for name in params.keys() & given.keys():
                raise ProblemError(
                    Kind.INVALID, f"{name} stands in the address already", field=name
                )
            fields = {**self._defaults, **params, **given}
        for name, text in fields.items():
            self._check(name, text)
        try:
            return msgspec.convert(fields, self._type, strict=False)
        except msgspec.ValidationError as error:
            detail, field = blame(error, self._type)
            raise ProblemError(Kind.INVALID, detail, field=field) from None

    def _check(self, name: str, text: str) -> None:
        if not text.isprintable():
            refuse_control_in(name, text, self._texts)
        # msgspec would read 1e2 and 2.0 as whole numbers too, and numbers of any length.
        if name in self._numbers and not is_whole_number(text):
            detail = f"{name} is not a whole number of 64 bits"
            raise ProblemError(Kind.INVALID, detail, field=name)
        # msgspec would read the text null as no value at all, and a filter would be lost.
        if name in self._nullable and text.lower() == "null":
            detail = f"{name} is {text}; leave it out to give none"
            raise ProblemError(Kind.INVALID, detail, field=name)
        # Here, for whatever the message allows: LIMIT -1 is SQL for all rows of a table.
        if name == "limit" and self._defaults and not 1 <= int(text) <= self._items_max:
            detail = f"limit is {text}; a page holds 1 to {self._items_max} items"
            raise ProblemError(Kind.INVALID, detail, field=name)
