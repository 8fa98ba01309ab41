"""VADER's analyser, with the same scores in linear time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

if TYPE_CHECKING:
    from collections.abc import Sequence

# How far from a word the rules look: at three words before it and two after it.
BEFORE: Final = 3
AFTER: Final = 2


class Analyser(SentimentIntensityAnalyzer):  # type: ignore[misc]  # untyped
    """Hands to the rules that look at a word's neighbours these alone, and not the whole text.

    As released, each of them lowers all words of the text for each word: ten thousand emoji, a
    legal text, take 24 s. In the window a word stands at `at`, which is its place in the text where
    that begins with it; the rules ask for the distance to the end only as far as the window goes.
    """

    def _negation_check(
        self, valence: float, words: Sequence[str], distance: int, at: int
    ) -> float:
        near, at = _window(words, at)
        weighed: float = super()._negation_check(valence, near, distance, at)
        return weighed

    def _special_idioms_check(self, valence: float, words: Sequence[str], at: int) -> float:
        near, at = _window(words, at)
        weighed: float = super()._special_idioms_check(valence, near, at)
        return weighed


def _window(words: Sequence[str], at: int) -> tuple[Sequence[str], int]:
    first = max(0, at - BEFORE)
    return words[first : at + AFTER + 1], at - first
