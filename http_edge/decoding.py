"""From a body or an address straight into a message; what does not fit is named by its field."""

from __future__ import annotations

import datetime as dt
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NoReturn, Protocol

import msgspec

from http_edge.problems import Kind, ProblemError
from http_edge.target import parse_query

if TYPE_CHECKING:
    from actors.kernel.messages import Message

_NAMED = re.compile(r"(?:missing required|contains unknown) field `(.*)`", re.DOTALL)
# A step of a path, such as `items[3].kind`.
_STEP = re.compile(r"[^.\[\]]+")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
_SURROGATE = re.compile("[\ud800-\udfff]")
# What SQLite's functions take for a text's end.
_NUL = re.compile("\0")
# What ends a line, steers a terminal or turns the direction of what is around it: C0, C1, the line
# separators, and the bidirectional embeddings, overrides and isolates (Unicode's UAX #9).
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# Names, numbers, types and ids are one line. What may be longer than any of them is a text.
LINE_CHARS_MAX = 254
# Of a detail that names what there is to choose from.
VALUES_CHARS_MAX = 300
# A day in its quotes.
_DAY_BYTES = 12
# RFC 3339's have an offset.
_TIMES = msgspec.json.Decoder(Annotated[dt.datetime, msgspec.Meta(tz=True)])


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
        self._texts = _text_fields(message_type)
        fields = msgspec.structs.fields(message_type)
        # What no body stands for.
        self._nothing = b"" if any(field.required for field in fields) else b"{}"

    def decode(self, body: bytes, params: dict[str, str]) -> Message:
        if params:
            body = self._merge(body, params)
        try:
            message = self._decoder.decode(body or self._nothing)
        except (ValueError, RecursionError) as error:
            explain(body, error, self._type)
        _refuse_control(body, message, self._texts)
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
            number = name in self._numbers and _WHOLE_NUMBER.fullmatch(text)
            fields[name] = msgspec.Raw(text.encode() if number else msgspec.json.encode(text))
        return msgspec.json.encode(fields)


class GoBody:
    """JSON as Go's encoding/json reads it, for the tutorial's addresses.

    Keys match without regard to case, unknown ones are ignored, null leaves the zero value; what is
    malformed or of the wrong type is a 400. Our own limits on lengths are a 422 as elsewhere, and
    so is a field without a zero value, such as a date, that is null, absent or impossible. Of an
    RFC 3339 time, as Go writes one, the date is taken: the day as it is written.
    """

    ignores_query: ClassVar[bool] = True

    def __init__(self, message_type: type[Message]) -> None:
        self._decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(message_type)
        self._type = message_type
        fields = msgspec.structs.fields(message_type)
        self._names = {field.encode_name.casefold(): field.encode_name for field in fields}
        self._days = _date_fields(message_type)
        self._texts = _text_fields(message_type)

    def decode(self, body: bytes, params: dict[str, str]) -> Message:
        del params  # the tutorial's writes with a body have no path parameters
        try:
            given = msgspec.json.decode(body, type=dict[str, msgspec.Raw] | None) or {}
            known = {
                self._names[name.casefold()]: raw
                for name, raw in given.items()
                if name.casefold() in self._names and bytes(raw).strip() != b"null"
            }
            for name in self._days & known.keys():
                known[name] = _day_of(known[name])
            body = msgspec.json.encode(known)
            message = self._decoder.decode(body)
        except (ValueError, RecursionError) as error:
            explain(body, error, self._type, wrong_type=Kind.WRONG_TYPE)
        _refuse_control(body, message, self._texts)
        return message


class UrlDecoder:
    """A message whose fields are path parameters and query parameters.

    Where the message has a `limit`, it defaults to `items_default` and is at most `items_max`.
    """

    def __init__(self, message_type: type[Message], *, items_default: int, items_max: int) -> None:
        self._type = message_type
        self._items_max = items_max
        self._numbers = whole_number_fields(message_type)
        self._nullable = _nullable_fields(message_type)
        # An id that is only looked up, and has no limit, is stored nowhere: it finds nothing.
        self._texts = _text_fields(message_type, unlimited=True)
        fields = {field.encode_name for field in msgspec.structs.fields(message_type)}
        self._defaults = {"limit": str(items_default)} if "limit" in fields else {}

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
            _refuse_control_in(name, text, self._texts)
        # msgspec would read 1e2 and 2.0 as whole numbers too, and numbers of any length.
        if name in self._numbers and not _WHOLE_NUMBER.fullmatch(text):
            raise ProblemError(Kind.INVALID, f"{name} is not a whole number", field=name)
        # msgspec would read the text null as no value at all, and a filter would be lost.
        if name in self._nullable and text.lower() == "null":
            detail = f"{name} is {text}; leave it out to give none"
            raise ProblemError(Kind.INVALID, detail, field=name)
        if name == "limit" and self._defaults and int(text) > self._items_max:
            detail = f"limit is {text}; a page holds at most {self._items_max} items"
            raise ProblemError(Kind.INVALID, detail, field=name)


def whole_number_fields(message_type: type[Message]) -> frozenset[str]:
    """Return the names, as encoded, of the fields that are integers, optional ones included."""
    return frozenset(
        name
        for name, types in _field_types(message_type)
        if any(isinstance(each, msgspec.inspect.IntType) for each in types)
    )


def _text_fields(message_type: type[Message], *, unlimited: bool = False) -> frozenset[str]:
    """Return the names of the fields that hold texts of any number of lines."""
    return frozenset(
        name
        for name, types in _field_types(message_type)
        for each in types
        if isinstance(each, msgspec.inspect.StrType)
        and (unlimited if each.max_length is None else each.max_length > LINE_CHARS_MAX)
    )


def _nullable_fields(message_type: type[Message]) -> frozenset[str]:
    """Return the names of the fields that may be None and are no text, where null is just that."""
    return frozenset(
        name
        for name, types in _field_types(message_type)
        if any(isinstance(each, msgspec.inspect.NoneType) for each in types)
        and not any(isinstance(each, msgspec.inspect.StrType) for each in types)
    )


def _date_fields(message_type: type[Message]) -> frozenset[str]:
    """Return the names of the fields that are days."""
    return frozenset(
        name
        for name, types in _field_types(message_type)
        if any(isinstance(each, msgspec.inspect.DateType) for each in types)
    )


def _day_of(raw: msgspec.Raw) -> msgspec.Raw:
    """Return the day of an RFC 3339 time, in the time's own zone; what is none as it is."""
    if len(bytes(raw)) <= _DAY_BYTES:
        return raw
    try:
        return msgspec.Raw(msgspec.json.encode(_TIMES.decode(raw).date()))
    except msgspec.ValidationError:
        return raw


# Remembered: a simulation makes an edge for each of its runs, and this is most of making one.
@cache
def _field_types(
    message_type: type[Message],
) -> tuple[tuple[str, tuple[msgspec.inspect.Type, ...]], ...]:
    """Return each field's name, as encoded, with the types that it may have."""
    info = msgspec.inspect.type_info(message_type)
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
    _refuse_surrogates(text)
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
    """A decoder stops at the first value that does not fit; the rest may not even be JSON."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (ValueError, RecursionError) as error:
        detail = "the body is nested too deeply" if type(error) is RecursionError else str(error)
        raise ProblemError(Kind.MALFORMED_JSON, detail) from None


def _refuse_surrogates(text: str) -> None:
    """A lone surrogate is malformed or truncated to msgspec; say which field holds it instead."""
    try:
        found = _find(json.loads(text), _SURROGATE)
    except (ValueError, RecursionError):
        return
    if found is not None:
        detail = f"{found} holds half of a UTF-16 surrogate pair, which is no character"
        raise ProblemError(Kind.INVALID, detail, field=found) from None


def _refuse_control(body: bytes, message: Message, texts: frozenset[str]) -> None:
    """Refuse control characters: all in what is a line, NUL in a text as well."""
    # In JSON's ASCII, all but U+007F are escapes: most bodies are done here.
    if b"\\" not in body and b"\x7f" not in body and body.isascii():
        return
    for name, value in msgspec.to_builtins(message).items():
        _refuse_control_in(name, value, texts)


def _refuse_control_in(name: str, value: object, texts: frozenset[str]) -> None:
    wrong = _NUL if name in texts else _CONTROL
    found = _find(value, wrong, name)
    if found is not None:
        detail = f"{found} holds {'a NUL' if wrong is _NUL else 'a control'} character"
        raise ProblemError(Kind.INVALID, detail, field=found)


def _find(value: Any, wrong: re.Pattern[str], path: str = "") -> str | None:
    """Return the path of the first string in which `wrong` occurs."""
    if isinstance(value, str):
        return path if wrong.search(value) else None
    if isinstance(value, dict):
        pairs = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
        pairs = [(name, name) for name, _ in pairs if wrong.search(name)] + pairs
    elif isinstance(value, list):
        pairs = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    else:
        return None
    return next(
        (hit for name, item in pairs if (hit := _find(item, wrong, name)) is not None), None
    )
