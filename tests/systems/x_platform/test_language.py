"""The guess at a text's language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.systems.x_platform.language import LANGUAGES, guess_language


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("the tutorial is not what I expected", "en"),
        ("@ada Thank you for the mention! We read every tweet.", "en"),
        ("la película es muy buena, gracias", "es"),
        ("das ist nicht sehr gut", "de"),
        ("merci pour le cours, il est très clair", "fr"),
        ("não é muito bom", "pt"),
        ("とても分かりやすい", "ja"),
        ("很好的教程", "zh"),
        ("очень хорошо", "ru"),
        ("नमस्ते दुनिया", "hi"),
        ("안녕하세요 여러분", "ko"),
        ("qwrtz plmk", "und"),
        ("https://the.com/and @the \U0001f355 42 !", "zxx"),
        ("", "zxx"),
    ],
)
def test_texts(text: str, lang: str) -> None:
    """By script, or by common words; links and mentions say nothing."""
    assert guess_language(text) == lang


@given(st.text())
def test_any_text_has_a_language_that_rules_know(text: str) -> None:
    """`und` and `zxx` are some."""
    assert guess_language(text) in LANGUAGES
