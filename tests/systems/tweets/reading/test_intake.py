"""What the reader has in hand: how far it has read, and what is news."""

from __future__ import annotations

import asyncio

from actors.errors import DeadLettered
from actors.systems.tweets.reading.intake import Intake
from actors.systems.tweets.reading.reader_messages import TweetRead
from actors.systems.tweets.reading.stream_line import parse_line
from tests.systems.tweets.rough_x import tweet_line

AT_US = 1_700_000_000_000_000  # when tweet_line's tweets were made


async def test_a_tweet_of_others_moves_the_place_but_not_past_what_is_not_committed() -> None:
    """Else a crash would leave behind it what was in hand."""
    may_commit = asyncio.Event()

    async def commit(tweet: TweetRead) -> bool:
        del tweet
        return await may_commit.wait()

    intake = Intake(commit, window=2)
    intake.begin()
    intake.pass_over(AT_US - 9)
    assert intake.progress().read_to_us == AT_US - 9
    tweet = parse_line(tweet_line(1))
    assert isinstance(tweet, TweetRead)
    await intake.take(tweet)
    intake.pass_over(AT_US + 1)
    intake.pass_over(AT_US + 2)
    assert intake.progress().read_to_us is None
    may_commit.set()
    await intake.settle()
    assert intake.progress().read_to_us == AT_US + 2
    assert intake.idle


async def test_a_tweet_that_is_a_dead_letter_is_not_brought_again() -> None:
    """Not by this connection, which was told of it, nor where it has just become one."""
    brought = []

    async def commit(tweet: TweetRead) -> bool:
        brought.append(tweet.external_id)
        raise DeadLettered("poison", letter_id="1")

    intake = Intake(commit, window=2)
    intake.begin()
    first, second = (parse_line(tweet_line(number)) for number in (1, 2))
    assert isinstance(first, TweetRead)
    assert isinstance(second, TweetRead)
    intake.bury(frozenset({first.external_id}))
    for tweet in (first, second):
        await intake.take(tweet)
        await intake.settle()
        await intake.take(tweet)
    await intake.settle()
    assert brought == [second.external_id]
    assert not intake.failed.done()


async def test_a_tweet_of_others_is_news_once() -> None:
    """A backfill brings it again, and a connection that brings no more is a failed one."""

    async def commit(tweet: TweetRead) -> bool:
        raise AssertionError(tweet)

    intake = Intake(commit, window=2)
    for at_us, is_news in ((AT_US, True), (AT_US, False), (AT_US + 1, True)):
        intake.begin()
        intake.pass_over(at_us)
        assert intake.has_news is is_news
