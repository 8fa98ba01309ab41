"""The tweets service: stores and serves tweets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from actors.kernel.messages import Refusal
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.tweets.messages import (
    GetTweet,
    ListTweets,
    StoreTweet,
    Tweet,
    TweetPage,
    TweetStored,
)

if TYPE_CHECKING:
    import sqlite3

INSERT = "INSERT INTO tweet (id, author, text, external_id) VALUES (?, ?, ?, ?)"
BY_ID = "SELECT id, author, text, external_id FROM tweet WHERE id = ?"
BY_EXTERNAL_ID = "SELECT id, author, text, external_id FROM tweet WHERE external_id = ?"
PAGE = "SELECT seq, id, author, text, external_id FROM tweet WHERE seq > ? ORDER BY seq LIMIT ?"
PAGE_OF_AUTHOR = (
    "SELECT seq, id, author, text, external_id FROM tweet"
    " WHERE author = ? AND seq > ? ORDER BY seq LIMIT ?"
)


class TweetsService(Service):
    """Stores each tweet once, however often it is told of it."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "tweets"

    @command
    def store(self, tx: Transaction, cmd: StoreTweet) -> TweetStored:
        """Store the tweet, or return the one that stands under its external id."""
        if cmd.external_id is not None:
            row = tx.one(BY_EXTERNAL_ID, cmd.external_id)
            if row is not None:
                return TweetStored(tweet=_tweet(row), created=False)
        tweet = Tweet(id=tx.new_id(), author=cmd.author, text=cmd.text, external_id=cmd.external_id)
        tx.execute(INSERT, tweet.id, tweet.author, tweet.text, tweet.external_id)
        return TweetStored(tweet=tweet, created=True)

    @query
    def get(self, tx: ReadTransaction, question: GetTweet) -> Tweet | Refusal:
        """Find one by id."""
        row = tx.one(BY_ID, question.tweet_id)
        if row is None:
            return Refusal.not_found(f"there is no tweet {question.tweet_id}")
        return _tweet(row)

    @query
    def list(self, tx: ReadTransaction, question: ListTweets) -> TweetPage:
        """List in order of arrival, of one author if one is given."""
        if question.author is None:
            rows, after = tx.page(PAGE, question.after, limit=question.limit)
        else:
            rows, after = tx.page(
                PAGE_OF_AUTHOR, question.author, question.after, limit=question.limit
            )
        return TweetPage(items=[_tweet(row) for row in rows], next=after)


def _tweet(row: sqlite3.Row) -> Tweet:
    return Tweet(
        id=row["id"], author=row["author"], text=row["text"], external_id=row["external_id"]
    )
