"""A text's score from its parts', and which texts have one: what must be known without VADER."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.systems.tweets.messages import Score

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
