"""Scores: each tweet has one, sooner or later, and everybody hears of it once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from actors.config import load_config
from actors.errors import MailboxFull
from actors.kernel.messages import EffectOutcome
from actors.service.bound_effect import bound_effects
from actors.systems.tweets.config import TweetsConfig
from actors.systems.tweets.flagger import FlaggerService
from actors.systems.tweets.messages import (
    GetTweet,
    ScoreTweet,
    StoreTweet,
    StoreXTweet,
    TweetScored,
    XDetails,
)
from actors.systems.tweets.tweets import BACKLOG_BATCH, FindBacklog, ScoreBacklog, TweetsService
from tests.systems.stage import Stage, stage
from tests.systems.tweets.scored import Scorer, score_of

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

DETAILS = XDetails(author_id="42", kind="quote", lang="en", posted_at_us=7)


def tweeting(folder: Path, scorer: Scorer | None = None) -> AbstractAsyncContextManager[Stage]:
    service = TweetsService(TweetsConfig(), (scorer or Scorer()).ask)
    return stage(service, folder, name="tweets", others={"flagger": FlaggerService})


async def test_a_tweet_is_scored_once_and_that_is_published_once(tmp_path: Path) -> None:
    """The event says all there is to know of the tweet; a second score changes nothing."""
    async with tweeting(tmp_path, Scorer(awful=-0.6)) as on:
        wish = StoreXTweet(external_id="1", author="ada", text="awful", x=DETAILS)
        tweet = (await on.ask(wish)).tweet
        ((_, effect),) = on.timers
        outcome = await on.run_effect(effect)
        assert outcome == EffectOutcome(command=effect, value=-0.6)
        await on.send(outcome, score_of(tweet.id, 0.9))
        event = TweetScored(
            tweet_id=tweet.id,
            author="ada",
            text="awful",
            external_id="1",
            x=DETAILS,
            score=-0.6,
            sentiment="negative",
        )
        assert on.sent == [("flagger", event)]
        await on.ask(score_of(tweet.id, 0.9))
        assert on.sent == []
        stands = await on.ask(GetTweet(tweet_id=tweet.id))
        assert (stands.score, stands.sentiment) == (-0.6, "negative")
        again = await on.ask(wish)
        assert (again.created, again.tweet) == (False, stands)


async def test_a_tweet_from_elsewhere_says_so(tmp_path: Path) -> None:
    """It has nothing of X's, and may have no id there."""
    async with tweeting(tmp_path) as on:
        tweet = (await on.ask(StoreTweet(author="ada", text="x"))).tweet
        await on.ask(score_of(tweet.id, 0.0))
        ((_, event),) = on.sent
        assert (event.x, event.external_id, event.sentiment) == (None, None, "neutral")


@pytest.mark.parametrize(
    ("score", "sentiment"),
    [
        (-1.0, "negative"),
        (-0.05, "negative"),
        (-0.0499, "neutral"),
        (0.0, "neutral"),
        (0.0499, "neutral"),
        (0.05, "positive"),
        (1.0, "positive"),
    ],
)
async def test_the_bounds_are_vaders_own(tmp_path: Path, score: float, sentiment: str) -> None:
    """At the bound counts as beyond it."""
    async with tweeting(tmp_path) as on:
        tweet = (await on.ask(StoreTweet(author="ada", text="x"))).tweet
        await on.ask(score_of(tweet.id, score))
        assert (await on.ask(GetTweet(tweet_id=tweet.id))).sentiment == sentiment


def test_a_score_that_nobody_gives_is_asked_for_again() -> None:
    """However often all attempts have failed: no tweet stays without."""
    service = TweetsService(TweetsConfig(retry_s=7.0), Scorer().ask)
    assert bound_effects("tweets", service, load_config())[ScoreTweet].again_s == 7.0


async def test_an_error_of_the_replicas_is_a_failed_attempt(tmp_path: Path) -> None:
    """It is not taken for a score."""
    scorer = Scorer()
    scorer.error = MailboxFull("full", retry_after_s=1.0)
    async with tweeting(tmp_path, scorer) as on:
        with pytest.raises(MailboxFull):
            await on.run_effect(ScoreTweet(tweet_id="t", text="x"))


# --- Files that are older than scores ----------------------------------------------------------


class TweetsBefore(TweetsService):
    """As it was before there were scores."""


@pytest.mark.parametrize("count", [0, 1, BACKLOG_BATCH, BACKLOG_BATCH + 1])
async def test_tweets_of_an_older_file_are_scored_too(tmp_path: Path, count: int) -> None:
    """The file is brought up to date, and each old tweet's score asked for once."""
    old = tmp_path / "schema"
    old.mkdir()
    shutil.copy(TweetsService.schema / "0001_tweet.sql", old)
    TweetsBefore.schema = old
    before = TweetsBefore(TweetsConfig(), Scorer().ask)
    async with stage(before, tmp_path, name="tweets") as on:
        for number in range(count):
            on.execute(
                "INSERT INTO tweet (id, author, text, external_id) VALUES (?, 'ada', ?, ?)",
                *(f"t{number}", f"text {number}", f"x{number}"),
            )
    async with tweeting(tmp_path) as on:
        asked = []
        while await on.ask(FindBacklog()):
            await on.ask(ScoreBacklog())
            assert len(on.timers) <= BACKLOG_BATCH
            asked += [message for _, message in on.timers]
        assert asked == [
            ScoreTweet(tweet_id=f"t{number}", text=f"text {number}") for number in range(count)
        ]
        for effect in asked:
            await on.ask(await on.run_effect(effect))
        assert on.rows("SELECT * FROM tweet WHERE score IS NULL OR sentiment IS NULL") == []
        assert on.rows("SELECT x_author_id FROM tweet WHERE x_author_id IS NOT NULL") == []
        await on.ask(StoreTweet(author="ada", text="new"))
        assert not await on.ask(FindBacklog())


async def test_the_backlog_is_worked_off_at_the_start_and_waits_where_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full mailbox is no crash: the old tweets have waited for long."""
    config = TweetsConfig(retry_s=0.001)
    service = TweetsService(config, Scorer().ask)
    answers = [True, MailboxFull("full", retry_after_s=1.0), True, None, True, None, False]
    asked = []

    async def ask(message: object) -> object:
        asked.append(type(message))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    service.ask = ask
    await service.run()
    assert answers == []
    find, score = FindBacklog, ScoreBacklog
    assert asked == [find, score, find, score, find, score, find]
