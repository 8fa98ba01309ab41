"""The tweets service's statements, and a row as its messages show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.systems.tweets.messages import Tweet, XDetails

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

INSERT = (
    "INSERT INTO tweet (id, author, text, external_id, x_author_id, x_kind, x_lang, x_posted_at_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
BY_ID = "SELECT * FROM tweet WHERE id = ?"
BY_EXTERNAL_ID = "SELECT * FROM tweet WHERE external_id = ?"
SET_SCORE = "UPDATE tweet SET score = ?, sentiment = ? WHERE id = ? AND score IS NULL"

HAS_BACKLOG = "SELECT 1 FROM backlog LIMIT 1"
BACKLOG = "SELECT seq, id, text FROM backlog JOIN tweet USING (seq) ORDER BY seq LIMIT ?"
FORGET_BACKLOG = "DELETE FROM backlog WHERE seq = ?"

# By the filters that are given, in this order; each begins with what an index begins with. X's
# usernames are the same in any case, and so is who is asked for.
PAGES: Final[Mapping[tuple[str, ...], str]] = {
    (): "SELECT * FROM tweet WHERE seq > ? ORDER BY seq LIMIT ?",
    (
        "author",
    ): "SELECT * FROM tweet WHERE author = ? COLLATE NOCASE AND seq > ? ORDER BY seq LIMIT ?",
    ("sentiment",): "SELECT * FROM tweet WHERE sentiment = ? AND seq > ? ORDER BY seq LIMIT ?",
    ("author", "sentiment"): (
        "SELECT * FROM tweet WHERE author = ? COLLATE NOCASE AND sentiment = ? AND seq > ?"
        " ORDER BY seq LIMIT ?"
    ),
}


def x_columns(x: XDetails | None) -> tuple[str | int | None, ...]:
    """Return the values of the columns that only a tweet from X has, as INSERT has them."""
    if x is None:
        return (None,) * 4
    return x.author_id, x.kind, x.lang, x.posted_at_us


def as_x_details(row: sqlite3.Row) -> XDetails | None:
    """Return what X has told of the tweet, if it comes from there."""
    if row["x_author_id"] is None:
        return None
    return XDetails(
        author_id=row["x_author_id"],
        kind=row["x_kind"],
        lang=row["x_lang"],
        posted_at_us=row["x_posted_at_us"],
    )


def as_tweet(row: sqlite3.Row) -> Tweet:
    """Return the tweet as the API shows it."""
    return Tweet(
        id=row["id"],
        author=row["author"],
        text=row["text"],
        external_id=row["external_id"],
        sentiment=row["sentiment"],
        score=row["score"],
    )
