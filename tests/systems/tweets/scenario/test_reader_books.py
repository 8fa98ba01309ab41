"""What the reader says of itself is held against its other books, and X's."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from actors.systems.tweets.messages import ReaderState
from actors.systems.tweets.scenario.reader_books import reader_amiss


def us(second: int) -> int:
    """Return that second of the epoch in microseconds, with some of them."""
    return second * 1_000_000 + 123_457


def moment(second: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(us(second) / 1e6, tz=dt.UTC)


PROGRESS = {"alive_us": us(90), "read_to_us": us(70), "duplicates": 5, "connections": 2}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, []),
        ({"last_tweet_id": None}, []),
        ({"tweets": 3}, ["the reader says 3 tweets, and there are 2"]),
        ({"gaps": 1}, ["the reader says 1 gaps, and there are 2"]),
        ({"gaps_open": 0}, ["the reader says 0 open gaps, and there are 1"]),
        ({"unreadable": 1}, ["the reader says 1 lines that are no tweets, and there are 0"]),
        ({"last_tweet_id": "3"}, ["the reader says that it has read 3 last, and never has"]),
        (
            {"alive_at": moment(91)},
            [f"the reader says that it was alive at {us(91)}, and its books have {us(90)}"],
        ),
        (
            {"read_to": moment(90)},
            [f"the reader says that it has read up to {us(90)}, and its books have {us(70)}"],
        ),
        ({"duplicates": 6}, ["the reader says that it has had twice 6, and its books have 5"]),
        (
            {"reconnects": 2},
            ["the reader says that it has connected again 2, and its books have 1"],
        ),
    ],
)
def test_the_reader_counts_what_there_is(changed: dict[str, Any], says: list[str]) -> None:
    """Two tweets, and two gaps, one of them open."""
    seen = [{"tweet_id": "1"}, {"tweet_id": "2"}]
    gaps = [{"state": "open"}, {"state": "filled"}]
    of = {"seen": seen, "gaps": gaps, "progress": [PROGRESS]}
    kept: Any = SimpleNamespace(of=of, x_tweets={"1": {}, "2": {}})
    reader = ReaderState(
        **{
            "status": "connected", "last_tweet_id": "2", "alive_at": moment(90),
            "read_to": moment(70), "tweets": 2, "duplicates": 5, "unreadable": 0, "reconnects": 1,
            "gaps": 2, "gaps_open": 1, "latest_gaps": [], **changed,
        }
    )  # fmt: skip
    assert [*reader_amiss(kept, reader, unreadable=0)] == says
    assert [*reader_amiss(kept, None, unreadable=0)] == []


def test_nobody_reads_what_x_has_not() -> None:
    """An id that X never gave was made on the way."""
    of = {"seen": [{"tweet_id": "1"}], "gaps": [], "progress": [PROGRESS]}
    kept: Any = SimpleNamespace(of=of, x_tweets={})
    reader = ReaderState(
        status="connected", last_tweet_id="1", alive_at=None, read_to=None, tweets=1,
        duplicates=0, unreadable=0, reconnects=0, gaps=0, latest_gaps=[],
    )  # fmt: skip
    assert [*reader_amiss(kept, reader, unreadable=0)] == [
        "the reader has read 1, and X has no such tweet"
    ]
