"""Whether the embedded X has kept its own books: what belongs together, and what is said twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.systems.tweets.x_invariants import tweeted_at_us

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.systems.tweets.scenario.kept import Kept, Row

DAY_US: Final = 86_400_000_000


class XBooks:
    """Compares X's rows with each other, by X's own rules."""

    def __init__(self, kept: Kept) -> None:
        self._tweets = kept.x_tweets

    def violations(self) -> Iterator[str]:
        """Return a sentence for everything that X would not have."""
        said: dict[tuple[int, str], int] = {}
        for row in self._tweets.values():
            first = self._first(row)
            if row["conversation_id"] != first:
                yield f"{row['id']} is in conversation {row['conversation_id']}, and not in {first}"
            if row["retweeted"] is not None:
                continue
            whose = (row["author_id"], row["text"])
            at_us = tweeted_at_us(row["id"])
            if whose in said and at_us - said[whose] < DAY_US and row["deleted_us"] is None:
                yield f"{row['id']} says again what {row['author_id']} has said: {row['text']!r}"
            said[whose] = at_us

    def _first(self, row: Row) -> int:
        """Return what began its conversation."""
        while True:
            before = row["edit_of"] or row["replied_to"]
            if before is None:
                return int(row["id"])
            row = self._tweets[str(before)]
