"""Whether what the reader says of itself is so: what it counts, by its other books and X's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from actors.systems.tweets.messages import ReaderState
    from actors.systems.tweets.scenario.kept import Kept


def reader_amiss(kept: Kept, reader: ReaderState | None, *, unreadable: int) -> Iterator[str]:
    """Judge what it says at rest; None where it did not come to rest, and was not asked.

    By a clock that was never set: else it may have forgotten what it had read. So many lines
    that were no tweets are in its file: `unreadable`.
    """
    if reader is None:
        return
    seen = {row["tweet_id"] for row in kept.of["seen"]}
    gaps = kept.of["gaps"]
    for what, said, there in (
        ("tweets", reader.tweets, len(seen)),
        ("gaps", reader.gaps, len(gaps)),
        ("open gaps", reader.gaps_open, sum(row["state"] == "open" for row in gaps)),
        ("lines that are no tweets", reader.unreadable, unreadable),
    ):
        if said != there:
            yield f"the reader says {said} {what}, and there are {there}"
    (books,) = kept.of["progress"]
    # It has gone on since, as long as it was up.
    for what, told, most in (
        ("was alive at", _us(reader.alive_at), books["alive_us"]),
        ("has read up to", _us(reader.read_to), books["read_to_us"]),
        ("has had twice", reader.duplicates, books["duplicates"]),
        ("has connected again", reader.reconnects, max(0, books["connections"] - 1)),
    ):
        if told > most:
            yield f"the reader says that it {what} {told}, and its books have {most}"
    if reader.last_tweet_id not in seen | {None}:
        yield f"the reader says that it has read {reader.last_tweet_id} last, and never has"
    for each in sorted(seen - kept.x_tweets.keys()):
        yield f"the reader has read {each}, and X has no such tweet"


def _us(at: dt.datetime | None) -> int:
    return 0 if at is None else round(at.timestamp() * 1_000_000)
