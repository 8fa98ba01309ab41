"""Long texts: scored to their end, part by part, sentence by sentence."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.systems.tweets.config import TweetsConfig
from actors.systems.tweets.messages import ScoreTexts, ScoreTweet
from actors.systems.tweets.overall_score import is_spoken
from actors.systems.tweets.sentences import parts, sentences, together
from actors.systems.tweets.sentiment import SentimentService
from actors.systems.tweets.tweets import TweetsService

CONFIG = TweetsConfig()
CALM = "The pages on queues and on sockets are long and plain. "
PRAISE = "I love how the pages on queues and on sockets are written. "
RANT = "But the last course is terrible and broken, I hate it and want my money back."
texts = st.lists(
    st.sampled_from(["a", "word", " ", "\n", ".", "!? ", "\u2026 ", "\u3002 ", ")", "\U0001f600"])
).map("".join)


async def score(text: str) -> float:
    """Score it as the tweets service has it scored."""
    (alone,) = await scores(text)
    return alone


async def scores(*texts: str) -> list[float]:
    """Score them together."""
    sentiment = SentimentService(chars_max=CONFIG.scored_chars_max)
    asked = []

    async def ask(service: str, question: ScoreTexts) -> object:
        assert service == "sentiment"
        asked.append("".join(question.texts))
        return sentiment.score(question)

    service = TweetsService(CONFIG, ask)  # type: ignore[arg-type]
    found = await service.score([ScoreTweet(tweet_id="t", text=text) for text in texts])
    assert "".join(asked) == "".join(texts)
    assert max(map(len, asked)) <= CONFIG.scored_chars_max
    return found


@given(texts, st.integers(1, 40))
def test_the_parts_are_all_of_the_text(text: str, chars_max: int) -> None:
    """Each bounded, and so many at most that the text's length bounds the work."""
    found = parts(text, chars_max=chars_max)
    assert "".join(found) == text
    assert all(0 < len(part) <= chars_max for part in found if text)
    assert len(found) <= 3 * len(text) / chars_max + 3


async def test_each_of_several_has_the_score_that_it_has_alone() -> None:
    """Whatever their lengths, in few questions: none of them is longer than a part of one."""
    several = ["", RANT, PRAISE * 60, CALM, f"{CALM * 30}{RANT}", *[PRAISE] * 30]
    assert await scores(*several) == [await score(text) for text in several]
    questions = list(together(several[5:], chars_max=CONFIG.scored_chars_max))
    assert len(questions) <= 2 * 30 * len(PRAISE) / CONFIG.scored_chars_max + 1


@given(texts)
def test_the_sentences_are_all_of_the_text_but_blanks(text: str) -> None:
    """Whatever ends them."""
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize("calm", [CALM, PRAISE])
@pytest.mark.parametrize("count", [0, 3, 20, 400])
async def test_a_rant_is_heard_at_the_end_of_any_text(calm: str, count: int) -> None:
    """Also of the longest that X has, also behind praise."""
    assert await score(f"{calm * count}{RANT}") < CONFIG.negative_max
    assert await score(f"{calm * count}{RANT} {calm * count}") < CONFIG.negative_max


@pytest.mark.parametrize("count", [1, 3, 20, 400])
async def test_a_text_without_a_rant_is_what_it_was(count: int) -> None:
    """Calm is calm, and praise is praise, however long."""
    assert await score(CALM * count) == 0.0
    assert await score(PRAISE * count) >= CONFIG.positive_min


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tutorialedge",
        "I love tutorialedge! Wonderful, excellent, the best tutorial ever!",
        "tutorialedge is awful, I hate this terrible mess",
        "Not bad at all. I like it",
    ],
)
async def test_a_short_text_has_vaders_own_score(text: str) -> None:
    """Rules that reach over the end of a sentence hold."""
    sentiment = SentimentService(chars_max=CONFIG.scored_chars_max)
    assert await score(text) == sentiment.score(ScoreTexts(texts=[text]))[0].compound


@pytest.mark.sampled
@pytest.mark.parametrize("word", ["\U0001f600", "\U0001f600. ", "good. ", "a. ", "x\n", "x :) "])
async def test_the_longest_text_is_scored_in_bounded_parts(word: str) -> None:
    """X's longest, at its worst: all of it, and no part that a scorer cuts or takes long for."""
    assert -1.0 <= await score((word * 25_000)[:25_000]) <= 1.0


@pytest.mark.real_time
@pytest.mark.parametrize("text", [".", ".)", "\u2026", "\n", ". ", "?!"])
def test_no_text_is_looked_through_again_and_again(text: str) -> None:
    """Its end is found in one go, also where there is none but dots: the loop waits meanwhile."""
    text = text * 20_000
    begun_s = time.process_time()
    assert "".join(parts(text, chars_max=len(text) - 1)) == text
    assert "".join(sentences(text)).strip() == text.strip()
    assert time.process_time() - begun_s < 0.25


@pytest.mark.parametrize(
    ("lang", "spoken"),
    [
        (None, True),
        ("en", True),
        ("EN", True),
        ("en-GB", True),
        *[
            (lang, False)
            for lang in ("de", "ja", "und", "zxx", "qme", "qam", "art", "eng", "e", "")
        ],
    ],
)
def test_only_english_is_spoken(lang: str | None, *, spoken: bool) -> None:
    """And what nobody has said."""
    assert is_spoken(lang) is spoken
