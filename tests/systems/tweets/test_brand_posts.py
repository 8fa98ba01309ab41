"""What people do at X, all the way: long posts, other languages, irony, edits, and bots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.systems.tweets.messages import ListActions, ListFlags, ListTweets
from tests.systems.tweets.brand_monitor import (
    BLAME,
    FACT,
    FOREIGN,
    IRONY,
    PRAISE,
    RANT,
    BrandMonitor,
    brand_monitor,
)

if TYPE_CHECKING:
    from pathlib import Path


async def read(monitor: BrandMonitor) -> list[tuple[Any, str]]:
    """Read the stream to its end, let everything end; return how each tweet sounds, and is."""
    await monitor.follow()
    await monitor.run_out()
    monitor.check()
    return [
        (each.sentiment, each.text) for each in await monitor.all("tweets", ListTweets(limit=9))
    ]


async def actions(monitor: BrandMonitor, service: str) -> list[str]:
    return [each.status for each in await monitor.all(service, ListActions(limit=50))]


async def test_what_x_cuts_is_scored_and_shown_in_full(tmp_path: Path) -> None:
    """A rant at the end of a long post, and the same post repeated by somebody else."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        rant = await monitor.tweet("ann", RANT)
        await monitor.tweet("bob", "-", retweet_tweet_id=rant.id)
        texts = [RANT, f"RT @ann: {RANT}"]
        assert await read(monitor) == [("negative", text) for text in texts]
        flags = await monitor.all("flagger", ListFlags(limit=9))
        assert {flag.text for flag in flags} == {*texts}
        assert await actions(monitor, "responder") == ["done"]


async def test_what_a_quote_quotes_is_not_its_authors(tmp_path: Path) -> None:
    """It is scored by its own words."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        blame = await monitor.tweet("ann", BLAME)
        await monitor.tweet("bob", FACT, quote_tweet_id=blame.id)
        assert await read(monitor) == [("negative", BLAME), ("neutral", FACT)]


@pytest.mark.parametrize("lang", ["de", "und", "zxx", "qme", "fr"])
async def test_what_is_not_english_is_unknown(tmp_path: Path, lang: str) -> None:
    """Neither liked nor flagged, whatever its words are in English; a person can list it."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        await monitor.tweet("ann", FOREIGN, lang=lang)
        await monitor.tweet("bob", PRAISE, lang=lang)
        assert await read(monitor) == [("unknown", FOREIGN), ("unknown", PRAISE)]
        page = await monitor.ask("tweets", ListTweets(limit=9, sentiment="unknown"))
        assert [(each.score, each.lang) for each in page.items] == [(None, lang)] * 2
        assert await monitor.all("flagger", ListFlags(limit=9)) == []
        assert await actions(monitor, "favouriter") == []
        assert await actions(monitor, "responder") == ["done"] * 2


async def test_what_names_a_failure_is_not_liked(tmp_path: Path) -> None:
    """However much praise there is; the books say why."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        await monitor.tweet("ann", IRONY)
        assert await read(monitor) == [("positive", IRONY)]
        (like,) = await monitor.all("favouriter", ListActions(limit=9))
        assert (like.status, like.detail) == (
            "withheld",
            "it names a failure: down (tweets.like_never)",
        )


@pytest.mark.parametrize("field", ["in_reply_to_tweet_id", "quote_tweet_id"])
async def test_a_bot_that_answers_our_answers_gets_one(tmp_path: Path, field: str) -> None:
    """It got twenty-five of twenty-five. What it is not answered is on record, each."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        await monitor.tweet("bot", f"{FACT} 0")
        for number in range(1, 6):
            await read(monitor)
            ours = monitor.x.posted[-1]
            await monitor.tweet("bot", f"{FACT} {number}", **{field: ours})
        await read(monitor)
        replies = await monitor.all("responder", ListActions(limit=50))
        assert [each.status for each in replies] == ["done", *["withheld"] * 5]
        assert {each.detail for each in replies[1:]} == {
            "it answers an answer of ours (tweets.replies_to_replies)"
        }


async def test_two_monitors_that_answer_each_other_come_to_an_end(tmp_path: Path) -> None:
    """The other one's answers have the keyword, and a mention of us, as ours have of it."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        human = await monitor.tweet("ann", FACT)
        await monitor.tweet("other", "@ann thanks 0, tutorialedge", in_reply_to_tweet_id=human.id)
        seen: set[str] = set()
        for _ in range(10):
            await read(monitor)
            for ours in [each for each in monitor.x.posted if each not in seen]:
                seen.add(ours)
                text = f"@dressrehearsal thanks {ours}, tutorialedge"
                await monitor.tweet("other", text, in_reply_to_tweet_id=ours)
        assert len(seen) == 2
        assert (await actions(monitor, "responder")).count("done") == 2


async def test_an_edited_post_is_one_tweet(tmp_path: Path) -> None:
    """In its newest version, scored anew, the flag with it; answered and liked once in all."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        tweet = await monitor.tweet("ann", BLAME)
        assert await read(monitor) == [("negative", BLAME)]
        for text, sentiment in (
            (PRAISE, "positive"),
            (f"{PRAISE} 2", "positive"),
            (FACT, "neutral"),
        ):
            await monitor.tweet("ann", text, edits=tweet.id)
            assert await read(monitor) == [(sentiment, text)]
        (flag,) = await monitor.all("flagger", ListFlags(limit=9))
        assert (flag.status, flag.text, flag.score) == ("open", FACT, 0.0)
        assert await actions(monitor, "responder") == ["done"]
        assert await actions(monitor, "favouriter") == ["done"]


async def test_an_edit_that_is_read_at_once_is_answered_once(tmp_path: Path) -> None:
    """All versions stand in the stream before the first is read; then all of it comes again."""
    async with brand_monitor(tmp_path) as monitor:
        await monitor.add_rule()
        tweet = await monitor.tweet("ann", PRAISE)
        for number in range(5):
            await monitor.tweet("ann", f"{BLAME} {number}", edits=tweet.id)
        for _ in range(2):
            assert await read(monitor) == [("negative", f"{BLAME} 4")]
        assert await actions(monitor, "responder") == ["done"]
        assert len(await monitor.all("flagger", ListFlags(limit=9))) == 1
