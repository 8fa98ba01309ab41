"""The brand monitor as a whole: every tweet goes all its ways, once, whoever is down meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors.service.stateless.inline_runner import InlineRunner
from actors.service.stateless.thread_runner import ThreadRunner
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.inline_store import InlineStore
from actors.systems.tweets.messages import ListActions, ListFlags, ListTweets, StoreTweet
from actors.systems.x_platform.messages import ACCOUNT_USERNAME
from tests.systems.tweets.brand_monitor import BLAME, FACT, PRAISE, BrandMonitor, brand_monitor
from tests.systems.tweets.faulty_x import FAULTS

if TYPE_CHECKING:
    from pathlib import Path

on_both = pytest.mark.parametrize(
    "parts",
    [
        {"store": InlineStore, "runner": InlineRunner},
        {"store": AiosqliteStore, "runner": ThreadRunner},
    ],
    ids=["inline", "threads"],
)


async def statuses(monitor: BrandMonitor, service: str) -> list[str]:
    return [each.status for each in await monitor.all(service, ListActions(limit=2))]


async def has_given_up(monitor: BrandMonitor, service: str) -> bool:
    """Whether all that the service has to do outside is put off until later."""
    (stats,) = [each for each in await monitor.system.timers() if each.service == service]
    return bool(stats.pending) and not stats.due and not stats.effects_running


@on_both
async def test_what_is_tweeted_is_scored_flagged_liked_and_answered(
    tmp_path: Path, parts: dict[str, Any]
) -> None:
    """And what is not about us is not seen; what comes by the API is scored and flagged alone."""
    async with brand_monitor(tmp_path, **parts) as monitor:
        await monitor.add_rule()
        praise = await monitor.tweet("ann", PRAISE)
        await monitor.tweet("bob", BLAME)
        await monitor.tweet("cyd", FACT)
        await monitor.tweet("dee", "nobody here speaks of it")
        await monitor.follow()
        await monitor.ask("tweets", StoreTweet(author="fay", text=BLAME))
        await monitor.ask("tweets", StoreTweet(author="gil", text=PRAISE))
        await monitor.settle()
        tweets = await monitor.all("tweets", ListTweets(limit=2))
        sentiments = sorted((tweet.author, tweet.sentiment) for tweet in tweets)
        assert sentiments == [
            ("ann", "positive"),
            ("bob", "negative"),
            ("cyd", "neutral"),
            ("fay", "negative"),
            ("gil", "positive"),
        ]
        flags = await monitor.all("flagger", ListFlags(limit=1))
        assert sorted(flag.author for flag in flags) == ["bob", "fay"]
        (like,) = await monitor.all("favouriter", ListActions(limit=2))
        assert (like.external_id, like.status) == (praise.id, "done")
        replies = await monitor.all("responder", ListActions(limit=2))
        assert [reply.status for reply in replies] == ["done"] * 3
        monitor.check()


async def test_retweets_and_our_own_tweets_are_left_alone(tmp_path: Path) -> None:
    """A retweet and an answer of ours stand in the stream as well: they are stored, and no more."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        praise = await monitor.tweet("ann", PRAISE)
        await monitor.tweet("bob", "tutorialedge", retweet_tweet_id=praise.id)
        await monitor.tweet(ACCOUNT_USERNAME, f"we at tutorialedge: {PRAISE}")
        await monitor.follow()
        await monitor.settle()
        assert len(await monitor.all("tweets", ListTweets(limit=9))) == 3
        assert await statuses(monitor, "favouriter") == ["done"]
        assert await statuses(monitor, "responder") == ["done"]
        monitor.check()


async def test_without_leave_to_write_nothing_is_sent(tmp_path: Path) -> None:
    """It is noted what would be."""
    async with brand_monitor(tmp_path, writes=False) as monitor:
        await monitor.add_rule()
        await monitor.tweet("ann", PRAISE)
        await monitor.follow()
        await monitor.settle()
        assert await statuses(monitor, "favouriter") == ["dry_run"]
        assert await statuses(monitor, "responder") == ["dry_run"]
        monitor.check()


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_bad_answer_of_x_changes_nothing(tmp_path: Path, fault: Any) -> None:
    """Nor do so many that an effect gives up for a while."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        await monitor.tweet("ann", PRAISE)
        for count in (1, 7):
            monitor.x.faults.extend([fault] * 2 * count)
            await monitor.tweet("ann", f"{PRAISE} {count}")
            await monitor.follow()
            await monitor.run_out()
        assert not monitor.x.faults
        assert await statuses(monitor, "favouriter") == ["done"] * 3
        assert await statuses(monitor, "responder") == ["done"] * 3
        monitor.check()


async def test_who_has_blocked_us_is_left_in_peace(tmp_path: Path) -> None:
    """Refused is refused."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        tweet = await monitor.tweet("ann", PRAISE)
        monitor.x.blocks = {tweet.id}.__contains__
        await monitor.follow()
        await monitor.run_out()
        assert await statuses(monitor, "favouriter") == ["refused"]
        assert await statuses(monitor, "responder") == ["refused"]
        monitor.check()


@on_both
async def test_tweets_wait_for_a_scorer(tmp_path: Path, parts: dict[str, Any]) -> None:
    """While no replica answers, for longer than an effect tries; then all are scored."""
    times = {"effect_s_max": 0.03, "backoff_s_min": 0.0, "backoff_s_max": 0.002}
    async with brand_monitor(tmp_path, effect=times, **parts) as monitor:
        for replica in ("sentiment-1", "sentiment-2"):
            monitor.system.suspend(replica)
        await monitor.ask("tweets", StoreTweet(author="ann", text=BLAME))
        async with asyncio.timeout(100.0):
            while not await has_given_up(monitor, "tweets"):
                monitor.clock.advance(0.01)
                await asyncio.sleep(0.002)
        for replica in ("sentiment-1", "sentiment-2"):
            monitor.system.resume(replica)
        await monitor.run_out()
        (tweet,) = await monitor.all("tweets", ListTweets(limit=2))
        assert tweet.sentiment == "negative"
        monitor.check()


@on_both
async def test_a_dead_replica_is_not_missed(tmp_path: Path, parts: dict[str, Any]) -> None:
    """One of two scores what both would."""
    async with brand_monitor(tmp_path, **parts) as monitor:
        for number in range(20):
            await monitor.ask("tweets", StoreTweet(author="ann", text=f"{BLAME} {number}"))
            monitor.system.kill(f"sentiment-{1 + number % 2}")
        await monitor.settle()
        tweets = await monitor.all("tweets", ListTweets(limit=20))
        assert {tweet.sentiment for tweet in tweets} == {"negative"}
        monitor.check()
