"""Why a body or an address is no message: off the hot path, so it may look twice."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import msgspec

from http_edge.decoding.characters import refuse_surrogates
from http_edge.decoding.nesting import refuse_deep
from http_edge.problems import Kind, ProblemError

_NAMED = re.compile(r"(?:missing required|contains unknown) field `(.*)`", re.DOTALL)
# A step of a path, such as `items[3].kind`.
_STEP = re.compile(r"[^.\[\]]+")
# Of a detail that names what there is to choose from.
VALUES_CHARS_MAX = 300


def explain(
    body: bytes,
    error: Exception,
    message_type: type[Any] | None = None,
    *,
    wrong_type: Kind = Kind.INVALID,
) -> NoReturn:
    """Raise the problem behind a failed decoding: off the hot path, so it may look twice.

    `wrong_type` is the kind of problem for JSON that is well-formed but does not fit the message.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as wrong:
        detail = f"the body is not UTF-8 at byte {wrong.start}"
        raise ProblemError(Kind.MALFORMED_JSON, detail) from None
    if isinstance(error, RecursionError):
        raise ProblemError(Kind.MALFORMED_JSON, "the body is nested too deeply") from None
    if isinstance(error, msgspec.ValidationError):
        _refuse_malformed(body)
        detail, field = blame(error, message_type)
        kind = wrong_type if ", got `" in str(error) else Kind.INVALID
        raise ProblemError(kind, detail, field=field) from None
    refuse_surrogates(text)
    raise ProblemError(Kind.MALFORMED_JSON, str(error)) from None


def blame(
    error: msgspec.ValidationError, message_type: type[Any] | None = None
) -> tuple[str, str | None]:
    """Return a detail for people and the path of the field at fault, such as `rate.amount`.

    Where it is one of a few values, they are named, if `message_type` is known.
    """
    text, _, path = str(error).rpartition(" - at `$")
    if not text:
        text, path = path, ""
    path = path.removesuffix("`").removeprefix(".")
    named = _NAMED.search(text)
    if named is not None:
        path = f"{path}.{named[1]}" if path else named[1]
    detail = text.replace("`", "")
    if message_type is not None and text.startswith("Invalid enum value"):
        detail += _instead(message_type, path)
    return (f"{path}: {detail}", path) if path else (detail, None)


def _instead(message_type: type[Any], path: str) -> str:
    """Return which values there are at the path, as far as they fit into a sentence."""
    types: list[msgspec.inspect.Type] = [msgspec.inspect.type_info(message_type)]
    for name in _STEP.findall(path):
        types = [inner for each in types for inner in _inside(each, name)]
    values = [
        json.dumps(value, ensure_ascii=False)
        for each in types
        for one in _alternatives(each)
        if isinstance(one, msgspec.inspect.LiteralType)
        for value in one.values
    ]
    if not values:
        return ""
    text = ", ".join(values)
    if len(text) > VALUES_CHARS_MAX:
        text = text[:VALUES_CHARS_MAX].rpartition(", ")[0] + ", ..."
    return f"; one of {text}" if len(values) > 1 else f"; only {text}"


def _alternatives(each: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    return each.types if isinstance(each, msgspec.inspect.UnionType) else (each,)


def _inside(outer: msgspec.inspect.Type, name: str) -> list[msgspec.inspect.Type]:
    """Return the types of a field of this name, or of an item where it is none."""
    found = []
    for each in _alternatives(outer):
        if isinstance(each, msgspec.inspect.StructType):
            found += [field.type for field in each.fields if field.encode_name == name]
        elif isinstance(each, msgspec.inspect.DictType):
            found.append(each.value_type)
        elif isinstance(each, msgspec.inspect.CollectionType):
            found.append(each.item_type)
    return found


def _refuse_malformed(body: bytes) -> None:
    """A decoder stops at the first value that does not fit; the rest may not even be JSON.

    Nor does each Python's decoder go equally deep: `refuse_deep` says it on all of them.
    """
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
        refuse_deep(body)
    except (ValueError, RecursionError) as error:
        detail = "the body is nested too deeply" if type(error) is RecursionError else str(error)
        raise ProblemError(Kind.MALFORMED_JSON, detail) from None
