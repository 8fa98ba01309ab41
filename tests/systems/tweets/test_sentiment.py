"""Sentiment: VADER's own score, at a price that a text cannot raise, from any replica."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from actors.systems.tweets.analyser import Analyser
from actors.systems.tweets.config import TweetsConfig
from actors.systems.tweets.messages import ScoreTexts
from actors.systems.tweets.sentiment import SentimentService
from tests.few_examples import few

ORIGINAL = SentimentIntensityAnalyzer()
OURS = Analyser()
CONFIG = TweetsConfig()

# What the rules look for, near and far from a word of the lexicon; and words that are in none.
WORDS = [
    *("good", "bad", "love", "hate", "GOOD", "BAD", "great!!!", "awful??", ":)", ":(", "lol"),
    *("not", "never", "without", "doubt", "no", "nor", "or", "isn't", "so", "this", "least"),
    *("at", "very", "really", "VERY", "kind", "of", "sort", "kinda", "hardly", "but", "BUT"),
    *(
        "the",
        "shit",
        "bomb",
        "ass",
        "yeah",
        "right",
        "kiss",
        "of",
        "death",
        "cut",
        "the",
        "mustard",
    ),
    *("tutorialedge", "a", "x", "!", "?", "\U0001f600", "\U0001f621", "\u2764", "#fail", "@ada"),
]
texts = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join) | st.text(max_size=80)


@few(8)
@given(texts)
def test_every_score_is_vaders_own(text: str) -> None:
    """What is left out of sight of VADER's rules is what they do not look at."""
    assert OURS.polarity_scores(text) == ORIGINAL.polarity_scores(text)


@pytest.mark.parametrize(
    ("text", "compound"),
    [
        ("", 0.0),
        ("VADER is smart, handsome, and funny.", 0.8316),
        ("VADER is VERY SMART, handsome, and FUNNY!!!", 0.9342),
        ("At least it isn't a horrible book.", 0.431),
        ("Today SUX!", -0.5461),
        ("Not bad at all", 0.431),
    ],
)
def test_scores_are_as_published(text: str, compound: float) -> None:
    """By VADER's own README."""
    service = SentimentService(chars_max=CONFIG.scored_chars_max)
    assert service.score(ScoreTexts(texts=[text]))[0].compound == compound


@pytest.mark.real_time
@pytest.mark.parametrize("word", ["\U0001f600", "x :) ", "b ok but ", "good not ", "no ", "x", " "])
def test_no_text_holds_up_the_loop(word: str) -> None:
    """The worst text that the API takes costs some 20 ms; VADER as released takes 24 s for it."""
    service = SentimentService(chars_max=CONFIG.scored_chars_max)
    question = ScoreTexts(texts=[(word * 10_000)[:10_000]])
    service.score(question)
    begun_s = time.process_time()
    service.score(question)
    assert time.process_time() - begun_s < 0.25


def test_a_longer_text_is_scored_by_its_beginning() -> None:
    """It is not refused: nothing that was stored stays without a score."""
    service = SentimentService(chars_max=10)
    whole, cut = service.score(ScoreTexts(texts=["good good bad", "good good "]))
    assert whole == cut


def test_it_needs_no_network_and_warns_of_nothing() -> None:
    """Its words are files of the package."""
    code = (
        "import socket\n"
        "def refuse(*_, **__): raise AssertionError('a network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from actors.systems.tweets.analyser import Analyser\n"
        "assert Analyser().polarity_scores('I love it')['compound'] == 0.6369\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=200)
