"""In which moods the people of a simulation write, and how what they write is meant.

Who writes a text knows how it sounds: nothing here asks the monitor. The scores follow from VADER's
published lexicon, by hand: of the valences of a sentence's words, s / sqrt(s * s + 15).
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

KEYWORD: Final = "tutorialedge"
# By more than this much no score differs from what is meant.
SCORE_ERROR_MAX: Final = 0.000_1


class Mood(msgspec.Struct, frozen=True):
    """What somebody writes in it, and how that is meant.

    A `score` of None is a language that nobody here scores. `is_failure` is whether it names one,
    and so is not liked, however it sounds.
    """

    sentence: str
    means: Literal["negative", "neutral", "positive", "unknown"]
    score: float | None
    is_failure: bool = False
    lang: str = "en"

    def about(self, what: str) -> str:
        """Return the sentence about it."""
        return self.sentence.format(it=what)


# Of some 900 characters, so that the next one begins another part of a text that is scored in parts
# of 1000.
_FILLER: Final = (
    "The page after that one is about a queue, which is filled on one side and read on the other,"
    " and has room for ten rows. "
)
_PART: Final = "What {{it}} says of queues, of sockets and of what stands between the two is {}. "
_WORDS: Final = ("nice", "great", "confusing")
_PARTS: Final = "".join(_PART.format(word) + _FILLER * 7 for word in _WORDS)

# What a language is called, by whoever stores a tweet past X, and by X, which may not know it. What
# is English nobody has to say.
TAGS: Final[dict[str, tuple[str | None, ...]]] = {
    "en": ("en", "en-GB", None, "EN-us"),
    "de": ("de", "de-CH"),
}
X_TAGS: Final = {"en": ("en",), "de": ("de", "und")}

# What pleases most is liked, but where it names a failure; what is bad is flagged, also at the end
# of a text that X cuts; of a text in several parts the mean counts; what is not English is neither.
MOODS: Final[dict[str, Mood]] = {
    "plain": Mood("{it} has a page on sockets", "neutral", 0.0),
    "delighted": Mood(
        "I love {it}! Wonderful, excellent, the best ever, thank you", "positive", 0.9617
    ),
    "angry": Mood("{it} is awful, I hate this terrible, horrible mess", "negative", -0.9462),
    "pleased": Mood("{it} is nice", "positive", 0.4215),
    "foreign": Mood("Die Kurse von {it} sind die besten <3", "unknown", None, lang="de"),
    "ironic": Mood(
        "I love {it}! Wonderful, excellent work, amazing: it is down again",
        "positive",
        0.9493,
        is_failure=True,
    ),
    "long-winded": Mood(
        "{it} has pages on queues & on sockets, which are long and plain. " * 5
        + "But the last one is terrible and broken, I hate it &lt;sigh>",
        "negative",
        -0.9366,
        is_failure=True,
    ),
    # The mean of its three parts' 0.4215, 0.6249 and -0.2263.
    "divided": Mood(_PARTS, "positive", 0.2734),
    # However much is praised, the rant in it counts.
    "two-faced": Mood(
        "I love {it}! Wonderful, excellent, amazing, the best ever, thank you. "
        "It is awful, I hate this terrible, horrible mess",
        "negative",
        -0.9462,
    ),
}
