"""Every kind of bad input that fits a row of the route tables, made from the row itself."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from actors.kernel.messages import Command
from http_edge.decoding.go_body import GoBody
from http_edge.endpoints.admin_endpoint import GuardedEndpoint
from http_edge.endpoints.service_endpoint import ServiceEndpoint
from tests.http_edge.bad_values import bad_texts, bad_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_edge.address import Address

# A field with a pattern needs an example here; `valid_body` fails for a new one that has none.
EXAMPLES: dict[str, object] = {
    "email": "ada@example.com",
    "currency": "EUR",
    "lang": "en-GB",
    "Email": "a@b",
    "card_number": "4242424242424242",
    # Half-open: the departure comes after the arrival.
    "check_in": "2031-05-01",
    "check_out": "2031-05-04",
    "CheckIn": "2031-05-01",
    "CheckOut": "2031-05-04",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Bad:
    """One bad request and what must come of it."""

    label: str
    status: int
    field: str | None = None
    query: str = ""
    path: str | None = None
    method: str | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


def valid_path(row: Address) -> str:
    return re.sub(r"\{\w+\*?\}", "room", row.path)


def valid_body(row: Any) -> dict[str, Any]:
    """Return a body that the row accepts, with every field that its address does not name."""
    info = msgspec.inspect.type_info(row.endpoint.message)
    assert isinstance(info, msgspec.inspect.StructType)
    fields = {each.encode_name: _example(each.encode_name, each.type) for each in info.fields}
    msgspec.convert(fields, row.endpoint.message)
    return {name: value for name, value in fields.items() if name not in _names_in(row.path)}


def _names_in(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\*?\}", path)


def _example(name: str, kind: Any) -> object:
    if name in EXAMPLES:
        return EXAMPLES[name]
    kind = _inner(kind)
    if isinstance(kind, msgspec.inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, msgspec.inspect.DateType):
        return "2031-05-01"
    if isinstance(kind, msgspec.inspect.StructType):
        return {each.encode_name: _example(each.encode_name, each.type) for each in kind.fields}
    return 1 if isinstance(kind, msgspec.inspect.IntType) else "x"


def _inner(kind: Any) -> Any:
    if isinstance(kind, msgspec.inspect.UnionType):
        return next(it for it in kind.types if not isinstance(it, msgspec.inspect.NoneType))
    return kind


def _takes_null(kind: Any) -> bool:
    return _inner(kind) is not kind


def bad_inputs(row: Address, listener: str) -> Iterator[Bad]:
    """Yield what fits the row; nothing here may be answered with less than a 4xx.

    The tutorials' addresses mind no query, and those of the brand monitor's no method either.
    """
    mux = listener == "tweets"
    if not mux:
        yield Bad("a method it lacks", 405, method="PROPFIND")
    if not mux and listener != "hotel" and getattr(row.endpoint, "body", None) is not GoBody:
        yield Bad("an unknown parameter", 422, "surprise", query="?surprise=1")
        yield Bad("a broken escape in the query", 400, "x", query="?x=%zz")
        yield Bad("a query that is no UTF-8", 400, "x", query="?x=%ff")
    if "*" not in row.path:
        yield Bad("an address below it", 404, path=f"{valid_path(row).rstrip('/')}/no/such/thing")
    if isinstance(row.endpoint, GuardedEndpoint):
        row = row._replace(endpoint=row.endpoint.inner)
    if not isinstance(row.endpoint, ServiceEndpoint):
        yield from _bad_names(row)
        return
    if issubclass(row.endpoint.message, Command):
        yield from _bad_keys(row)
    if row.method in {"POST", "PUT", "PATCH"}:
        go = row.endpoint.body is GoBody
        yield from _bad_framing(row)
        # Where the address says something already, or nothing need be said, no body says no more.
        needed = any(each.required for each in msgspec.structs.fields(row.endpoint.message))
        yield from _bad_json(go=go, empty=needed and not _names_in(row.path))
        yield from _bad_fields(valid_body(row), row.endpoint.message, (), go=go)
    yield from (each for each in _bad_params(row) if not (mux and _is_mux_well(each)))


def _is_mux_well(bad: Bad) -> bool:
    """Whether mux takes it: the query for more of the tweet, no tweet for no such address."""
    return bad.query != "" or (bad.path is not None and bad.path.endswith("/"))


def _bad_names(row: Address) -> Iterator[Bad]:
    """Yield what names nothing, for the operator's addresses that name something."""
    # One alone needs a body.
    options = {"json": {"replicas": 1}} if row.method == "PUT" else {}
    for name in _names_in(row.path):
        texts = {
            "of nothing": (404, "nothing"),
            "with a NUL": (404, "a%00b"),
            "too long": (404, "x" * 4000),
            "with a broken escape": (400, "a%zz"),
            "not UTF-8": (400, "%ff"),
            "with half a pair": (400, "%ed%a0%80"),
        }
        for label, (status, text) in texts.items():
            path = row.path.replace(f"{{{name}}}", text)
            yield Bad(f"{name} {label}", status, name, path=path, options=options)


def _bad_keys(row: Any) -> Iterator[Bad]:
    valid = {"json": valid_body(row)} if row.method in {"POST", "PATCH"} else {}
    for label, key in [("empty", ""), ("long", "k" * 256), ("spaced", "a b"), ("foreign", "é")]:
        options = {**valid, "headers": {"Idempotency-Key": key}}
        yield Bad(f"a key that is {label}", 422, "Idempotency-Key", options=options)


def _bad_framing(row: Any) -> Iterator[Bad]:
    data = json.dumps(valid_body(row)).encode()
    yield Bad("a body too large", 413, options={"data": b" " * 132_000})
    packed = {"data": data, "headers": {"Content-Encoding": "gzip"}}
    yield Bad("a packed body", 415, options=packed)


def _bad_json(*, go: bool, empty: bool) -> Iterator[Bad]:
    if empty:
        yield Bad("a body that is empty", 400, options={"data": b""})
    texts = {
        "cut": b'{"a":',
        "not JSON": b"hello",
        "not UTF-8": b'{"\xff":1}',
        "UTF-16": "{}".encode("utf-16"),
        "two values": b"{} {}",
        "Python": b"{'a': 1}",
        "NaN": b'{"a": NaN}',
        "nested deeply": b"[" * 60_000,
        "nested deeply inside": b'{"a":' * 10_000,
    }
    for label, data in texts.items():
        yield Bad(f"a body that is {label}", 400, options={"data": data})
    for data in (b"[]", b"1", b'"x"', *([] if go else [b"null"])):
        yield Bad(f"a body that is {data!r}", 400 if go else 422, options={"data": data})
    if not go:
        yield Bad("an unknown field", 422, "surprise", options={"data": b'{"surprise":1}'})
    closed = b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    if not go:
        yield Bad("valid JSON nested deeply", 400, options={"data": closed})


def _bad_fields(
    body: dict[str, Any], message: Any, at: tuple[str, ...], *, go: bool
) -> Iterator[Bad]:
    info = msgspec.inspect.type_info(message)
    assert isinstance(info, msgspec.inspect.StructType)
    for each in info.fields:
        if not at and each.encode_name not in body:  # it stands in the address
            continue
        name, kind = each.encode_name, _inner(each.type)
        where = ".".join((*at, name))
        for label, status, value in bad_values(kind, go=go):
            data = json.dumps(_replaced(body, (*at, name), value)).replace('"@@"', str(value)[2:])
            yield Bad(f"{where} {label}", status, where, options={"data": data.encode()})
        # Go's zero value is a default; a required field is one of a type that has none.
        if each.required:
            data = json.dumps(_replaced(body, (*at, name), None, drop=True))
            yield Bad(f"{where} missing", 422, where, options={"data": data.encode()})
        # Null is no value: it clears what can be clear, and says so where nothing can be.
        if not (go and not each.required) and not _takes_null(each.type):
            data = json.dumps(_replaced(body, (*at, name), None))
            yield Bad(f"{where} null", 422, where, options={"data": data.encode()})
        if isinstance(kind, msgspec.inspect.StructType):
            nested = _replaced(body, (*at, name, "surprise"), 1)
            data = json.dumps(nested)
            label = f"{where}.surprise"
            yield Bad(f"{label} unknown", 422, label, options={"data": data.encode()})
            yield from _bad_fields(body, kind.cls, (*at, name), go=go)


def _replaced(
    body: dict[str, Any], path: tuple[str, ...], value: object, *, drop: bool = False
) -> dict[str, Any]:
    name, *rest = path
    if rest:
        return {**body, name: _replaced(body[name], tuple(rest), value, drop=drop)}
    if drop:
        return {key: item for key, item in body.items() if key != name}
    return {**body, name: "@@" if str(value).startswith("@@") else value}


def _bad_params(row: Any) -> Iterator[Bad]:
    in_path = _names_in(row.path)
    writes = issubclass(row.endpoint.message, Command)
    options = {"json": valid_body(row)} if row.method in {"POST", "PUT", "PATCH"} else {}
    info = msgspec.inspect.type_info(row.endpoint.message)
    assert isinstance(info, msgspec.inspect.StructType)
    for each in info.fields:
        name, kind = each.encode_name, _inner(each.type)
        for label, status, text in bad_texts(name, kind):
            if name in in_path:
                path = re.sub(r"\{" + name + r"\*?\}", text, row.path)
                path = re.sub(r"\{.*?\}", "x", path)
                yield Bad(f"{name} {label}", status, name, path=path, options=options)
            elif not writes:
                yield Bad(f"{name} {label}", status, name, query=f"?{name}={text}")
        if name in in_path:
            yield Bad(f"{name} in the query too", 422, name, query=f"?{name}=x", options=options)
        elif not writes:
            yield Bad(f"{name} twice", 422, name, query=f"?{name}=1&{name}=1")
        if name in in_path and options:
            body = {**valid_body(row), name: "x"}
            yield Bad(f"{name} in the body too", 422, name, options={"json": body})
