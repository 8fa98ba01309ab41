"""Lines of X's stream: what is a tweet, and that damage is noticed."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.systems.tweets.messages import XDetails
from actors.systems.tweets.reading.reader_messages import TweetRead
from actors.systems.tweets.reading.stream_line import (
    OthersTweet,
    StreamEnds,
    UnreadableLine,
    parse_line,
)
from tests.systems.tweets.rough_x import tweet_line

LINE = tweet_line(1, data={"referenced_tweets": [{"type": "quoted", "id": "7"}]})


def read(line: bytes) -> TweetRead:
    tweet = parse_line(line)
    assert isinstance(tweet, TweetRead)
    return tweet


def test_a_tweet_is_read_as_x_sends_it() -> None:
    """Its author by name, its time in microseconds of the epoch."""
    assert read(LINE) == TweetRead(
        external_id="1900000000000000001",
        author="ada",
        text="tutorialedge 1",
        x=XDetails(author_id="42", kind="quote", lang="en", posted_at_us=1_700_000_000_000_000),
    )


@pytest.mark.parametrize(
    ("types", "kind"),
    [
        ([], "original"),
        (["replied_to"], "reply"),
        (["quoted"], "quote"),
        (["retweeted"], "retweet"),
        (["quoted", "replied_to"], "reply"),
        (["replied_to", "retweeted"], "retweet"),
        (["unheard_of"], "original"),
    ],
)
def test_what_a_tweet_refers_to_says_its_kind(types: list[str], kind: str) -> None:
    """A reply that quotes is a reply: it has somebody to answer."""
    references = [{"type": type_, "id": "7"} for type_ in types]
    assert read(tweet_line(1, data={"referenced_tweets": references})).x.kind == kind


@pytest.mark.parametrize(
    ("more", "field", "value"),
    [
        ({"includes": {}}, "author", "(42)"),
        ({"includes": None}, "author", "(42)"),
        ({"includes": {"users": None}}, "author", "(42)"),
        ({"data": {"author_id": None}}, "author", "(unknown)"),
        ({"data": {"text": "x" * 40_000}}, "text", "x" * 30_000),
    ],
)
def test_what_lacks_or_is_too_long_loses_no_tweet(
    more: dict[str, Any], field: str, value: str
) -> None:
    """A suspended author is left out by X; the tweet stands all the same.

    Its id is no user name: it stands in brackets, which no user name has.
    """
    assert getattr(read(tweet_line(1, **more)), field) == value


@pytest.mark.parametrize(
    ("rules", "is_ours"),
    [
        ([{"id": "1", "tag": "pets"}], False),
        ([{"id": "1"}, {"id": "2", "tag": None}], False),
        ([{"id": "1", "tag": "pets"}, {"id": "2", "tag": "dress-rehearsal:reader"}], True),
        # Another's rule of the same value serves, under its own tag.
        ([{"id": "7", "tag": "pets"}], True),
        # In doubt it is not lost.
        (None, True),
        ([], True),
        ({}, True),
        (["1"], True),
    ],
)
def test_a_tweet_that_met_only_rules_of_others_is_theirs(rules: Any, is_ours: bool) -> None:
    """The account has one stream, and rules of everybody who uses it."""
    said = parse_line(tweet_line(1, matching_rules=rules), frozenset({"7"}))
    if is_ours:
        assert isinstance(said, TweetRead)
    else:
        assert said == OthersTweet(posted_at_us=1_700_000_000_000_000)


def test_an_id_tells_its_time() -> None:
    """Where X leaves the time out: X's ids hold it. This is X's own example, of 19:26:16."""
    data = {"id": "1212092628029698048", "created_at": None, "edit_history_tweet_ids": None}
    posted_at_us = read(tweet_line(1, data=data)).x.posted_at_us
    assert (
        posted_at_us // 1_000_000
        == dt.datetime(2019, 12, 31, 19, 26, 16, tzinfo=dt.UTC).timestamp()
    )


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ([{"title": "operational-disconnect", "detail": "for reasons"}], "for reasons"),
        ({"title": "operational-disconnect"}, "operational-disconnect"),
        (["a", {"code": 1}], "a; {'code': 1}"),
        ("what", "what"),
        (7, "7"),
    ],
)
def test_errors_without_a_tweet_are_about_the_stream(errors: Any, words: str) -> None:
    """Whatever shape they have."""
    assert parse_line(json.dumps({"errors": errors}).encode()) == StreamEnds(detail=words)


@given(st.binary(max_size=200))
def test_nothing_but_an_unreadable_line_comes_of_garbage(line: bytes) -> None:
    """No other exception, whatever the bytes."""
    with pytest.raises(UnreadableLine):
        parse_line(line)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(
                    ["data", "errors", "includes", "id", "text", "users", "created_at"]
                ),
                x,
            )
        ),
    )
)
def test_nothing_but_an_unreadable_line_comes_of_any_json(value: Any) -> None:
    """Nor of JSON that X does not send."""
    with contextlib.suppress(UnreadableLine):
        parse_line(json.dumps(value).encode())


def test_deep_json_is_unreadable() -> None:
    """And ends no process."""
    with pytest.raises(UnreadableLine):
        parse_line(b'{"errors": ' + b"[" * 100_000)


@pytest.mark.parametrize("damage", [b"\xff", b"\x00", b"\x80", b""])
def test_damage_that_no_text_has_is_noticed_at_any_byte(damage: bytes) -> None:
    """One byte of the line is another, or the rest of it is missing."""
    for place in range(len(LINE)):
        line = LINE[:place] + damage + (LINE[place + 1 :] if damage else b"")
        with pytest.raises(UnreadableLine):
            parse_line(line)


@given(st.integers(0, len(LINE) - 1), st.integers(1, 255))
def test_no_damage_of_one_byte_makes_another_tweets_id(place: int, bits: int) -> None:
    """X says it twice. A letter of the text may change: that is TLS's to protect."""
    line = bytearray(LINE)
    line[place] ^= bits
    try:
        tweet = parse_line(bytes(line))
    except UnreadableLine:
        return
    if isinstance(tweet, TweetRead):
        assert tweet.external_id == "1900000000000000001"
