"""The tweets service's statements, and a row as its messages show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from actors.systems.tweets.messages import Tweet, XDetails

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

INSERT = (
    "INSERT INTO tweet (id, author, text, external_id, lang, x_author_id, x_kind, x_posted_at_us,"
    " x_conversation_id, x_answers, version_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# What was known of an earlier version is gone with it; its score is another's.
REPLACE = (
    "UPDATE tweet SET author = ?, text = ?, lang = ?, x_author_id = ?, x_kind = ?,"
    " x_posted_at_us = ?, x_conversation_id = ?, x_answers = ?, version_id = ?, score = NULL,"
    " sentiment = NULL WHERE id = ?"
)
BY_ID = "SELECT * FROM tweet WHERE id = ?"
# By X's id of it, or of a version of it: twice, for Python 3.12.0 to 3.12.3 warn of `?1`.
BY_EXTERNAL_ID = (
    "SELECT * FROM tweet WHERE external_id = ?"
    " OR id = (SELECT tweet_id FROM version WHERE version_id = ?) ORDER BY seq LIMIT 1"
)
# By its versions' ids, twice. The oldest, where an earlier program has stored versions as tweets
# of their own.
BY_HISTORY = (
    "SELECT * FROM tweet WHERE id IN (SELECT tweet_id FROM version WHERE version_id IN"
    " (SELECT value FROM json_each(?))) OR external_id IN (SELECT value FROM json_each(?))"
    " ORDER BY seq LIMIT 1"
)
NOTE_VERSION = "INSERT INTO version (version_id, tweet_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
SET_SCORE = "UPDATE tweet SET score = ?, sentiment = ? WHERE id = ?"

HAS_BACKLOG = "SELECT 1 FROM backlog LIMIT 1"
BACKLOG = (
    "SELECT seq, id, text, version_id FROM backlog JOIN tweet USING (seq) ORDER BY seq LIMIT ?"
)
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


def x_columns(
    x: XDetails | None, *, lang: str | None = None, version_id: str | None = None
) -> tuple[str | int | None, ...]:
    """Return the values of the columns from `lang` on; but for that only a tweet from X has them.

    `version_id` is of one that is not the first.
    """
    if x is None:
        return lang, *((None,) * 6)
    answers = " ".join(x.answers_replies_of) or None
    return x.lang, x.author_id, x.kind, x.posted_at_us, x.conversation_id, answers, version_id


def as_x_details(row: sqlite3.Row) -> XDetails | None:
    """Return what X has told of the tweet, if it comes from there."""
    if row["x_author_id"] is None:
        return None
    return XDetails(
        author_id=row["x_author_id"],
        kind=row["x_kind"],
        lang=row["lang"],
        posted_at_us=row["x_posted_at_us"],
        conversation_id=row["x_conversation_id"],
        answers_replies_of=tuple((row["x_answers"] or "").split()),
    )


def is_newer(version_id: str, row: sqlite3.Row) -> bool:
    """Whether X's version is later than the one that stands; what is not X's has no versions."""
    if row["x_author_id"] is None:
        return False
    # X's ids grow; where one is no number, nobody knows which is later, and the first one stays.
    ids = version_id, row["version_id"] or row["external_id"]
    if not all(each.isascii() and each.isdigit() for each in ids):
        return False
    return int(ids[0]) > int(ids[1])


def as_tweet(row: sqlite3.Row) -> Tweet:
    """Return the tweet as the API shows it."""
    return Tweet(
        id=row["id"],
        author=row["author"],
        text=row["text"],
        external_id=row["external_id"],
        lang=msgspec.UNSET if row["lang"] is None else row["lang"],
        sentiment=row["sentiment"],
        score=row["score"],
    )
