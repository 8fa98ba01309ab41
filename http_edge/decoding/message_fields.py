"""What types a message's fields have: asked at start-up, of each message of a table."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from actors.service.json_types import type_info
from http_edge.decoding.large_numbers import INT64

if TYPE_CHECKING:
    from actors.kernel.messages import Message

_DIGITS = re.compile(r"-?[0-9]{1,19}")
# Names, numbers, types and ids are one line. What may be longer than any of them is a text.
LINE_CHARS_MAX = 254


def is_whole_number(text: str) -> bool:
    """Whether it is one as JSON has it, of 64 bits."""
    return _DIGITS.fullmatch(text) is not None and int(text) in INT64


def whole_number_fields(message_type: type[Message]) -> frozenset[str]:
    """Return the names, as encoded, of the fields that are integers, optional ones included."""
    return frozenset(
        name
        for name, types in _field_types(message_type)
        if any(isinstance(each, msgspec.inspect.IntType) for each in types)
    )


def text_fields(message_type: type[Message], *, unlimited: bool = False) -> frozenset[str]:
    """Return the names of the fields that hold texts of any number of lines."""
    return frozenset(
        name
        for name, types in _field_types(message_type)
        for each in types
        if isinstance(each, msgspec.inspect.StrType)
        and (unlimited if each.max_length is None else each.max_length > LINE_CHARS_MAX)
    )


def nullable_fields(message_type: type[Message]) -> frozenset[str]:
    """Return the names of the fields that may be None and are no text, where null is just that."""
    return frozenset(
        name
        for name, types in _field_types(message_type)
        if any(isinstance(each, msgspec.inspect.NoneType) for each in types)
        and not any(isinstance(each, msgspec.inspect.StrType) for each in types)
    )


def date_fields(message_type: type[Message]) -> frozenset[str]:
    """Return the names of the fields that are days."""
    return frozenset(
        name
        for name, types in _field_types(message_type)
        if any(isinstance(each, msgspec.inspect.DateType) for each in types)
    )


# Remembered: a simulation makes an edge for each of its runs, and this is most of making one.
@cache
def _field_types(
    message_type: type[Message],
) -> tuple[tuple[str, tuple[msgspec.inspect.Type, ...]], ...]:
    """Return each field's name, as encoded, with the types that it may have."""
    info = type_info(message_type)
    if not isinstance(info, msgspec.inspect.StructType):
        message = f"{message_type!r} is no struct"
        raise TypeError(message)
    return tuple(
        (
            field.encode_name,
            field.type.types
            if isinstance(field.type, msgspec.inspect.UnionType)
            else (field.type,),
        )
        for field in info.fields
    )
