"""The stream as its client sees it: objects, signs of life, and why it did not begin or ended."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING

import pytest

from actors.systems.x_platform.messages import ACCOUNT_ID
from tests.http_edge.serving import hang_up
from tests.systems.x_platform.api.embedded_x import (
    STREAM,
    disconnect,
    embedded_x,
    is_invalid,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.systems.x_platform.api.open_stream import OpenStream


async def test_what_matches_is_sent_at_once_with_its_rules() -> None:
    """One JSON object a line, ended by CRLF; a rule without a tag has an empty one."""
    async with embedded_x() as x:
        (cats,) = await x.add_rules("cats", tag="pets")
        (from_ada,) = await x.add_rules("from:ada", tag=None)
        stream = await x.open_stream()
        assert stream.status == 200
        assert stream.headers["content-type"] == "application/json"
        assert stream.headers["x-rate-limit-remaining"] == "4999"
        tweet = await x.tweet_as("ada", "I like cats")
        await x.tweet_as("bob", "I like dogs")
        other = await x.tweet_as("bob", "cats, too")
        first, second = await stream.object(), await stream.object()
        assert list(first) == ["data", "matching_rules"]
        assert first["data"] == {
            "id": tweet["id"],
            "text": "I like cats",
            "edit_history_tweet_ids": [tweet["id"]],
        }
        rules = sorted(first["matching_rules"], key=lambda rule: rule["id"])
        assert rules == [{"id": cats, "tag": "pets"}, {"id": from_ada, "tag": ""}]
        assert second["data"]["id"] == other["id"]


async def test_fields_and_expansions_are_the_connections() -> None:
    """Each object with the company that was asked for."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        query = "?tweet.fields=created_at,lang&user.fields=created_at&expansions=author_id"
        stream = await x.open_stream(f"{query},referenced_tweets.id")
        tweet = await x.tweet_as("ada", "what do you think of it?")
        body = {"text": "cats!", "reply": {"in_reply_to_tweet_id": tweet["id"]}}
        await x.post("/2/tweets", body, x.user)
        found = await stream.object()
        assert found["data"].keys() == {
            "id",
            "text",
            "edit_history_tweet_ids",
            "created_at",
            "lang",
            "author_id",
            "referenced_tweets",
        }
        (user,) = found["includes"]["users"]
        assert user.keys() == {"id", "name", "username", "created_at"}
        assert user["id"] == ACCOUNT_ID
        assert [each["id"] for each in found["includes"]["tweets"]] == [tweet["id"]]


async def test_a_stream_begins_now_or_so_many_minutes_ago() -> None:
    """What was tweeted before is sent again for `backfill_minutes`, and never beyond."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        for text in ("cats one", "cats two", "cats three"):
            await x.tweet_as("ada", text)
            x.clock.advance(100)
        for minutes, texts in ((5, ["one", "two", "three"]), (4, ["two", "three"]), (0, [])):
            stream = await x.open_stream(f"?backfill_minutes={minutes}")
            for text in texts:
                assert (await stream.object())["data"]["text"] == f"cats {text}"
            if not texts:
                await x.tweet_as("ada", "cats now")
                assert (await stream.object())["data"]["text"] == "cats now"
            await stream.close()
            await x.no_stream()


async def test_only_what_makes_sense_begins_a_stream() -> None:
    """Parameters are checked before a place is taken."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        for query, parameter in (
            ("backfill_minutes=6", "backfill_minutes"),
            ("backfill_minutes=-1", "backfill_minutes"),
            ("backfill_minutes=x", "backfill_minutes"),
            ("tweet.fields=nothing", "tweet.fields"),
            ("start_time=2026-01-01T00:00:00Z", "start_time"),
        ):
            is_invalid(await x.send("GET", f"{STREAM}?{query}", headers=x.app), parameter)
        assert x.places_taken() == 0


async def test_without_rules_there_is_no_stream() -> None:
    """A 409 in X's words; and no place is taken by it."""
    async with embedded_x() as x:
        reply = await x.send("GET", STREAM, headers=x.app)
        assert reply.status == 409
        assert reply.json == {
            "title": "ConnectionException",
            "detail": (
                "You must define rules using the POST /2/tweets/search/stream/rules endpoint before"
                " connecting to filtered stream."
            ),
            "connection_issue": "RuleConfigurationIssue",
            "type": "https://api.x.com/2/problems/streaming-connection",
        }
        await x.add_rules("cats")
        stream = await x.open_stream()
        assert stream.status == 200


async def test_an_app_has_one_stream() -> None:
    """The second is a 429 in X's words, and does not disturb the first."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        first = await x.open_stream()
        second = await x.open_stream()
        assert second.status == 429
        assert json.loads(second.rest) == {
            "title": "ConnectionException",
            "detail": "This stream is currently at the maximum allowed connection limit.",
            "connection_issue": "TooManyConnections",
            "type": "https://api.x.com/2/problems/streaming-connection",
        }
        await second.close()
        await x.tweet_as("ada", "cats")
        assert (await first.object())["data"]["text"] == "cats"
        await first.close()


async def _close(stream: OpenStream) -> None:
    await stream.close()


async def _reset(stream: OpenStream) -> None:
    stream.writer.transport.abort()


async def _half_close(stream: OpenStream) -> None:
    stream.writer.write_eof()


@pytest.mark.parametrize("leave", [_close, _reset, _half_close])
async def test_a_client_that_leaves_makes_room_at_once(
    leave: Callable[[OpenStream], Awaitable[None]],
) -> None:
    """Closed, reset or half-closed: the next connection need not wait for a keep-alive."""
    async with embedded_x(keepalive_s=1000.0) as x:
        await x.add_rules("cats")
        for _ in range(20):
            stream = await x.open_stream()
            assert stream.status == 200
            await leave(stream)
            again = await x.open_stream()
            assert again.status == 200
            await hang_up(again.writer)
            await x.no_stream()
            await hang_up(stream.writer)


async def test_a_client_that_leaves_before_its_stream_has_begun_leaves_no_stream() -> None:
    """Whatever it was that the stream waited for just then."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        for turns in range(12):
            _, writer = await asyncio.open_connection("127.0.0.1", int(x.url.rpartition(":")[2]))
            proof = f"Authorization: {x.app['Authorization']}\r\n\r\n"
            writer.write(f"GET {STREAM} HTTP/1.1\r\nHost: x\r\n{proof}".encode())
            for _ in range(turns):
                await asyncio.sleep(0)
            writer.transport.abort()
            for _ in range(30):
                await asyncio.sleep(0)
            await x.no_stream()
            await hang_up(writer)


@pytest.mark.real_time
async def test_a_stream_without_tweets_shows_signs_of_life() -> None:
    """A bare CRLF each `keepalive_s`, and none more."""
    async with embedded_x(keepalive_s=0.05) as x:
        await x.add_rules("cats")
        stream = await x.open_stream()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        assert [await stream.line() for _ in range(4)] == [b""] * 4
        assert loop.time() - begun >= 0.19
        await x.tweet_as("ada", "cats")
        assert (await stream.object())["data"]["text"] == "cats"
        assert await stream.line() == b""


@pytest.mark.real_time
async def test_tweets_that_do_not_match_are_no_sign_of_life() -> None:
    """A client that gets none of them is not left without a byte."""
    async with embedded_x(keepalive_s=0.1) as x:
        await x.add_rules("cats")
        stream = await x.open_stream()

        async def tweet_on() -> None:
            for number in itertools.count():
                await x.tweet_as("ada", f"dogs {number}")

        tweeting = asyncio.create_task(tweet_on())
        try:
            async with asyncio.timeout(60.0):
                assert [await stream.line() for _ in range(3)] == [b""] * 3
            assert not tweeting.done()
        finally:
            tweeting.cancel()
            await asyncio.wait([tweeting])


async def test_an_operator_ends_streams_as_x_does_now_and_then() -> None:
    """An object that says why, and the end; what was tweeted before is sent before."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        assert await x.disconnect() == 0
        stream = await x.open_stream()
        assert await x.disconnect() == 1
        assert await stream.end() == [disconnect("ForceDisconnect")]
        assert await stream.reader.read() == b""
        again = await x.open_stream()
        assert again.status == 200
        await again.close()


async def test_a_drain_ends_the_stream_and_is_not_held_up_by_it() -> None:
    """The client is told why, and no new stream begins."""
    async with embedded_x(keepalive_s=1000.0) as x:
        await x.add_rules("cats")
        stream = await x.open_stream()
        await x.edge.drain(1000.0)
        assert await stream.end() == [disconnect("OperationalDisconnect")]
        assert await stream.reader.read() == b""


async def test_a_draining_edge_begins_no_stream() -> None:
    """A request that still gets in is a 503."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        x.edge._context.draining = True
        reply = await x.send("GET", STREAM, headers=x.app)
        assert reply.status == 503
        assert reply.json["title"] == "Service Unavailable"


async def test_a_stream_outlives_a_crash_of_its_source() -> None:
    """The service is there again at once, and the stream goes on where it was."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        stream = await x.open_stream()
        for number in range(5):
            x.system.kill("x_platform")
            await x.tweet_as("ada", f"cats {number}")
            assert (await stream.object())["data"]["text"] == f"cats {number}"


async def test_a_stream_ends_with_its_source() -> None:
    """Where the service is gone, the client is told that it is not its fault."""
    async with embedded_x() as x:
        await x.add_rules("cats")
        stream = await x.open_stream()
        await x.system.stop()
        detail = "disconnected upstream for operational reasons"
        assert await stream.end() == [disconnect("UpstreamOperationalDisconnect", detail)]
