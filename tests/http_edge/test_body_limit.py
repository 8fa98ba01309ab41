"""A body's limit follows from its fields': no legal message is too large."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import msgspec
import pytest

from actors.config import load_config
from actors.systems.x_platform.messages import TweetAs
from http_edge.decoding.body_limit import READ_BYTES_MIN, body_bytes_max
from http_edge.endpoints.service_endpoint import ServiceEndpoint
from tests.http_edge.bad_input import EXAMPLES, valid_path
from tests.http_edge.rows import rows
from tests.http_edge.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_edge.address import Address

EMOJI = "\N{GRINNING FACE}"
LISTENERS = ("gateway", "hotel", "tweets")
BODY_METHODS = {"POST", "PUT", "PATCH"}


def routes_with_bodies() -> Iterator[tuple[str, Address, type]]:
    for listener in LISTENERS:
        for row in rows(listener):
            if isinstance(row.endpoint, ServiceEndpoint) and row.method in BODY_METHODS:
                yield listener, row, row.endpoint.message


def largest(kind: Any, name: str = "") -> Any:
    """Return the largest legal value of a type, each text of the widest characters it takes."""
    match kind:
        case msgspec.inspect.UnionType():
            return largest(kind.types[0], name)
        case msgspec.inspect.StructType():
            return {each.encode_name: largest(each.type, each.encode_name) for each in kind.fields}
        case msgspec.inspect.LiteralType():
            return max(map(str, kind.values), key=len)
        case msgspec.inspect.IntType():
            return kind.le or 2**63 - 1
        case msgspec.inspect.StrType() if name not in EXAMPLES:
            return (EMOJI if kind.pattern is None else "x") * (kind.max_length or 0)
    return EXAMPLES[name]


async def test_the_largest_legal_message_is_taken_at_every_address() -> None:
    """Every field as long as it may be, each character escaped, and indented: never a 413."""
    config = load_config().edge
    async with serving() as served:
        for listener, row, message in routes_with_bodies():
            fields = largest(msgspec.inspect.type_info(message))
            body = {name: fields[name] for name in fields if f"{{{name}}}" not in row.path}
            data = json.dumps(body, indent=8).encode()
            assert len(data) <= config.body_bytes_max, row.path
            reply = await served.send(row.method, valid_path(row), listener, data=data)
            # A flag that is not there is a 404: its change was read.
            assert reply.status in {200, 201, 404}, (row.path, len(data), reply.body[:200])


def test_no_field_of_a_body_is_without_a_limit() -> None:
    """Of every address, an operator's included; and the cap is no less than what they need."""
    cap = load_config().edge.body_bytes_max
    found: list[tuple[type, str]] = [
        (message, row.path) for _, row, message in routes_with_bodies()
    ]
    for message, path in [(TweetAs, "/admin/x/tweets"), *found]:
        size = body_bytes_max(message, without=tuple(re.findall(r"\{(\w+)\}", path)))
        assert size is not None, message
        assert READ_BYTES_MIN <= size <= cap, (message, size)


@pytest.mark.parametrize("text", [EMOJI * 10_000, "/" * 10_000, "é" * 10_000])
async def test_the_longest_tweet_is_taken_as_a_body_and_in_an_address(text: str) -> None:
    """10,000 characters are legal, however wide, and escaped as json.dumps and URLs do."""
    async with serving() as served:
        fields = {"author": EMOJI * 100, "text": text, "external_id": "i" * 64}
        reply = await served.send("POST", "/api/v1/tweets", data=json.dumps(fields).encode())
        assert reply.status == 201
        assert reply.json["text"] == text
        path = f"/insert/{quote(EMOJI * 100, safe='')}/{quote(text, safe='')}"
        assert (await served.send("GET", path, "tweets")).status == 200
        assert [seen.message.text for seen in served.system.seen] == [text, text]  # type: ignore[attr-defined]


async def test_what_no_legal_body_needs_is_too_large() -> None:
    """Above 64 KB where the fields need less, and above body_bytes_max anywhere."""
    async with serving() as served:
        for path, size, status in [
            ("/api/v1/customers", READ_BYTES_MIN, 400),
            ("/api/v1/customers", READ_BYTES_MIN + 1, 413),
            ("/customer", READ_BYTES_MIN + 1, 413),
            ("/api/v1/tweets", READ_BYTES_MIN + 1, 400),
            ("/api/v1/tweets", served.config.body_bytes_max + 1, 413),
        ]:
            listener = "gateway" if path.startswith("/api") else "hotel"
            reply = await served.send("POST", path, listener, data=b" " * size)
            assert reply.status == status, (path, size, reply.body)


class Inner(msgspec.Struct):
    text: str


class Outer(msgspec.Struct):
    inner: tuple[Inner, ...]


class Bounded(msgspec.Struct):
    texts: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=1000)], ...], msgspec.Meta(max_length=100)
    ]


class Node(msgspec.Struct):
    left: Annotated[list[Node], msgspec.Meta(max_length=2)] = []
    right: Node | None = None


class Twice(msgspec.Struct):
    first: Bounded
    second: Bounded


def test_a_field_without_a_limit_leaves_its_address_the_cap() -> None:
    """Whatever it is wrapped in, itself included; everything that has a limit is counted."""
    assert body_bytes_max(Node) is None
    assert (body_bytes_max(Twice) or 0) > 1.9 * (body_bytes_max(Bounded) or 0)
    assert body_bytes_max(Inner) is None
    assert body_bytes_max(Outer) is None
    largest = json.dumps({"texts": [EMOJI * 1000] * 100})
    assert len(largest) <= (body_bytes_max(Bounded) or 0) < len(largest) * 1.01
