"""Tweets: made, refused as X refuses, found with what belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.kernel.messages import Refusal
from actors.systems.x_platform import snowflake
from actors.systems.x_platform.messages import (
    ACCOUNT_ID,
    ACCOUNT_USERNAME,
    GetTweets,
    GetUsers,
    PostTweet,
    Reference,
    Things,
    TweetAs,
    XTweet,
)
from tests.systems.x_platform.platform_stage import platform

if TYPE_CHECKING:
    from pathlib import Path

DUPLICATE = Refusal.conflict("You are not allowed to create a Tweet with duplicate content.")
DAY_S = 86_400.0


def post(text: str, **about: Any) -> PostTweet:
    return PostTweet(author_id=ACCOUNT_ID, text=text, **about)


async def test_the_account_is_there_from_the_start(tmp_path: Path) -> None:
    """By id and, whatever its case, by username."""
    async with platform(tmp_path) as x:
        by_id = await x.ask(GetUsers(ids=(ACCOUNT_ID,)))
        (account,) = by_id.users
        assert (account.id, account.username) == (ACCOUNT_ID, ACCOUNT_USERNAME)
        assert await x.ask(GetUsers(usernames=(ACCOUNT_USERNAME.upper(),))) == by_id


@pytest.mark.parametrize("text", ["x", "naïve \U0001f600", "a\0b", "' OR 1=1; --", "é" * 4_000])
async def test_a_tweet_is_found_as_it_was_made(tmp_path: Path, text: str) -> None:
    """Its id tells when; it begins a conversation of its own."""
    async with platform(tmp_path) as x:
        tweet = await x.ask(post(text))
        assert (tweet.text, tweet.author_id) == (text, ACCOUNT_ID)
        assert tweet.created_at_us == x.clock.now_us() // 1000 * 1000
        assert tweet.created_at_us == snowflake.time_us(int(tweet.id))
        assert (tweet.conversation_id, tweet.references) == (tweet.id, ())
        about = await x.ask(GetTweets(ids=(tweet.id,)))
        assert about.tweets == (tweet,)
        assert [user.id for user in about.users] == [ACCOUNT_ID]


@pytest.mark.parametrize("tweet_id", ["0", "1", "007", "9" * 19, str(2**63 - 1), str(2**63)])
async def test_what_nobody_knows_is_missing(tmp_path: Path, tweet_id: str) -> None:
    """Also an id that no integer of SQLite's could be."""
    async with platform(tmp_path) as x:
        ours = await x.ask(post("x"))
        found = await x.ask(GetTweets(ids=(tweet_id, ours.id, tweet_id)))
        assert (found.tweets, found.missing) == ((ours,), (tweet_id,))
        assert (await x.ask(GetUsers(ids=(tweet_id,)))).missing == (tweet_id,)
        assert (await x.ask(GetUsers(usernames=("Nobody",)))) == Things(missing=("Nobody",))
        refused = await x.ask(PostTweet(author_id=tweet_id, text="x"))
        assert refused == Refusal.not_found(f"Could not find user with id: [{tweet_id}].")


async def test_a_reply_knows_whom_it_answers(tmp_path: Path) -> None:
    """It stays in the conversation; with it come the tweet it answers and everybody named."""
    async with platform(tmp_path) as x:
        first = await x.tweet("ada", "hello")
        reply = await x.ask(post("@ada hi, ask @Bob", in_reply_to_tweet_id=first.id))
        again = await x.tweet("Bob", "what?", in_reply_to_tweet_id=reply.id)
        assert reply.references == (Reference(type="replied_to", id=first.id),)
        assert (reply.conversation_id, reply.in_reply_to_user_id) == (first.id, first.author_id)
        assert again.conversation_id == first.id
        about = await x.ask(GetTweets(ids=(reply.id,)))
        assert about.tweets == (reply, first)
        assert {user.username for user in about.users} == {ACCOUNT_USERNAME, "ada", "Bob"}


async def test_a_retweet_repeats_and_is_made_once(tmp_path: Path) -> None:
    """Of a retweet, the original; and who answers a retweet answers the original."""
    async with platform(tmp_path) as x:
        first = await x.tweet("ada", "hallo", lang="de")
        second = await x.tweet("bob", "ignored", retweet_tweet_id=first.id)
        assert (second.text, second.lang) == ("RT @ada: hallo", "de")
        assert second.references == (Reference(type="retweeted", id=first.id),)
        third = await x.tweet("eve", "ignored", retweet_tweet_id=second.id)
        assert third.references == second.references
        again = await x.ask(TweetAs(username="BOB", text="x", retweet_tweet_id=third.id))
        assert again.kind == "conflict"
        reply = await x.ask(post("hi", in_reply_to_tweet_id=third.id))
        assert reply.references == (Reference(type="replied_to", id=first.id),)
        quote = await x.ask(post("look", quote_tweet_id=second.id))
        assert quote.references == (Reference(type="quoted", id=first.id),)
        both = TweetAs(
            username="bob", text="x", retweet_tweet_id=first.id, in_reply_to_tweet_id=first.id
        )
        assert (await x.ask(both)).field == "retweet_tweet_id"


@pytest.mark.parametrize(
    ("message", "verb"),
    [
        (post("x", in_reply_to_tweet_id="1"), "reply to"),
        (post("x", quote_tweet_id="1"), "quote"),
        (TweetAs(username="ada", text="x", in_reply_to_tweet_id="1"), "reply to"),
        (TweetAs(username="ada", text="x", retweet_tweet_id="1"), "retweet"),
    ],
)
async def test_what_is_not_there_is_not_answered(tmp_path: Path, message: Any, verb: str) -> None:
    """X's sentence; and nobody becomes a user by a tweet that was refused."""
    async with platform(tmp_path) as x:
        said = f"You attempted to {verb} a Tweet that is deleted or not visible to you."
        assert await x.ask(message) == Refusal.conflict(said)
        assert (await x.ask(GetUsers(usernames=("ada",)))).users == ()


async def test_a_text_is_not_repeated_within_a_day(tmp_path: Path) -> None:
    """By one user; another one may say the same, and everybody may a day later."""
    async with platform(tmp_path) as x:
        first, again, other = await x.on.send(post("hi"), post("hi"), post("hi "))
        assert again == DUPLICATE
        assert isinstance(other, XTweet)
        assert isinstance(await x.tweet("ada", "hi"), XTweet)
        assert await x.ask(TweetAs(username="ADA", text="hi")) == DUPLICATE
        assert await x.ask(post("hi", in_reply_to_tweet_id=first.id)) == DUPLICATE
        x.clock.advance(DAY_S - 1)
        assert await x.ask(post("hi")) == DUPLICATE
        x.clock.advance(1.001)
        assert isinstance(await x.ask(post("hi")), XTweet)


async def test_ids_increase_while_the_clock_steps_back(tmp_path: Path) -> None:
    """In one millisecond, and an hour back: the order of ids is the order of tweets."""
    async with platform(tmp_path) as x:
        tweets = await x.on.send(*[post(f"a{number}") for number in range(50)])
        x.clock.advance(-3600.0)
        tweets += await x.on.send(*[post(f"b{number}") for number in range(50)])
        x.clock.advance(7200.0)
        tweets.append(await x.ask(post("c")))
        ids = [int(tweet.id) for tweet in tweets]
        assert ids == sorted(set(ids))
        assert tweets[-1].created_at_us == x.clock.now_us() // 1000 * 1000


async def test_a_request_that_comes_again_tweets_once(tmp_path: Path) -> None:
    """By its key: the same tweet is the answer."""
    async with platform(tmp_path) as x:
        first = await x.ask(post("hi"), key="k")
        assert await x.ask(post("hi"), key="k") == first
