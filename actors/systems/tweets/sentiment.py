"""The sentiment service: says how a text sounds, and remembers nothing."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from actors.service.service import StatelessService, query
from actors.systems.tweets.analyser import Analyser
from actors.systems.tweets.messages import Score, ScoreText
from actors.systems.tweets.sentences import sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

# The languages of VADER's lexicon, by the first part of their tag.
SPOKEN: Final = frozenset({"en"})


def is_spoken(lang: str | None) -> bool:
    """Whether a text in that language can be scored; what nobody says is English."""
    return lang is None or lang.partition("-")[0].lower() in SPOKEN


def overall(scores: Sequence[Score], *, rant_max: float) -> float:
    """Return the score of a text from those of its parts.

    A sentence of `rant_max` or less makes all of the text negative, whatever stands around it: a
    rant at the end of much praise is what the PR team wants to see, and nothing to be liked. Else
    it is the mean of the parts, but for those that say nothing; of a text of one part VADER's own.
    """
    telling = [score.compound for score in scores if score.compound]
    mean = sum(telling) / len(telling) if telling else 0.0
    worst = min((score.worst for score in scores), default=0.0)
    return min(worst, mean) if worst <= rant_max else mean


class SentimentService(StatelessService):
    """Scores a text by VADER's lexicon and rules.

    C.J. Hutto, E. Gilbert: "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social
    Media Text", ICWSM 2014. English only; a text without a word it knows scores 0.
    """

    def __init__(self, *, chars_max: int) -> None:
        """Of a longer text, which is not to come, the rest does not count."""
        self._chars_max = chars_max

    @query
    def score(self, question: ScoreText) -> Score:
        """Score it; the same text has the same score everywhere and always."""
        text = question.text[: self._chars_max]
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
