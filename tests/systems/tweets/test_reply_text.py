"""What the responder says: as configured, and never the same for two tweets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import ConfigError
from actors.systems.tweets.config import TweetsConfig
from actors.systems.tweets.reply_text import ReplyText, short_id

X_CHARS_MAX = 280
snowflakes = st.integers(1, 2**63 - 1).map(str)
# As the API takes an external id.
ids = snowflakes | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)


def test_it_names_the_author_and_the_tweet() -> None:
    """Braces that stand for themselves are doubled."""
    text = ReplyText("@{author} {{thanks}} [{ref}]")
    assert text.fill_in(author="ada", tweet_id="62") == "@ada {thanks} [10]"


@given(snowflakes)
def test_the_shipped_text_fits_into_a_tweet(tweet_id: str) -> None:
    """For the longest name and the longest id that X has."""
    text = ReplyText(TweetsConfig().reply_text)
    assert len(text.fill_in(author="a" * 15, tweet_id=tweet_id)) <= X_CHARS_MAX
    assert len(short_id(tweet_id)) <= 11


@given(ids, ids)
def test_no_two_tweets_have_one_text(one: str, other: str) -> None:
    """So X's refusal of a text that it has seen is about this very tweet's."""
    text = ReplyText("{ref}")
    first, second = (text.fill_in(author="ada", tweet_id=each) for each in (one, other))
    assert (first == second) is (one == other)


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("thanks", "lacks {ref}"),
        ("@{author}", "lacks {ref}"),
        ("{{ref}}", "lacks {ref}"),
        ("{ref} {name}", "no other field"),
        ("{ref} {}", "no other field"),
        ("{ref} {0}", "no other field"),
        ("{ref} {author.__class__}", "no other field"),
        ("{ref} {author[0]}", "no other field"),
        ("{ref:>9999999}", "no other field"),
        ("{ref} {author!r}", "no other field"),
        ("{ref", "expected '}'"),
        ("{ref} }", "Single '}'"),
        ("{ref}\0", "a character"),
        ("{ref}\n", "a character"),
    ],
)
def test_a_text_that_is_none_is_refused_at_boot(template: str, named: str) -> None:
    """The error names the key and says how to write it."""
    with pytest.raises(ConfigError, match=r"tweets\.reply_text") as refused:
        ReplyText(template)
    assert named in str(refused.value)
