"""The embedded authors: of many moods and kinds, about what they should be, never the same."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from actors.kernel.rng import Rng
from actors.systems.tweets.config import TweetsConfig
from actors.systems.x_platform import entities
from actors.systems.x_platform.authors.people import PEOPLE
from actors.systems.x_platform.authors.phrases import ANGRY, DELIGHTED, FILLERS, SUBJECTS
from actors.systems.x_platform.config import XPlatformConfig
from actors.systems.x_platform.language import LANGUAGES
from actors.systems.x_platform.messages import (
    ACCOUNT_ID,
    ComposeTweet,
    GetTweets,
    PostTweet,
    Things,
    XTweet,
)
from tests.systems.x_platform.platform_stage import platform

if TYPE_CHECKING:
    from pathlib import Path

    from tests.systems.x_platform.platform_stage import Platform

BATCH = 100


async def compose(x: Platform, count: int) -> list[XTweet]:
    """Let the authors tweet so often, over some minutes."""
    tweets: list[XTweet] = []
    for _ in range(count // BATCH):
        tweets += await x.on.send(*[ComposeTweet()] * BATCH)
        x.clock.advance(1.0)
    assert all(isinstance(tweet, XTweet) for tweet in tweets)
    return tweets


def kinds(tweet: XTweet) -> str:
    return "+".join(reference.type for reference in tweet.references) or "original"


async def test_all_kinds_of_tweets_are_made(tmp_path: Path) -> None:
    """Replies, retweets, quotes; languages, emoji, links, pictures, hashtags, mentions."""
    async with platform(tmp_path, keyword_share=0.5) as x:
        tweets = await compose(x, 1500)
        counts = Counter(map(kinds, tweets))
        assert set(counts) == {"original", "replied_to", "retweeted", "quoted"}
        assert min(counts.values()) > 50
        languages = Counter(tweet.lang for tweet in tweets)
        assert set(languages) <= LANGUAGES
        assert len(languages) > 5
        assert languages["en"] > 1000
        texts = [tweet.text for tweet in tweets]
        links = [link for text in texts for link in entities.links(text)]
        assert any(map(entities.is_picture, links))
        assert any(link.startswith("https://example.com/") for link in links)
        assert any(map(entities.hashtags, texts))
        assert any(map(entities.mentions, texts))
        assert any("\U0001f60d" in text for text in texts)
        # Some are longer than what X shows of them.
        assert 280 < max(map(len, texts)) <= 500
        assert any("<3" in text and "&" in text for text in texts)


async def test_authors_are_so_many_that_each_can_be_answered(tmp_path: Path) -> None:
    """An hour at the shipped pace: hardly anybody is heard more often than one is answered."""
    config = XPlatformConfig()
    count = int(config.tweets_per_s * config.keyword_share * 3_600)
    assert len({username.lower() for username, _ in PEOPLE}) == len(PEOPLE)
    assert max(len(username) for username, _ in PEOPLE) <= 15  # X's bound
    rng = Rng(1)
    heard = Counter(rng.choice(PEOPLE) for _ in range(count))
    most = TweetsConfig().replies_author_hour_max
    assert sum(max(0, each - most) for each in heard.values()) < count / 100
    async with platform(tmp_path, keyword_share=1.0) as x:
        tweets = await compose(x, 500)
        assert len({tweet.author_id for tweet in tweets}) > 300


async def test_nobody_says_the_same_twice_within_a_day(tmp_path: Path) -> None:
    """However many tweets; retweets repeat others, each once."""
    async with platform(tmp_path, keyword_share=1.0) as x:
        tweets = await compose(x, 3000)
        said = Counter((tweet.author_id, tweet.text) for tweet in tweets)
        assert said.most_common(1)[0][1] == 1


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
async def test_the_share_of_the_keyword_is_kept(tmp_path: Path, share: float) -> None:
    """Over what its rule matches, quotes included."""
    async with platform(tmp_path, keyword_share=share) as x:
        await x.add("tutorialedge")
        tweets = await compose(x, 1000)
        assert len(await x.matches()) == pytest.approx(share * len(tweets), abs=70)


@pytest.mark.parametrize(
    "keywords", [(), ("c++",), ("#tag",), ("@ada",), ("日本",), ("a{b}c", "x_y")]
)
async def test_any_keyword_of_the_configuration_is_written(
    tmp_path: Path, keywords: tuple[str, ...]
) -> None:
    """Or none at all, where there is none."""
    async with platform(tmp_path, keywords=keywords, keyword_share=1.0) as x:
        tweets = await compose(x, 200)
        about = [
            any(each.casefold() in tweet.text.casefold() for each in keywords) for tweet in tweets
        ]
        assert all(about) if keywords else not any(about)


async def test_authors_answer_each_other_and_not_the_account(tmp_path: Path) -> None:
    """Else they and the brand monitor would answer each other for ever."""
    async with platform(tmp_path, keyword_share=1.0) as x:
        for number in range(50):
            text = f"tutorialedge {number}"
            await x.ask(PostTweet(author_id=ACCOUNT_ID, text=text))
        tweets = await compose(x, 500)
        assert {"replied_to", "retweeted"} <= set(map(kinds, tweets))
        for tweet in tweets:
            for reference in tweet.references:
                about = await x.ask(GetTweets(ids=(reference.id,)))
                assert isinstance(about, Things)
                assert about.tweets[0].author_id not in {ACCOUNT_ID, tweet.author_id}
                reply_to = about.tweets[0].author_id if kinds(tweet) == "replied_to" else None
                assert tweet.in_reply_to_user_id == reply_to


async def test_the_same_seed_writes_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All chance is the transaction's."""
    runs = []
    for _ in range(2):
        async with platform(tmp_path_factory.mktemp("seeded")) as x:
            runs.append(await compose(x, 300))
    assert runs[0] == runs[1]


def test_vader_hears_the_delighted_and_the_angry(rng: Rng) -> None:
    """Above 0.8 and below -0.5, about whatever, with whatever fills the gaps."""
    analyzer = SentimentIntensityAnalyzer()
    scores: dict[bool, list[tuple[float, str]]] = defaultdict(list)
    for template, subject in itertools.product(
        (*DELIGHTED, *ANGRY), (*SUBJECTS, "tutorialedge", "TUTORIALEDGE", "#tutorialedge")
    ):
        for _ in range(20):
            fillers = {name: rng.choice(values) for name, values in FILLERS.items()}
            link = "https://example.com/0a1b2c3d4e"
            text = template.format(it=subject, number=7, link=link, media=link, **fillers)
            compound = analyzer.polarity_scores(text)["compound"]
            scores[template in DELIGHTED].append((compound, text))
    assert min(scores[True])[0] > 0.8, min(scores[True])
    assert max(scores[False])[0] < -0.5, max(scores[False])
