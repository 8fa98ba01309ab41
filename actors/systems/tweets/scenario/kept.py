"""What the files of a monitor and of its X hold in the end, read row by row."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

from actors.service.common_invariants import reading

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]

TABLES: Final = {
    "tweets": ("tweets", "SELECT * FROM tweet ORDER BY seq"),
    "flags": ("flagger", "SELECT * FROM flag ORDER BY seq"),
    "likes": ("favouriter", "SELECT * FROM action ORDER BY seq"),
    "replies": ("responder", "SELECT * FROM action ORDER BY seq"),
    "seen": ("reader", "SELECT * FROM seen"),
    "progress": ("reader", "SELECT * FROM progress"),
    "gaps": ("reader", "SELECT * FROM gap ORDER BY seq"),
    "x_tweets": ("x_platform", "SELECT * FROM tweet ORDER BY id"),
    "x_users": ("x_platform", "SELECT * FROM x_user"),
    "x_likes": ("x_platform", "SELECT * FROM liked"),
    "x_rules": ("x_platform", "SELECT * FROM rule"),
    "x_matched": ("x_platform", "SELECT * FROM matched ORDER BY tweet_id"),
}


class Kept:
    """The rows by what they are, in their order; X's ids are text, as it writes them."""

    def __init__(self, folder: Path, *, account_id: str) -> None:
        """`account_id` is for whom the monitor acts."""
        self.account_id = account_id
        self.of: dict[str, list[Row]] = {}
        for name, (service, sql) in TABLES.items():
            with reading(folder / f"{service}.db") as connection:
                connection.row_factory = sqlite3.Row
                self.of[name] = [dict(row) for row in connection.execute(sql)]
        self.names = {row["id"]: row["username"] for row in self.of["x_users"]}
        self.x_tweets = {str(row["id"]): row for row in self.of["x_tweets"]}

    def at_x(self, tweet: Row) -> Row | None:
        """Return X's row of the version that stands of one of the monitor's tweets."""
        if tweet["x_kind"] is None:
            return None
        return self.x_tweets.get(tweet["version_id"] or tweet["external_id"])

    def is_ours(self, number: int | None) -> bool:
        """Whether the account has written X's tweet of that number."""
        row = self.x_tweets.get(str(number))
        return row is not None and str(row["author_id"]) == self.account_id

    def versions(self, written: Row) -> list[Row]:
        """Return all versions of X's tweet, the oldest first."""
        first = written["edit_of"] or written["id"]
        return [row for row in self.of["x_tweets"] if first in {row["id"], row["edit_of"]}]
