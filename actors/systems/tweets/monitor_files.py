"""The brand monitor's books at rest: all rows of all its files, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from actors.service.common_invariants import read_tables

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from actors.service.common_invariants import Row, Tables
    from actors.systems.tweets.config import TweetsConfig

SERVICES = ("tweets", "flagger", "favouriter", "responder")
# They run where X is read, and where it is the embedded one.
READER, X = "reader", "x_platform"


class Monitor(msgspec.Struct, frozen=True, kw_only=True):
    """Whose books they are: our id at X, if we have one, and whether we act there.

    `is_garbled` is whether letters of a tweet may have changed on the way, which no check but TLS's
    would notice, and a test of a bad line has no TLS.
    """

    config: TweetsConfig
    user_id: str | None
    writes: bool
    is_garbled: bool = False


class MonitorFiles:
    """All rows of all tables, as they stand: `books.of["tweets"]["tweet"]` is a list of rows."""

    def __init__(self, folder: Path) -> None:
        self.of: dict[str, Tables] = {}
        left = [*SERVICES, *(name for name in (READER, X) if (folder / f"{name}.db").exists())]
        while left:  # and whoever is told of what happens here: a service that somebody has added
            name = left.pop(0)
            if name not in self.of:
                self.of[name] = read_tables(folder / f"{name}.db")
                left += [row["receiver"] for row in self.of[name]["channel"] if row["receiver"]]
        self.tweets = self.of["tweets"]["tweet"]
        self.likes = self.of["favouriter"]["action"]
        self.replies = self.of["responder"]["action"]
        self._versions: dict[str, set[str]] = {}
        for row in self.of["tweets"]["version"]:
            self._versions.setdefault(row["tweet_id"], set()).add(row["version_id"])

    def actionable(self, monitor: Monitor) -> list[Row]:
        """Return the tweets from X that are neither our own nor retweets."""
        return [
            row
            for row in self.tweets
            if row["x_kind"] not in {None, "retweet"} and row["x_author_id"] != monitor.user_id
        ]

    def is_edited(self, row: Row) -> bool:
        """Whether the tweet has, or had, another version."""
        return row["id"] in self._versions

    def ids_of(self, row: Row) -> set[str]:
        """Return X's ids of all the tweet's versions."""
        return self._versions.get(row["id"], set()) | {row["external_id"]} - {None}

    def x_ids(self) -> set[str]:
        """Return X's ids of all versions of all that is stored."""
        return {each for row in self.tweets for each in self.ids_of(row)}


def differ(what: str, where: str, found: Counter[Any], expected: Counter[Any]) -> Iterator[str]:
    """Say of each key that is not there as often as it should be."""
    keys: Iterable[Any] = sorted(found.keys() | expected.keys(), key=str)
    for key in keys:
        if found[key] != expected[key]:
            yield f"{what} {key} is {where} {found[key]} times, and should be {expected[key]}"
