"""Hashtags, cashtags, mentions and links, as twitter-text finds them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.systems.x_platform import entities
from tests.systems.x_platform.tweets import matches


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#Go (#rust) #100DaysOfCode", ["go", "rust", "100daysofcode"]),
        ("#123 a#b &#nbsp; ## #", []),
        ("##x #\ufe0f\u20e3", ["x"]),
        ("#日本語。 #नमस्ते #café! #a-b \uff03\uff57ide", ["日本語", "नमस्ते", "café", "a", "wide"]),
        ("#a#b", ["a"]),
    ],
)
def test_hashtags(text: str, expected: list[str]) -> None:
    """Letters, marks, digits and underscores, not digits alone, not inside a word."""
    assert entities.hashtags(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@Ada: hi .@bob (@eve_1)", ["ada", "bob", "eve_1"]),
        ("RT @ada: x", ["ada"]),
        ("me@example.com @ @sixteen_letters_ @@x", []),
        ("@fifteen_letters", ["fifteen_letters"]),
    ],
)
def test_mentions(text: str, expected: list[str]) -> None:
    """At most fifteen characters, not inside an address."""
    assert entities.mentions(text) == expected


def test_cashtags_and_links() -> None:
    """A ticker stands by itself; a link names its protocol."""
    assert entities.cashtags("$TWTR $brk.b US$5 $5 $toolong7") == ["twtr", "brk.b"]
    links = entities.links("see https://a.b/c?d=1 or HTTP://e.f, not g.h or ftp://i.j")
    assert links == ["https://a.b/c?d=1", "HTTP://e.f,"]
    assert entities.is_picture("https://pic.x.com/1")
    assert entities.is_video("https://x.com/ada/status/1/video/1")
    assert not entities.is_picture("https://example.com/pic.x.com/1")


@given(st.text())
def test_any_text_has_entities(text: str) -> None:
    """Nothing raises, and a tag that was found is one that a rule may ask for."""
    assert all(matches(f"#{each}", text) for each in entities.hashtag().findall(text))
    assert all(entities.USERNAME.fullmatch(each) for each in entities.mentions(text))
    assert all(entities.CASHTAG_BODY.fullmatch(each) for each in entities.cashtags(text))
    assert all(each in text for each in entities.links(text))
