"""Tweets as the tweets service publishes them, and a sentiment that says what it is told to."""

from __future__ import annotations

from typing import Any

from actors.kernel.messages import EffectOutcome
from actors.systems.tweets.messages import (
    Score,
    ScoreTexts,
    ScoreTweet,
    Sentiment,
    TweetScored,
    XDetails,
)

OURSELVES = "1500000000000000001"


def scored(
    number: int = 1,
    score: float = 0.0,
    *,
    kind: Any = "original",
    author_id: str = "42",
    from_x: bool = True,
    text: str = "tutorialedge",
    version: str | None = None,
    is_unknown: bool = False,
    **about: Any,
) -> TweetScored:
    """Return what is published of tweet `number`, whose id at X is `1900…` and that number.

    `about` is what else X tells of it.
    """
    details = XDetails(author_id=author_id, kind=kind, lang="en", posted_at_us=1, **about)
    sentiment: Sentiment = "neutral"
    if abs(score) >= 0.05:
        sentiment = "positive" if score > 0 else "negative"
    return TweetScored(
        tweet_id=f"t{number}",
        author="ada",
        text=text,
        external_id=x_id(number) if from_x else None,
        x=details if from_x else None,
        score=None if is_unknown else score,
        sentiment="unknown" if is_unknown else sentiment,
        version_id=version,
    )


def score_of(tweet_id: str, score: float, version_id: str | None = None) -> Any:
    """Return what the tweets service is told of a score."""
    command = ScoreTweet(tweet_id=tweet_id, text="any", version_id=version_id)
    return EffectOutcome(command=command, value=score)


def x_id(number: int) -> str:
    return str(1_900_000_000_000_000_000 + number)


class Scorer:
    """Stands for the replicas of sentiment: each text has the score that is noted for it, or 0."""

    def __init__(self, **scores: float) -> None:
        self.scores = scores
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def ask(self, service: str, message: Any) -> Any:
        assert service == "sentiment"
        assert isinstance(message, ScoreTexts)
        self.asked += message.texts
        if self.error is not None:
            raise self.error
        found = [self.scores.get(text, 0.0) for text in message.texts]
        return [Score(compound=compound, worst=compound) for compound in found]
