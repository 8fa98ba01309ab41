"""Tweets: stored once each, found, and listed in the order they arrived."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, get_args

import pytest

from actors.kernel.messages import Refusal
from actors.systems.tweets.config import TweetsConfig
from actors.systems.tweets.messages import (
    GetTweet,
    ListTweets,
    ScoreTweet,
    Sentiment,
    StoreTweet,
    StoreXTweet,
    Tweet,
    TweetStored,
    XDetails,
)
from actors.systems.tweets.tweets import TweetsService
from tests.systems.stage import Stage, stage
from tests.systems.tweets.scored import Scorer, score_of

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

SCORES = {"negative": -0.5, "neutral": 0.0, "positive": 0.5}


def tweeting(folder: Path) -> AbstractAsyncContextManager[Stage]:
    return stage(TweetsService(TweetsConfig(), Scorer().ask), folder, name="tweets")


async def store(on: Stage, *authors: str) -> list[Tweet]:
    messages = [
        StoreTweet(author=author, text=f"tweet {number}") for number, author in enumerate(authors)
    ]
    return [stored.tweet for stored in await on.send(*messages)]


def from_x(external_id: str, text: str = "x") -> StoreXTweet:
    details = XDetails(author_id="42", kind="reply", lang="en", posted_at_us=7)
    return StoreXTweet(external_id=external_id, author="ada", text=text, x=details)


@pytest.mark.parametrize("text", ["x", "naïve \U0001f600", "a\0b", "' OR 1=1; --", "é" * 10_000])
async def test_stored_tweet_is_found_by_its_id(tmp_path: Path, text: str) -> None:
    """Every text comes back as it was sent; how it sounds is not known yet."""
    async with tweeting(tmp_path) as on:
        stored = await on.ask(StoreTweet(author="ada", text=text))
        assert stored.created
        assert stored.tweet == Tweet(id=stored.tweet.id, author="ada", text=text, external_id=None)
        assert (stored.tweet.sentiment, stored.tweet.score) == (None, None)
        assert on.timers == [(0.0, ScoreTweet(tweet_id=stored.tweet.id, text=text))]
        assert await on.ask(GetTweet(tweet_id=stored.tweet.id)) == stored.tweet


async def test_unknown_tweet_is_not_found(tmp_path: Path) -> None:
    """The refusal repeats the id."""
    async with tweeting(tmp_path) as on:
        reply = await on.ask(GetTweet(tweet_id="nowhere"))
        assert reply == Refusal.not_found("there is no tweet nowhere")


@pytest.mark.parametrize("apart", [False, True])
async def test_external_id_is_stored_once(tmp_path: Path, *, apart: bool) -> None:
    """The second tweet with it changes nothing, and is answered with the one that stands."""
    async with tweeting(tmp_path) as on:
        messages = [
            StoreTweet(author="ada", text="first", external_id="x1"),
            StoreTweet(author="bob", text="second", external_id="x1"),
            StoreTweet(author="bob", text="other", external_id="x2"),
        ]
        if apart:
            first, again, other = [await on.ask(message) for message in messages]
        else:
            first, again, other = await on.send(*messages)
        assert first.created
        assert again == TweetStored(tweet=first.tweet, created=False)
        assert other.created
        (page,) = await on.pages(ListTweets(limit=10))
        assert page == [first.tweet, other.tweet]


async def test_a_tweet_from_x_is_stored_once_whoever_tells_of_it(tmp_path: Path) -> None:
    """The reader may repeat itself, or come behind a client of the API: one tweet, scored once."""
    async with tweeting(tmp_path) as on:
        first, again = await on.send(from_x("1"), from_x("1", "other"))
        assert (first.created, again.created) == (True, False)
        assert again.tweet == first.tweet
        assert on.timers == [(0.0, ScoreTweet(tweet_id=first.tweet.id, text="x"))]
        by_api = await on.ask(StoreTweet(author="bob", text="y", external_id="2"))
        assert await on.ask(from_x("2")) == TweetStored(tweet=by_api.tweet, created=False)
        assert on.timers == []
        row, other = on.rows("SELECT * FROM tweet ORDER BY seq")
        details = {"author_id": "42", "kind": "reply", "lang": "en", "posted_at_us": 7}
        columns = {name: name if name == "lang" else f"x_{name}" for name in details}
        assert {name: row[column] for name, column in columns.items()} == details
        assert {other[column] for column in columns.values()} == {None}


async def test_tweets_without_an_external_id_are_never_the_same(tmp_path: Path) -> None:
    """Two equal texts are two tweets, unless they are one request sent twice."""
    async with tweeting(tmp_path) as on:
        message = StoreTweet(author="ada", text="again")
        first, second = await on.send(message, message)
        assert first.tweet.id != second.tweet.id
        third = await on.ask(message, key="k")
        assert await on.ask(message, key="k") == third
        assert len((await on.pages(ListTweets(limit=10)))[0]) == 3


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 100])
async def test_list_shows_each_once_in_order_of_arrival(tmp_path: Path, limit: int) -> None:
    """All of them, or those of an author, of a sentiment, of both; only the last page is short."""
    async with tweeting(tmp_path) as on:
        stored = await store(on, *"abacabbacaab")
        sounds = ["negative", "positive", "neutral", "negative", "negative"]
        for tweet, sentiment in zip(stored, sounds, strict=False):
            await on.ask(score_of(tweet.id, SCORES[sentiment]))
        (stored,) = await on.pages(ListTweets(limit=100))
        sentiments = (None, *get_args(Sentiment))
        for author, sentiment in product((None, "a", "none such"), sentiments):
            question = ListTweets(limit=limit, author=author, sentiment=sentiment)
            pages = await on.pages(question)
            assert [tweet for page in pages for tweet in page] == [
                tweet
                for tweet in stored
                if author in {None, tweet.author} and sentiment in {None, tweet.sentiment}
            ]
            assert {len(page) for page in pages[:-1]} <= {limit}


async def test_cursor_holds_while_tweets_come(tmp_path: Path) -> None:
    """What arrives between two pages appears at the end, and shifts nothing."""
    async with tweeting(tmp_path) as on:
        first = await store(on, *"aaa")
        page = await on.ask(ListTweets(limit=2))
        late = await store(on, *"aa")
        rest = await on.pages(ListTweets(limit=2, after=int(page.next)))
        assert page.items + [tweet for items in rest for tweet in items] == first + late


async def test_an_author_is_found_in_any_case(tmp_path: Path) -> None:
    """As X's usernames are; each tweet keeps the case that it came in."""
    async with tweeting(tmp_path) as on:
        made = await store(on, "grace", "Grace", "gracie", "GRACE")
        for author in ("grace", "Grace", "gRACE"):
            found = (await on.ask(ListTweets(limit=10, author=author))).items
            assert found == [made[0], made[1], made[3]]
            assert (
                await on.ask(ListTweets(limit=9, author=author, sentiment="positive"))
            ).items == []
