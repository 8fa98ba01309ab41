"""Likes and replies as X takes them, and what comes of each answer."""

from __future__ import annotations

import gc
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from tweepy.asynchronous import AsyncClient

from actors.log import request_id
from actors.systems.tweets.x.access import XAccess
from actors.systems.tweets.x.session import XSession
from actors.systems.tweets.x.x_client import XWriter
from actors.systems.tweets.x.x_errors import (
    OutsideAddress,
    XBarred,
    XBusy,
    XError,
    XRefused,
    XStatus,
    XUnreachable,
)
from actors.tracing.trace_context import Place
from tests.systems.tweets.reading.reading_stage import CREDENTIALS
from tests.systems.tweets.rough_x import Stage, answers, rough_x, sends

if TYPE_CHECKING:
    from tests.systems.tweets.rough_x import Act, RoughX

LIKES = "/2/users/1500000000000000001/likes"


def writer_at(x: RoughX) -> XWriter:
    access = XAccess(CREDENTIALS, simulator=True, write=False)
    access.open(x.url)
    return XWriter(access)


def clients() -> list[Any]:
    """Return tweepy's clients that are alive."""
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, AsyncClient)]


async def test_a_like_is_signed_as_the_account() -> None:
    """OAuth 1.0a: the secrets sign, and are not sent."""
    async with rough_x() as x:
        await writer_at(x).like("7")
        (request,) = x.requests
        assert (request.method, request.path, request.json) == ("POST", LIKES, {"tweet_id": "7"})
        header = request.headers["authorization"]
        assert header.startswith("OAuth ")
        for part in (CREDENTIALS.consumer_key, CREDENTIALS.access_token, "HMAC-SHA1"):
            assert part in header
        assert CREDENTIALS.consumer_secret not in header
        assert CREDENTIALS.access_token_secret not in header


async def test_no_client_outlives_its_request() -> None:
    """tweepy's own cache of who is who would keep each one that has ever liked something."""
    others = clients()  # of other tests, which use tweepy as it is
    async with rough_x() as x:
        writer = writer_at(x)
        for tweet_id in ("7", "8", "9"):
            await writer.like(tweet_id)
    assert [each for each in clients() if not any(each is other for other in others)] == []


async def test_a_reply_says_to_what_and_returns_its_id() -> None:
    """The text as it is, whatever it holds."""
    async with rough_x() as x:
        text = "@ada Thank you! \N{GRINNING FACE} 100% [a&b=c]"
        assert await writer_at(x).reply(text, in_reply_to="7") == "77"
        (request,) = x.requests
        assert request.json == {"text": text, "reply": {"in_reply_to_tweet_id": "7"}}


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (answers(403, {"detail": "duplicate content"}), XRefused, "duplicate content"),
        (answers(404, {"detail": "gone", "title": "Not Found Error"}), XRefused, "gone"),
        (answers(400, {"title": "Invalid Request"}), XRefused, "Invalid"),
        (answers(403, {"detail": "no", "type": ".../problems/oauth1-permissions"}), XBarred, "403"),
        (answers(403, {"detail": "Not today."}), XBarred, "403"),
        (answers(200, {"errors": [{"detail": "not to be seen"}]}), XRefused, "not to be seen"),
        (answers(429, {}, x_rate_limit_reset="1700000000"), XBusy, "429"),
        (answers(429, {}), XBusy, "429"),
        (answers(429, {}, x_rate_limit_reset="never"), XBusy, "429"),
        # Not X's own word, or not all of it: the next attempt will hear.
        (answers(403, b"<html>"), XStatus, "403"),
        (answers(403, b'{"detail": "dupl\xffcate"}'), XStatus, "403"),
        (sends(b'HTTP/1.1 403 No\r\nContent-Length: 50\r\n\r\n{"d'), XUnreachable, "no answer"),
        (answers(401, {"title": "Unauthorized"}), XBarred, "401"),
        (answers(401, b"<html>"), XBarred, "401"),
        (answers(400, [["no object"]]), XStatus, "400"),
        (answers(503, b"<html>"), XStatus, "<html>"),
        (answers(302, b"", location="http://198.51.100.1/"), XStatus, "302"),
        (answers(200, b"<html>"), XUnreachable, "no answer"),
        (answers(200, b"\xff"), XUnreachable, "no answer"),
        (answers(200, b""), XUnreachable, "no answer"),
        (answers(200, {}), XUnreachable, "says nothing"),
        (answers(200, {"data": {}}), XUnreachable, "does not say"),
        (sends(b""), XUnreachable, "no answer"),
        (sends(b"nonsense\r\n\r\n"), XUnreachable, "no answer"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), XUnreachable, "no answer"),
    ],
)
@pytest.mark.parametrize("what", ["like", "reply"])
async def test_an_answer_that_is_no_yes_is_an_error_of_its_kind(
    answer: Act, error: type[XError], words: str, what: str
) -> None:
    """A no for good, a no for now, or no answer; and in none a credential."""
    async with rough_x() as x:
        x.answers.append(answer)
        writer = writer_at(x)
        request = writer.like("7") if what == "like" else writer.reply("text", in_reply_to="7")
        with pytest.raises(XError, match=words) as raised:
            await request
        assert type(raised.value) is error
        assert "SECRET" not in shown(raised.value)
        if isinstance(raised.value, XBusy):
            assert raised.value.retry_at_us in {None, 1_700_000_000_000_000}


def shown(error: BaseException) -> str:
    """Everything that anybody could print of an error, and of those that it hides."""
    texts = ["".join(traceback.format_exception(error))]
    each: BaseException | None = error
    while each is not None:
        texts += [repr(each), str(each), repr(each.args), repr(vars(each))]
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "".join(texts)


async def test_a_refused_connection_is_no_answer() -> None:
    """Nobody listens there any more."""
    async with rough_x() as x:
        writer = writer_at(x)
    with pytest.raises(XUnreachable, match="no answer") as raised:
        await writer.like("7")
    assert "SECRET" not in shown(raised.value)


async def test_nothing_goes_elsewhere_than_to_the_x_that_is_there() -> None:
    """Whatever asks, and whoever moved the base address: asserted, not assumed."""
    async with rough_x() as x, XSession(x.url) as session:
        for url in ("https://example.org/", "https://api.twitter.com.evil.io/2", x.url):
            with pytest.raises(OutsideAddress):
                session.request("GET", url)
        session._base_url = "http://198.51.100.1"
        with pytest.raises(OutsideAddress):
            session.request("GET", "https://api.twitter.com/2/users/me")
        assert x.requests == []


async def test_a_trace_goes_on_at_the_x_that_is_there() -> None:
    """What an effect asks of it for a traced request says so; of any other, nothing."""
    place = Place("my-request", "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 3)
    async with rough_x() as x:
        for trace in ("my-request", place.context()):
            token = request_id.set(trace)
            await writer_at(x).like("7")
            request_id.reset(token)
        said = [request.headers.get("traceparent") for request in x.requests]
        assert said == [None, f"00-{place.trace_id}-{place.span_id}-01"]


async def test_a_redirect_is_not_followed() -> None:
    """A request holds credentials, and goes where it was sent."""
    async with rough_x() as x, rough_x() as other:

        async def elsewhere(stage: Stage) -> None:
            await stage.answer(307, b"", location=f"{other.url}/2/tweets")

        x.answers.append(elsewhere)
        with pytest.raises(XStatus, match="307"):
            await writer_at(x).like("7")
        assert other.requests == []


@pytest.mark.parametrize(
    ("simulator", "write", "writes"),
    [(True, False, True), (False, False, False), (False, True, True)],
)
def test_who_may_write(simulator: bool, write: bool, writes: bool) -> None:
    """The simulator's account always; a real one where it was switched on."""
    access: Any = XAccess(CREDENTIALS, simulator=simulator, write=write)
    assert access.write == writes
    assert access.user_id == "1500000000000000001"
    assert "SECRET" not in repr(access)


async def test_x_itself_has_no_other_address() -> None:
    """And nobody opens one for it."""
    access = XAccess(CREDENTIALS, simulator=False, write=False)
    assert await access.base_url() is None
    with pytest.raises(OutsideAddress, match="X itself is in use"):
        access.open("http://127.0.0.1:8100")
