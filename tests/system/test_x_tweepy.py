"""tweepy, blocking and asynchronous, against the embedded X: its address rebased, and no more.

Each client adds rules, streams, likes and replies, and sees errors as exceptions of their kind.
"""

from __future__ import annotations

import asyncio
import queue
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import tweepy
import tweepy.asynchronous

from actors.kernel.clock import SystemClock
from actors.systems.x_platform.messages import ACCOUNT_ID
from tests.system.x_server import X_HOST, Rebased, RebasedSession, x_server
from tests.systems.x_platform.api.embedded_x import embedded_x

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.x_server import XServer

pytestmark = pytest.mark.real_time

WAIT_S_MAX = 100.0


@pytest.fixture
def server() -> Iterator[XServer]:
    with x_server() as running:
        yield running


def client(server: XServer, **changes: str) -> tweepy.Client:
    """Return tweepy's blocking client with the account's keys."""
    keys = server.keys
    options = {
        "bearer_token": keys.bearer_token,
        "consumer_key": keys.consumer_key,
        "consumer_secret": keys.consumer_secret,
        "access_token": keys.access_token,
        "access_token_secret": keys.access_token_secret,
        **changes,
    }
    made = tweepy.Client(**options)
    made.session.mount(X_HOST, Rebased(server.url))
    return made


class Streaming(tweepy.StreamingClient):  # type: ignore[misc]  # tweepy says no types
    """Puts what it is told into a queue."""

    def __init__(self, server: XServer) -> None:
        super().__init__(server.keys.bearer_token, max_retries=0)
        self.session.mount(X_HOST, Rebased(server.url))
        self.told: queue.Queue[Any] = queue.Queue()

    def on_connect(self) -> None:
        self.told.put("connected")

    def on_response(self, response: Any) -> None:
        self.told.put(response)

    def on_errors(self, errors: Any) -> None:
        self.disconnect()  # or it would connect again at once
        self.told.put(errors)

    def on_request_error(self, status_code: int) -> None:
        self.told.put(status_code)
        self.disconnect()

    def next(self) -> Any:
        return self.told.get(timeout=WAIT_S_MAX)


def test_tweepy_streams_likes_and_replies(server: XServer) -> None:
    """The blocking client: rules, the stream in a thread, and what the account does meanwhile."""
    streaming = Streaming(server)
    assert streaming.get_rules().data is None
    rules = [tweepy.StreamRule("cats", tag="pets"), tweepy.StreamRule("from:bob")]
    added = streaming.add_rules(rules)
    assert [(rule.value, rule.tag) for rule in added.data] == [("cats", "pets"), ("from:bob", None)]
    assert added.meta["summary"]["created"] == 2
    again = streaming.add_rules([tweepy.StreamRule("cats"), tweepy.StreamRule("(")])
    assert again.data is None
    assert [error["title"] for error in again.errors] == ["DuplicateRule", "UnprocessableEntity"]
    assert streaming.add_rules(tweepy.StreamRule("dogs"), dry_run=True).data[0].value == "dogs"
    assert len(streaming.get_rules().data) == 2

    fields = ["created_at", "lang", "entities", "referenced_tweets"]
    thread = streaming.filter(
        threaded=True, tweet_fields=fields, expansions=["author_id", "in_reply_to_user_id"]
    )
    assert streaming.next() == "connected"
    posted = server.tweet_as("ada", "I like #cats \U0001f408")
    found = streaming.next()
    assert (str(found.data.id), found.data.text) == (posted["id"], posted["text"])
    assert found.data.created_at.year >= 2026
    assert found.data.entities["hashtags"][0]["tag"] == "cats"
    assert found.includes["users"][0].username == "ada"
    assert [rule.tag for rule in found.matching_rules] == ["pets"]

    account = client(server)
    assert str(account.get_me().data.id) == ACCOUNT_ID
    assert account.like(found.data.id).data == {"liked": True}
    reply = account.create_tweet(text="@ada cats!", in_reply_to_tweet_id=found.data.id)
    answered = streaming.next()
    assert str(answered.data.id) == reply.data["id"]
    assert answered.data.referenced_tweets[0].id == found.data.id
    assert account.unlike(found.data.id).data == {"liked": False}
    assert account.get_tweet(found.data.id).data.text == posted["text"]
    tweets = account.get_tweets([7, found.data.id], tweet_fields=["author_id"])
    assert (len(tweets.data), len(tweets.errors)) == (1, 1)
    assert account.get_user(username="ADA").data.id == found.includes["users"][0].id
    ids = [str(user.id) for user in account.get_users(usernames=["ada", "nobody"]).data]
    assert ids == [posted["author_id"]]

    assert server.call(lambda x: x.disconnect()) == 1
    assert streaming.next()[0]["title"] == "operational-disconnect"
    thread.join(WAIT_S_MAX)
    deleted = streaming.delete_rules([rule.id for rule in streaming.get_rules().data])
    assert deleted.meta["summary"] == {"deleted": 2, "not_deleted": 0}


def test_tweepy_sees_errors_for_what_they_are(server: XServer) -> None:
    """BadRequest, Unauthorized, Forbidden, NotFound, each with X's words."""
    account = client(server)
    with pytest.raises(tweepy.Unauthorized):
        client(server, access_token_secret="wrong").get_me()
    with pytest.raises(tweepy.Unauthorized):
        client(server, bearer_token="wrong").get_tweet(1)
    with pytest.raises(tweepy.BadRequest, match="does not match"):
        account.like("x")
    with pytest.raises(tweepy.NotFound):
        account.like(7)
    with pytest.raises(tweepy.Forbidden, match=r"OAuth 2\.0 Application-Only is forbidden"):
        account.get_me(user_auth=False)
    account.create_tweet(text="one")
    with pytest.raises(tweepy.Forbidden, match="duplicate content"):
        account.create_tweet(text="one")
    with pytest.raises(tweepy.Forbidden, match="deleted or not visible"):
        account.create_tweet(text="two", in_reply_to_tweet_id=7)
    streaming = Streaming(server)
    streaming.filter()
    assert streaming.next() == 409
    streaming.add_rules(tweepy.StreamRule("cats"))
    first, second = Streaming(server), Streaming(server)
    thread = first.filter(threaded=True)
    assert first.next() == "connected"
    second.filter()
    assert second.next() == 429
    first.disconnect()
    server.tweet_as("ada", "cats")  # a line lets it look
    thread.join(WAIT_S_MAX)


def test_tweepy_is_told_when_to_come_back() -> None:
    """TooManyRequests, with the time of the reset."""
    with x_server(requests_max=1) as server:
        account = client(server)
        account.get_me()
        with pytest.raises(tweepy.TooManyRequests) as caught:
            account.get_me()
        assert int(caught.value.response.headers["x-rate-limit-reset"]) == caught.value.reset_time


class AsyncStreaming(tweepy.asynchronous.AsyncStreamingClient):  # type: ignore[misc]  # likewise
    """Puts what it is told into a queue."""

    def __init__(self, bearer_token: str) -> None:
        super().__init__(bearer_token, max_retries=0)
        self.told: asyncio.Queue[Any] = asyncio.Queue()

    async def on_connect(self) -> None:
        await self.told.put("connected")

    async def on_response(self, response: Any) -> None:
        await self.told.put(response)

    async def on_errors(self, errors: Any) -> None:
        await self.told.put(errors)

    async def on_request_error(self, status_code: int) -> None:
        await self.told.put(status_code)
        self.disconnect()

    async def next(self) -> Any:
        async with asyncio.timeout(WAIT_S_MAX):
            return await self.told.get()


async def test_tweepys_asynchronous_clients_do_the_same() -> None:
    """On one loop with the embedded X."""
    async with embedded_x(clock=SystemClock()) as x:

        def streaming_client(bearer_token: str) -> AsyncStreaming:
            made = AsyncStreaming(bearer_token)
            made.session = RebasedSession(x.url, aiohttp.ClientSession())
            return made

        keys = x.keys
        streaming = streaming_client(keys.bearer_token)
        assert (await streaming.get_rules()).data is None
        added = await streaming.add_rules(tweepy.StreamRule("cats", tag="pets"))
        assert added.data[0].tag == "pets"
        double = await streaming.add_rules(tweepy.StreamRule("cats"))
        assert double.errors[0]["id"] == added.data[0].id
        listed = (await streaming.get_rules()).data
        task = streaming.filter(expansions="author_id", backfill_minutes=1)
        assert await streaming.next() == "connected"
        posted = await x.tweet_as("ada", "cats")
        found = await streaming.next()
        assert (str(found.data.id), found.includes["users"][0].username) == (posted["id"], "ada")
        assert found.matching_rules[0].tag == "pets"

        account = tweepy.asynchronous.AsyncClient(
            keys.bearer_token,
            keys.consumer_key,
            keys.consumer_secret,
            keys.access_token,
            keys.access_token_secret,
        )
        account.session = RebasedSession(x.url, aiohttp.ClientSession())
        assert (await account.like(found.data.id)).data == {"liked": True}
        reply = await account.create_tweet(text="cats!", in_reply_to_tweet_id=found.data.id)
        assert str((await streaming.next()).data.id) == reply.data["id"]
        with pytest.raises(tweepy.Forbidden, match="duplicate content"):
            await account.create_tweet(text="cats!", in_reply_to_tweet_id=found.data.id)
        with pytest.raises(tweepy.NotFound):
            await account.like(7)
        with pytest.raises(tweepy.BadRequest, match="is not one of"):
            await account.get_me(user_fields="nothing")
        nobody = streaming_client("wrong")
        with pytest.raises(tweepy.Unauthorized):
            await nobody.get_rules()
        await nobody.session.close()

        second = streaming_client(keys.bearer_token)
        waiting = second.filter()
        assert await second.next() == 429
        await asyncio.wait([waiting], timeout=WAIT_S_MAX)
        await x.disconnect()
        assert (await streaming.next())[0]["disconnect_type"] == "ForceDisconnect"
        streaming.disconnect()
        await asyncio.wait([task], timeout=WAIT_S_MAX)
        again = streaming_client(keys.bearer_token)
        deleted = await again.delete_rules([rule.id for rule in listed])
        assert deleted.meta["summary"]["deleted"] == 1
        await again.session.close()
        await account.session.close()
