"""How one message becomes a request, and what its answer is read as."""

from __future__ import annotations

import re
from inspect import isclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import msgspec
from msgspec import inspect

from actors.kernel.messages import Command, Query, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.kernel.messages import Message

# A route as its author writes it, or that and the type of the reply.
Said = str | tuple[str, Any]

_ROUTE: Final = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/[^\s?#]*)")
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
# What a segment must not be: whoever reads the address takes it for another one.
_DOTS: Final = frozenset({"", ".", ".."})
# What has one text in an address.
_PLAIN: Final = (
    inspect.BoolType,
    inspect.IntType,
    inspect.FloatType,
    inspect.StrType,
    inspect.NoneType,
    inspect.DecimalType,
    inspect.DateType,
    inspect.TimeType,
    inspect.DateTimeType,
    inspect.UUIDType,
    inspect.EnumType,
    inspect.LiteralType,
)


class RemoteRoute:
    """Where a message goes: its fields that the path names go there, the others into the body.

    With GET and DELETE, which have none, into the query. `reply` is None where nobody reads it.
    """

    def __init__(self, message: Any, said: Any) -> None:
        """As an author gave them: a type of message, and Said.

        Raises ValueError, in words that begin with the message's name.
        """
        name = getattr(message, "__name__", repr(message))
        if not (isclass(message) and issubclass(message, Command | Query)):
            error = f"{name} is no Command and no Query: these alone are asked and sent"
            raise ValueError(error)
        text, reply = said if isinstance(said, tuple) else (said, None)
        found = _ROUTE.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            error = f'{name} goes to {text!r}: write a method and a path, as "GET /stock/{{sku}}"'
            raise ValueError(error)
        self.message: type[Message] = message
        self.method, self.path = found.groups()
        self.reply = reply
        self.is_query = issubclass(message, Query)
        self._in_path = tuple(_FIELD.findall(self.path))
        self._has_body = self.method in _BODY_METHODS
        fault = next(self._faults(name, text), None)
        if fault is not None:
            raise ValueError(fault)
        self._decoder = None if reply is None else msgspec.json.Decoder(reply)

    def address_of(self, message: Message) -> tuple[str, bytes | None] | Refusal:
        """Return path and query, escaped, and the body; or why there is no such address."""
        fields: dict[str, Any] = msgspec.to_builtins(message)
        segments = {}
        for name in self._in_path:
            segments[name] = text = _text(fields.pop(name, None))
            if text in _DOTS:
                return Refusal.invalid(f"{text!r} is no part of an address", field=name)
        path = _FIELD.sub(lambda found: quote(segments[found[1]], safe=""), self.path)
        if self._has_body:
            return path, msgspec.json.encode(fields)
        pairs = {name: _text(value) for name, value in fields.items() if value is not None}
        return (f"{path}?{urlencode(pairs, quote_via=quote)}" if pairs else path), None

    def read(self, body: bytes) -> Any:
        """Return the reply that the body is. Raises ValueError or RecursionError for others."""
        return None if self._decoder is None else self._decoder.decode(body)

    # --- Inside ------------------------------------------------------------------------------

    def _faults(self, name: str, said: str) -> Iterator[str]:
        fields = self.message.__struct_encode_fields__
        for each in self._in_path:
            if each not in fields:
                has = ", ".join(fields) or "none"
                yield f"{name} goes to {said}, and has no field {each}, but {has}"
        if self.is_query and self.reply is None:
            yield (
                f'{name} is a Query, and nothing says what answers it: write ("{said}", SomeReply)'
            )
        try:
            msgspec.json.Decoder(self.reply)
        except TypeError as error:
            yield f"the reply to {name} cannot be read from JSON: {error}"
        shape: Any = inspect.type_info(self.message)
        for field in shape.fields:
            in_path = field.encode_name in self._in_path
            if (in_path or not self._has_body) and not _is_plain(field.type):
                where = "path" if in_path else "query"
                yield (
                    f"{name}.{field.name} would be in the {where} of {said}, where texts and "
                    f"numbers can be: use POST, PUT or PATCH and leave it to the body"
                )


def _is_plain(kind: Any) -> bool:
    if isinstance(kind, inspect.UnionType):
        return all(_is_plain(each) for each in kind.types)
    return isinstance(kind, _PLAIN)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
