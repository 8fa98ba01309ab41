"""Tweets: stored once each, found, and listed in the order they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.kernel.messages import Refusal
from actors.systems.tweets.messages import GetTweet, ListTweets, StoreTweet, Tweet, TweetStored
from actors.systems.tweets.tweets import TweetsService
from tests.systems.stage import Stage, stage

if TYPE_CHECKING:
    from pathlib import Path


async def store(on: Stage, *authors: str) -> list[Tweet]:
    messages = [
        StoreTweet(author=author, text=f"tweet {number}") for number, author in enumerate(authors)
    ]
    return [stored.tweet for stored in await on.send(*messages)]


@pytest.mark.parametrize("text", ["x", "naïve \U0001f600", "a\0b", "' OR 1=1; --", "é" * 10_000])
async def test_stored_tweet_is_found_by_its_id(tmp_path: Path, text: str) -> None:
    """Every text comes back as it was sent."""
    async with stage(TweetsService(), tmp_path) as on:
        stored = await on.ask(StoreTweet(author="ada", text=text))
        assert stored.created
        assert stored.tweet == Tweet(id=stored.tweet.id, author="ada", text=text, external_id=None)
        assert await on.ask(GetTweet(tweet_id=stored.tweet.id)) == stored.tweet


async def test_unknown_tweet_is_not_found(tmp_path: Path) -> None:
    """The refusal repeats the id."""
    async with stage(TweetsService(), tmp_path) as on:
        reply = await on.ask(GetTweet(tweet_id="nowhere"))
        assert reply == Refusal.not_found("there is no tweet nowhere")


@pytest.mark.parametrize("apart", [False, True])
async def test_external_id_is_stored_once(tmp_path: Path, *, apart: bool) -> None:
    """The second tweet with it changes nothing, and is answered with the one that stands."""
    async with stage(TweetsService(), tmp_path) as on:
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


async def test_tweets_without_an_external_id_are_never_the_same(tmp_path: Path) -> None:
    """Two equal texts are two tweets, unless they are one request sent twice."""
    async with stage(TweetsService(), tmp_path) as on:
        message = StoreTweet(author="ada", text="again")
        first, second = await on.send(message, message)
        assert first.tweet.id != second.tweet.id
        third = await on.ask(message, key="k")
        assert await on.ask(message, key="k") == third
        assert len((await on.pages(ListTweets(limit=10)))[0]) == 3


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 100])
async def test_list_shows_each_once_in_order_of_arrival(tmp_path: Path, limit: int) -> None:
    """All of them, or those of one author; pages are full but for the last."""
    async with stage(TweetsService(), tmp_path) as on:
        stored = await store(on, "a", "b", "a", "c", "a", "b")
        for author, expected in {
            None: stored,
            "a": [tweet for tweet in stored if tweet.author == "a"],
            "none such": [],
        }.items():
            pages = await on.pages(ListTweets(limit=limit, author=author))
            assert [tweet for page in pages for tweet in page] == expected
            assert {len(page) for page in pages[:-1]} <= {limit}


async def test_cursor_holds_while_tweets_come(tmp_path: Path) -> None:
    """What arrives between two pages appears at the end, and shifts nothing."""
    async with stage(TweetsService(), tmp_path) as on:
        first = await store(on, *"aaa")
        page = await on.ask(ListTweets(limit=2))
        late = await store(on, *"aa")
        rest = await on.pages(ListTweets(limit=2, after=int(page.next)))
        assert page.items + [tweet for items in rest for tweet in items] == first + late
