"""What the reader says of itself is held against its other books, and X's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from actors.systems.tweets.messages import ReaderState
from actors.systems.tweets.scenario.reader_books import reader_amiss


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
    ],
)
def test_the_reader_counts_what_there_is(changed: dict[str, Any], says: list[str]) -> None:
    """Two tweets, and two gaps, one of them open."""
    seen = [{"tweet_id": "1"}, {"tweet_id": "2"}]
    gaps = [{"state": "open"}, {"state": "filled"}]
    kept: Any = SimpleNamespace(of={"seen": seen, "gaps": gaps}, x_tweets={"1": {}, "2": {}})
    reader = ReaderState(
        **{
            "status": "connected", "last_tweet_id": "2", "alive_at": None, "read_to": None,
            "tweets": 2, "duplicates": 5, "unreadable": 0, "reconnects": 1, "gaps": 2,
            "gaps_open": 1, "latest_gaps": [], **changed,
        }
    )  # fmt: skip
    assert [*reader_amiss(kept, reader, unreadable=0)] == says
    assert [*reader_amiss(kept, None, unreadable=0)] == []


def test_nobody_reads_what_x_has_not() -> None:
    """An id that X never gave was made on the way."""
    kept: Any = SimpleNamespace(of={"seen": [{"tweet_id": "1"}], "gaps": []}, x_tweets={})
    reader = ReaderState(
        status="connected", last_tweet_id="1", alive_at=None, read_to=None, tweets=1,
        duplicates=0, unreadable=0, reconnects=0, gaps=0, latest_gaps=[],
    )  # fmt: skip
    assert [*reader_amiss(kept, reader, unreadable=0)] == [
        "the reader has read 1, and X has no such tweet"
    ]
