"""The sentiment service: says how a text sounds, and remembers nothing."""

from __future__ import annotations

from functools import cache

from actors.service.service import StatelessService, query
from actors.systems.tweets.analyser import Analyser
from actors.systems.tweets.messages import Score, ScoreTexts
from actors.systems.tweets.sentences import sentences


class SentimentService(StatelessService):
    """Scores texts by VADER's lexicon and rules.

    C.J. Hutto, E. Gilbert: "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
    Media Text", ICWSM 2014. English only; a text without a word it knows scores 0.
    """

    def __init__(self, *, chars_max: int) -> None:
        """Of a longer text, which is not to come, the rest does not count."""
        self._chars_max = chars_max

    @query
    def score(self, question: ScoreTexts) -> list[Score]:
        """Score each; the same text has the same score everywhere and always."""
        return [self._score(text) for text in question.texts]

    def _score(self, text: str) -> Score:
        text = text[: self._chars_max]
        found = sentences(text)
        compound = _compound(text)
        worst = min(map(_compound, found)) if len(found) > 1 else compound
        return Score(compound=compound, worst=worst)


def _compound(text: str) -> float:
    compound: float = _analyser().polarity_scores(text)["compound"]
    return compound


@cache
def _analyser() -> Analyser:
    # One for all replicas: 7 ms and 2 MB each, and nothing of it ever changes.
    return Analyser()
