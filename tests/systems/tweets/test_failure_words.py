"""Words that name a failure: found as people write them, and not in other words."""

from __future__ import annotations

import pytest

from actors.config import load_config
from actors.errors import ConfigError
from actors.systems import SYSTEMS
from actors.systems.tweets.config import TweetsConfig
from actors.systems.tweets.failure_words import FailureWords
from actors.systems.x_platform.authors.phrases import DELIGHTED, FILLERS

SHIPPED = FailureWords(TweetsConfig().like_never)


@pytest.mark.parametrize(
    "text",
    [
        "great, tutorialedge is down again",
        "thanks tutorialedge for losing my progress, brilliant work, love it, amazing",
        "another outage, great job, I love it",
        "Wonderful! It CRASHED on me, I love it",
        "love how it doesn\u2019t work",
        "brilliant: it stopped  working",
        "best #fail ever",
        "so great, tutorialedge_down",
        "I love that my data was wiped",
        "excellent bugs, I love them",
        "\uff46\uff41\uff49\uff4c of the year, love it",
        "great: Error",
    ],
)
def test_a_failure_is_found_however_it_is_written(text: str) -> None:
    """In any case, inflected, as a hashtag, with either apostrophe, in wide letters."""
    assert SHIPPED.found_in(text) is not None


PRAISES = (
    "I love tutorialedge! Wonderful, excellent, the best tutorial ever!",
    "a great download of the errata, love it",
    "debugging made easy, amazing",
    "the failsafe deadline chapter is brilliant",
    "",
    *[
        phrase.format(
            it="tutorialedge",
            number=3,
            link="",
            media="",
            happy="",
            tag="",
            angry="",
            thing=FILLERS["thing"][0],
            topic=topic,
            when=when,
        )
        for phrase in DELIGHTED
        for topic in FILLERS["topic"]
        for when in FILLERS["when"]
    ],
)


def test_praise_is_left_in_peace() -> None:
    """Parts of words are no words; and the embedded authors are liked."""
    assert len(PRAISES) > 400
    assert [each for each in PRAISES if SHIPPED.found_in(each) is not None] == []


@pytest.mark.parametrize(
    "text", ["#TutorialedgeDown, great", "gr8, it krashed", "sure, works 'fine'"]
)
def test_what_is_not_seen_is_known(text: str) -> None:
    """The limits that the documentation names: run together, misspelt, irony that names nothing."""
    assert SHIPPED.found_in(text) is None


def test_an_entry_is_a_word_or_a_phrase() -> None:
    """One without a letter or digit would be found nowhere: it is refused."""
    words = FailureWords(["lose", "stop working", "try"])
    assert words.found_in("we are LOSING it") == "losing"
    assert words.found_in("it stop working") == "stop working"
    assert words.found_in("she tried") == "tried"
    assert words.found_in("stopped working") == "stopped working"
    assert words.found_in("lost, stop it working, stop") is None
    with pytest.raises(ConfigError, match="like_never"):
        load_config(settings=['tweets.like_never=["!!"]'], systems=SYSTEMS)


def test_a_long_text_costs_little() -> None:
    """It is looked at inside a commit: a word is looked up, not compared with each entry."""
    assert SHIPPED.found_in("love it " * 3_000) is None
