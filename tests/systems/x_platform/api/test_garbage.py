"""Nothing that a client sends is a 500, and every answer has X's form."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from actors.kernel.clock import ManualClock, SystemClock
from actors.systems.x_platform.api.written_entities import find_entities, mentioned
from tests.few_examples import few
from tests.http_edge.serving import hang_up
from tests.systems.x_platform.api.embedded_x import (
    LIKES,
    RULES,
    STREAM,
    EmbeddedX,
    embedded_x,
    until,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
# Bodies that are nearly right: each of X's fields with anything in it.
FIELDS = ("add", "delete", "text", "reply", "quote_tweet_id", "tweet_id", "value", "ids")
NEARLY = st.dictionaries(st.sampled_from(FIELDS) | TEXT, VALUES, max_size=3)
RULE = st.fixed_dictionaries({"value": VALUES}, optional={"tag": VALUES, "id": VALUES})
BODIES = st.one_of(
    VALUES,
    NEARLY,
    st.fixed_dictionaries({"add": st.lists(RULE, max_size=3)}),
    st.fixed_dictionaries({"delete": st.fixed_dictionaries({"ids": st.lists(VALUES)})}),
    st.fixed_dictionaries({"text": TEXT, "reply": NEARLY}),
).map(lambda body: json.dumps(body).encode())
PATHS = st.sampled_from(
    [STREAM, RULES, "/2/tweets", "/2/users", "/2/users/by", "/2/users/me", LIKES, "/2/tweets/1"]
)
NAMES = st.sampled_from(
    ["ids", "id", "usernames", "expansions", "tweet.fields", "backfill_minutes", "dry_run"]
)
PIECES = st.one_of(
    st.binary(max_size=8).map(lambda data: "".join(f"%{byte:02x}" for byte in data)),
    st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=8
    ),
)
QUERIES = st.lists(st.tuples(NAMES | PIECES, PIECES), max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)


async def check(x: EmbeddedX, method: str, path: str, data: bytes = b"") -> None:
    """Send it in every way of authenticating; insist on X's form."""
    for headers in (x.app, x.user):
        options: dict[str, Any] = {"headers": {**headers, "Content-Type": "application/json"}}
        url = URL(x.url + path, encoded=True)
        async with x.session.request(method, url, data=data, **options) as response:
            if response.status == 200 and path.startswith(f"{STREAM}?"):
                continue  # a stream has no end
            body = json.loads(await response.read())
        assert response.status in {200, 201, 400, 403, 404, 409, 422}, (path, data, body)
        if response.status >= 300:
            assert body["title"]
            assert body["type"]
        else:
            assert body.keys() <= {"data", "includes", "errors", "meta"}


@few(4)
@given(bodies=st.lists(BODIES | st.binary(max_size=60), min_size=10, max_size=10))
async def test_any_body_is_answered_in_xs_form(bodies: list[bytes]) -> None:
    """JSON that fits, nearly fits or does not, and what is no JSON at all."""
    async with embedded_x() as x:
        for body in bodies:
            for path in (RULES, "/2/tweets", LIKES):
                await check(x, "POST", path, body)


@few(4)
@given(queries=st.lists(st.tuples(PATHS, QUERIES), min_size=10, max_size=10))
async def test_any_query_is_answered_in_xs_form(queries: list[tuple[str, str]]) -> None:
    """Names and values of any bytes, escaped or not, for every address."""
    async with embedded_x() as x:
        for path, query in queries:
            await check(x, "GET", f"{path}?{query}")


@given(text=st.text(max_size=60) | st.text("@#$ab1_ \uff20\uff03:/.htps\u0915\u094d", max_size=30))
def test_entities_are_where_they_say(text: str) -> None:
    """Of any text: each is cut out by its indices, begins with its sign, and none overlap."""
    entities = find_entities(text)
    signs = {"hashtags": "#\uff03", "cashtags": "$", "mentions": "@\uff20", "urls": "hH"}
    spans = []
    for kind, found in entities.items():
        assert found
        for entity in found:
            cut = text[entity["start"] : entity["end"]]
            assert cut[0] in signs[kind]
            key = {"urls": "url", "mentions": "username"}.get(kind, "tag")
            assert entity[key] == (cut if kind == "urls" else cut[1:])
            spans.append((entity["start"], entity["end"]))
    spans.sort()
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))
    assert len(mentioned(text)) == len(entities.get("mentions", []))


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("see https://example.com/a_b#c, ok?", "urls", ["https://example.com/a_b#c"]),
        ("(https://www.example.com/)", "urls", ["https://www.example.com/"]),
        ("#one #two,#3 #3d #\u0939\u093f\u0928\u094d\u0926\u0940", "hashtags", None),
        ("a#b &#c; ##d", "hashtags", ["d"]),
        ("$TSLA and $BRK.A, US$5 $5", "cashtags", ["TSLA", "BRK.A"]),
        ("@ada: hi @Bob_1, mail x@y.org", "mentions", ["ada", "Bob_1"]),
        ("@abcdefghijklmnop", "mentions", None),
        ("https://x.com/@ada#cats", "mentions", None),
        ("\U0001f99c @ada", "mentions", ["ada"]),
    ],
)
def test_what_x_finds_in_a_text(text: str, kind: str, found: list[str] | None) -> None:
    """Links without the sentence's end, hashtags with marks, mentions that are no mail."""
    entities = find_entities(text).get(kind, [])
    key = {"urls": "url", "mentions": "username"}.get(kind, "tag")
    if kind == "hashtags" and found is None:
        found = ["one", "two", "3d", "\u0939\u093f\u0928\u094d\u0926\u0940"]
    assert [entity[key] for entity in entities] == (found or [])


async def raw(x: EmbeddedX, data: bytes) -> tuple[int, dict[str, Any]]:
    """Send these bytes; return the status and the body of what comes back."""
    url = URL(x.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(data)
    async with asyncio.timeout(60):
        answer = await reader.read()
    await hang_up(writer)
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def test_what_is_not_http_is_answered_in_xs_form_too() -> None:
    """And a body that is too large, and an address that cannot be decoded."""
    async with embedded_x(edge={"body_bytes_max": 1000}) as x:
        status, body = await raw(x, b"nonsense\r\n\r\n")
        assert (status, body["title"]) == (400, "Invalid Request")
        reply = await x.send("GET", "/2/tweets?ids=%zz", headers=x.app)
        assert (reply.status, reply.json["title"]) == (400, "Invalid Request")
        reply = await x.send("GET", "/2/users/%ff", headers=x.app)
        assert (reply.status, reply.json["title"]) == (400, "Invalid Request")
        reply = await x.post("/2/tweets", {"text": "x" * 1000}, x.user)
        assert reply.status == 413
        assert reply.json["title"] == "Payload Too Large"
        assert reply.headers["Connection"] == "close"


@pytest.mark.real_time
async def test_a_service_that_does_not_answer_is_xs_503() -> None:
    """Suspended past the deadline, or stopped: Service Unavailable, with the quota."""
    async with embedded_x(edge={"deadline_s": 0.5}, clock=SystemClock()) as x:
        x.system.suspend("x_platform")
        for path in (RULES, "/2/tweets/1", STREAM):
            reply = await x.send("GET", path, headers=x.app)
            assert reply.status == 503
            assert reply.json == {
                "title": "Service Unavailable",
                "detail": "Service Unavailable",
                "type": "about:blank",
                "status": 503,
            }
            assert reply.headers["x-rate-limit-remaining"] == "4999"
        x.system.resume("x_platform")
        await x.get(RULES)


@pytest.mark.real_time
async def test_one_connection_too_many_is_xs_503() -> None:
    """Where the others are all at work: it is told so and closed."""
    async with embedded_x(edge={"connections_max": 1}) as x:
        x.system.suspend("x_platform")
        asked = asyncio.ensure_future(x.send("GET", RULES, headers=x.app))
        await until(lambda: any(actor.mailbox_depth for actor in x.system.actors()))
        status, body = await raw(x, b"GET / HTTP/1.1\r\n\r\n")
        assert (status, body["title"]) == (503, "Service Unavailable")
        x.system.resume("x_platform")
        assert (await asked).status == 200


async def test_a_clock_of_any_time_makes_timestamps() -> None:
    """From the epoch on; X writes milliseconds and a Z."""
    clock = ManualClock(now_us=1_790_000_000_123_456)
    async with embedded_x(clock=clock) as x:
        assert (await x.get(RULES))["meta"]["sent"] == "2026-09-21T14:13:20.123Z"
