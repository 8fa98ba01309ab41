"""A body's limit follows from its fields': what is legal is never too large.

A client may write any character as an escape, as Python's `json.dumps` does all that is not ASCII:
six bytes a UTF-16 unit, of which a character beyond U+FFFF has two.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from msgspec import inspect

from actors.service.json_types import type_info

if TYPE_CHECKING:
    from collections.abc import Collection

CHAR_BYTES_MAX: Final = 12
# For spaces and line breaks.
SPARE_BYTES: Final = 4096
# Up to here what does not belong in a body is named (422) instead of weighed (413).
READ_BYTES_MIN: Final = 65_536

# The longest that JSON has for them: int64 and a double's digits, and what ISO 8601 is made of.
_FIXED_BYTES: Final[dict[type, int]] = {
    inspect.NoneType: 4,
    inspect.BoolType: 5,
    inspect.IntType: 20,
    inspect.FloatType: 32,
    inspect.DateType: 10 * CHAR_BYTES_MAX,
    inspect.DateTimeType: 40 * CHAR_BYTES_MAX,
}


# Remembered, as a message's fields are: a simulation makes an edge for each of its runs.
@cache
def body_bytes_max(message_type: type, *, without: tuple[str, ...] = ()) -> int | None:
    """Return how large a body may be: the largest legal one fits. None where a field has no limit.

    `without` are the fields that do not stand in the body. A struct within itself has no limit:
    nothing says how deep it goes.
    """
    size = _bytes_max(type_info(message_type), frozenset(), without)
    return None if size is None else max(size + SPARE_BYTES, READ_BYTES_MIN)


def _bytes_max(
    kind: inspect.Type, around: frozenset[type], without: Collection[str] = ()
) -> int | None:
    """Return how long a value may be; `around` are the structs that it stands in."""
    size = _FIXED_BYTES.get(type(kind))
    match kind:
        case inspect.StrType():
            size = None if kind.max_length is None else _text(kind.max_length)
        case inspect.LiteralType():
            size = max(_text(len(str(value))) for value in kind.values)
        case inspect.UnionType():
            sizes = [_bytes_max(each, around) for each in kind.types]
            size = None if None in sizes else max(each for each in sizes if each is not None)
        case inspect.ListType() | inspect.VarTupleType():
            item, count = _bytes_max(kind.item_type, around), kind.max_length
            size = None if item is None or count is None else (item + 1) * count + 2
        case inspect.StructType() if kind.cls not in around:
            size = _fields(kind.fields, around | {kind.cls}, without)
    return size


def _fields(fields: Any, around: frozenset[type], without: Collection[str]) -> int | None:
    total = 2
    for field in fields:
        if field.encode_name in without:
            continue
        size = _bytes_max(field.type, around)
        if size is None:
            return None
        total += _text(len(field.encode_name)) + size + 2  # its colon and its comma
    return total


def _text(chars: int) -> int:
    return chars * CHAR_BYTES_MAX + 2
