"""Whether what the reader says of itself is so: what it counts, by its other books and X's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    if reader.last_tweet_id not in seen | {None}:
        yield f"the reader says that it has read {reader.last_tweet_id} last, and never has"
    for each in sorted(seen - kept.x_tweets.keys()):
        yield f"the reader has read {each}, and X has no such tweet"
