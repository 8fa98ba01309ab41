"""Tweets as they are stored and looked up, and what belongs to them in an answer."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import msgspec

from actors.systems.x_platform import snowflake
from actors.systems.x_platform.entities import mentions
from actors.systems.x_platform.messages import Reference, Things, XTweet, XUser
from actors.systems.x_platform.x_user_rows import user_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from actors.store.transaction import ReadTransaction, Transaction

BY_IDS = "SELECT * FROM tweet WHERE id IN (SELECT value FROM json_each(?)) AND deleted_us IS NULL"
WITH_AUTHOR = (
    "SELECT tweet.*, username FROM tweet JOIN x_user ON x_user.id = author_id"
    " WHERE tweet.id = ? AND deleted_us IS NULL"
)
USERS_BY_IDS = "SELECT * FROM x_user WHERE id IN (SELECT value FROM json_each(?))"
USERS_BY_NAMES = "SELECT * FROM x_user WHERE username IN (SELECT value FROM json_each(?))"
INSERT = (
    "INSERT INTO tweet (id, author_id, text, text_crc, lang, conversation_id,"
    " in_reply_to_user_id, replied_to, retweeted, quoted, edit_of, reply_settings)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# The versions after the first.
EDITS = (
    "SELECT id, edit_of FROM tweet WHERE edit_of IN (SELECT value FROM json_each(?)) ORDER BY id"
)
DELETE = "UPDATE tweet SET deleted_us = ? WHERE id = ?"
SAME_TEXT = (
    "SELECT 1 FROM tweet WHERE author_id = ? AND text_crc = ? AND text = ? AND id >= ?"
    " AND deleted_us IS NULL"
)
RETWEETED = "SELECT 1 FROM tweet WHERE author_id = ? AND retweeted = ?"


class Found(msgspec.Struct, frozen=True):
    """A tweet, and its author's username."""

    tweet: XTweet
    username: str


def find_tweet(tx: ReadTransaction, tweet_id: str) -> Found | None:
    """Find one by id."""
    row = tx.one(WITH_AUTHOR, snowflake.number_of(tweet_id))
    return None if row is None else Found(tweet_of(row), row["username"])


def find_tweets(tx: ReadTransaction, ids: Iterable[str]) -> dict[str, XTweet]:
    """Return those that there are, by id, in the order asked."""
    ids = list(ids)
    rows = tx.all(BY_IDS, _json([snowflake.number_of(each) for each in ids]))
    history = find_histories(tx, rows)
    found = {str(row["id"]): tweet_of(row, history[row["id"]]) for row in rows}
    return {each: found[each] for each in ids if each in found}


def find_users(
    tx: ReadTransaction, ids: Iterable[str] = (), usernames: Iterable[str] = ()
) -> list[XUser]:
    """Return those that there are, each once, in the order of their ids."""
    numbers = _json([snowflake.number_of(each) for each in ids])
    rows = tx.all(USERS_BY_IDS, numbers) + tx.all(USERS_BY_NAMES, _json(list(usernames)))
    users = {row["id"]: user_of(row) for row in rows}
    return [users[number] for number in sorted(users)]


def find_histories(tx: ReadTransaction, rows: Sequence[sqlite3.Row]) -> dict[int, tuple[str, ...]]:
    """Return, by the rows' ids, the ids of all versions of each; of most there is one: none."""
    firsts = {row["edit_of"] or row["id"] for row in rows}
    versions: dict[int, list[int]] = {}
    for edit in tx.all(EDITS, _json(sorted(firsts))) if firsts else ():
        versions.setdefault(edit["edit_of"], [edit["edit_of"]]).append(edit["id"])
    return {
        row["id"]: tuple(map(str, versions.get(row["edit_of"] or row["id"], ()))) for row in rows
    }


def insert_tweet(tx: Transaction, tweet: XTweet) -> None:
    """Store it. Whatever it refers to stands."""
    first_id = tweet.history[0] if tweet.history else tweet.id
    refers = {each.type: int(each.id) for each in tweet.references}
    reply_to = tweet.in_reply_to_user_id
    tx.execute(
        INSERT,
        int(tweet.id),
        int(tweet.author_id),
        tweet.text,
        _crc(tweet.text),
        tweet.lang,
        int(tweet.conversation_id),
        None if reply_to is None else int(reply_to),
        refers.get("replied_to"),
        refers.get("retweeted"),
        refers.get("quoted"),
        None if first_id == tweet.id else int(first_id),
        tweet.reply_settings,
    )


def has_tweeted(tx: Transaction, author_id: str, text: str, *, since_us: int) -> bool:
    """Whether the author has tweeted exactly this text since then."""
    since = snowflake.first_at(since_us)
    return tx.one(SAME_TEXT, int(author_id), _crc(text), text, since) is not None


def has_retweeted(tx: Transaction, author_id: str, tweet_id: str) -> bool:
    """Whether the author has ever retweeted it."""
    return tx.one(RETWEETED, int(author_id), int(tweet_id)) is not None


def gather(tx: ReadTransaction, tweets: Sequence[XTweet], *, included: bool) -> Things:
    """Return what the tweets refer to, one step far; they themselves first if `included`.

    The users are authors (of what is referred to, too), those replied to, and those mentioned.
    """
    known = {tweet.id for tweet in tweets} if included else set()
    wanted = {each.id: None for tweet in tweets for each in tweet.references}
    referred = find_tweets(tx, [each for each in wanted if each not in known])
    shown = [*(tweets if included else ()), *referred.values()]
    ids = {tweet.author_id for tweet in (*tweets, *shown)}
    ids.update(each.in_reply_to_user_id for each in tweets if each.in_reply_to_user_id)
    names = {name for tweet in tweets for name in mentions(tweet.text)}
    return Things(tweets=tuple(shown), users=tuple(find_users(tx, sorted(ids), sorted(names))))


def tweet_of(row: sqlite3.Row, history: tuple[str, ...] = ()) -> XTweet:
    """Return the row's tweet; `history` are the ids of its versions, see find_histories."""
    kinds = ("replied_to", "retweeted", "quoted")
    reply_to = row["in_reply_to_user_id"]
    return XTweet(
        id=str(row["id"]),
        text=row["text"],
        author_id=str(row["author_id"]),
        created_at_us=snowflake.time_us(row["id"]),
        lang=row["lang"],
        conversation_id=str(row["conversation_id"]),
        in_reply_to_user_id=None if reply_to is None else str(reply_to),
        references=tuple(
            [
                Reference(type=kind, id=str(row[kind]))  # type: ignore[arg-type]
                for kind in kinds
                if row[kind] is not None
            ]
        ),
        history=history,
        reply_settings=row["reply_settings"],
    )


def _crc(text: str) -> int:
    return zlib.crc32(text.encode())


def _json(values: list[int] | list[str]) -> str:
    return msgspec.json.encode(values).decode()
