"""What a word is: see words.py for what is X's and what was decided here."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.systems.x_platform.rules.words import begins_word, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("I like coca-cola!", ["i", "like", "coca", "cola"]),
        ("gnip's @gnip #gnip snake_case", ["gnip", "s", "gnip", "gnip", "snake", "case"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("résumé RE\u0301SUME\u0301", ["résumé", "résumé"]),
        ("\uff21\uff22\uff23\uff11 \ufb01n", ["abc1", "fin"]),
        ("Acme™ 5°", ["acme", "tm", "5", "°"]),
        ("hi\U0001f355\U0001f355 \u2764\ufe0f", ["hi", "\U0001f355", "\U0001f355", "\u2764"]),
        ("\U0001f44d\U0001f3fd", ["\U0001f44d"]),
        ("日本のcafe", ["日", "本", "の", "cafe"]),
        ("ｶﾞガカ\u3099", ["ガ", "ガ", "ガ"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("https://x.com/a?b=1", ["https", "x", "com", "a", "b", "1"]),
        ("a\0b\tc\u00a0d\u200be", ["a", "b", "c", "d", "e"]),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    """Cut at punctuation, symbols and separators, folded; an emoji and a kanji stand alone."""
    assert words(text) == expected


@given(st.text())
def test_words_hold_no_space_and_are_never_empty(text: str) -> None:
    """So that a phrase is found in a line of words by looking for the text."""
    found = words(text)
    assert all(found)
    assert " ".join(found).split() == found


@given(st.text(alphabet=st.characters(codec="ascii")))
def test_ascii_needs_no_unicode(text: str) -> None:
    """The short way for ASCII says what the long one does."""
    assert words(text) == words(text + " \u00e9")[:-1]


@given(st.text())
def test_case_and_form_do_not_count(text: str) -> None:
    """Canonically equivalent texts have the same words."""
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))


@given(st.characters(codec="utf-8"))
def test_what_begins_a_word_makes_one(character: str) -> None:
    """A keyword that may begin so is never without words."""
    assert bool(words(character)) == begins_word(character)
