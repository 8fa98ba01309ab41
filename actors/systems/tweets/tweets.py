"""The tweets service: stores and serves tweets, and has each scored."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
import structlog

from actors.errors import Busy, StoreRefused
from actors.kernel.messages import Command, Query, Refusal
from actors.service.service import Service, command, effect, outcome, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.tweets import tweet_rows as rows
from actors.systems.tweets.messages import (
    GetTweet,
    ListTweets,
    Score,
    ScoreTexts,
    ScoreTweet,
    Sentiment,
    StoreTweet,
    StoreXTweet,
    Tweet,
    TweetPage,
    TweetScored,
    TweetStored,
)
from actors.systems.tweets.overall_score import is_spoken, overall
from actors.systems.tweets.sentences import parts, together

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable

    from actors.kernel.messages import Message
    from actors.systems.tweets.config import TweetsConfig

    Ask = Callable[[str, Message], Awaitable[Any]]

log = structlog.get_logger()

# A commit's worth of old tweets: those that come meanwhile are to wait no longer than for another.
BACKLOG_BATCH: Final = 100


class FindBacklog(Query):
    """Whether there are any that nobody has asked to have scored."""


class ScoreBacklog(Command):
    """Ask for the scores of the next few."""


class TweetsService(Service):
    """Stores each tweet once, however often it is told of it, and has each version scored once."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "tweets"

    def __init__(self, config: TweetsConfig, ask: Ask) -> None:
        """`ask(service, message)` is how its effect reaches a replica of sentiment."""
        self._config = config
        self._ask_service = ask

    # --- Storing -----------------------------------------------------------------------------

    @command
    def store(self, tx: Transaction, cmd: StoreTweet) -> TweetStored:
        """Store the tweet, or return the one that stands under its external id."""
        if cmd.external_id is not None:
            row = tx.one(rows.BY_EXTERNAL_ID, cmd.external_id, cmd.external_id)
            if row is not None:
                return TweetStored(tweet=rows.as_tweet(row), created=False)
        tweet_id = tx.new_id()
        columns = (cmd.external_id, *rows.x_columns(None, lang=cmd.lang))
        tx.execute(rows.INSERT, tweet_id, cmd.author, cmd.text, *columns)
        return TweetStored(tweet=self._have_scored(tx, tweet_id), created=True)

    @command
    def store_from_x(self, tx: Transaction, cmd: StoreXTweet) -> TweetStored:
        """Store what the reader has read, or return what stands under X's id of it.

        A newer version of a tweet takes its place, and is scored anew; an older one that comes
        later changes nothing.
        """
        if cmd.history:
            history = msgspec.json.encode(cmd.history).decode()
            row = tx.one(rows.BY_HISTORY, history, history)
        else:
            row = tx.one(rows.BY_EXTERNAL_ID, cmd.external_id, cmd.external_id)
        if row is None:
            tweet_id = tx.new_id()
            first_id = cmd.history[0] if cmd.history else cmd.external_id
            version_id = None if cmd.external_id == first_id else cmd.external_id
            columns = (first_id, *rows.x_columns(cmd.x, version_id=version_id))
            tx.execute(rows.INSERT, tweet_id, cmd.author, cmd.text, *columns)
        else:
            tweet_id = row["id"]
        for version_id in cmd.history:
            tx.execute(rows.NOTE_VERSION, version_id, tweet_id)
        if row is not None:
            return TweetStored(tweet=self._replace(tx, row, cmd), created=False)
        return TweetStored(tweet=self._have_scored(tx, tweet_id), created=True)

    def _replace(self, tx: Transaction, row: sqlite3.Row, cmd: StoreXTweet) -> Tweet:
        if not rows.is_newer(cmd.external_id, row):
            return rows.as_tweet(row)
        columns = rows.x_columns(cmd.x, version_id=cmd.external_id)
        tx.execute(rows.REPLACE, cmd.author, cmd.text, *columns, row["id"])
        return self._have_scored(tx, row["id"])

    def _have_scored(self, tx: Transaction, tweet_id: str) -> Tweet:
        """Have what stands now scored; what nobody here can score is unknown at once."""
        row = _find(tx, tweet_id)
        if not is_spoken(row["lang"]):
            self._settle(tx, row, None)
            return rows.as_tweet(_find(tx, tweet_id))
        version_id = row["version_id"]
        tx.run(ScoreTweet(tweet_id=tweet_id, text=row["text"], version_id=version_id))
        return rows.as_tweet(row)

    # --- Scoring -----------------------------------------------------------------------------

    @effect(again_s=lambda self: self._config.retry_s)
    async def score(self, cmds: list[ScoreTweet]) -> list[float]:
        """Ask replicas of sentiment, part by part: the same text has the same score at each.

        Where none answers now, it is asked for again: there is no last attempt.
        """
        chars_max = self._config.scored_chars_max
        texts = [parts(cmd.text, chars_max=chars_max) for cmd in cmds]
        scores: list[Score] = []
        # No question is longer than a text's longest part: others wait behind it.
        for asked in together(itertools.chain.from_iterable(texts), chars_max=chars_max):
            scores += await self._ask_service("sentiment", ScoreTexts(texts=asked))
        each = iter(scores)
        return [
            overall(list(itertools.islice(each, len(of_one))), rant_max=self._config.rant_max)
            for of_one in texts
        ]

    @outcome(score)
    def scored(self, tx: Transaction, cmd: ScoreTweet, score: float) -> None:
        """Note the score, and tell everybody; a second score, or another version's, is nothing."""
        row = tx.one(rows.BY_ID, cmd.tweet_id)
        if row is not None and row["sentiment"] is None and row["version_id"] == cmd.version_id:
            self._settle(tx, row, score)

    def _settle(self, tx: Transaction, row: sqlite3.Row, score: float | None) -> None:
        # What an earlier program had scored before it looked at the language is not believed.
        score = score if is_spoken(row["lang"]) else None
        sentiment: Sentiment = "unknown" if score is None else self._sentiment(score)
        tx.execute(rows.SET_SCORE, score, sentiment, row["id"])
        tx.publish(
            TweetScored(
                tweet_id=row["id"],
                author=row["author"],
                text=row["text"],
                external_id=row["external_id"],
                x=rows.as_x_details(row),
                score=score,
                sentiment=sentiment,
                version_id=row["version_id"],
            )
        )

    def _sentiment(self, score: float) -> Sentiment:
        if score <= self._config.negative_max:
            return "negative"
        return "positive" if score >= self._config.positive_min else "neutral"

    # --- What was stored before there were scores ----------------------------------------------

    async def run(self) -> None:
        """Have scored what an earlier version has stored; for that there is time."""
        while True:
            try:
                while await self.ask(FindBacklog()):
                    await self.ask(ScoreBacklog())
            except (Busy, StoreRefused) as busy:
                log.warning("old tweets wait for their score", reason=str(busy))
                await asyncio.sleep(self._config.retry_s)
            else:
                return

    @query
    def find_backlog(self, tx: ReadTransaction, question: FindBacklog) -> bool:
        """Whether there are tweets that nobody has asked to have scored."""
        del question
        return tx.one(rows.HAS_BACKLOG) is not None

    @command
    def score_backlog(self, tx: Transaction, cmd: ScoreBacklog) -> None:
        """Ask for some of their scores; the rest is asked for when this is done."""
        del cmd
        for row in tx.all(rows.BACKLOG, BACKLOG_BATCH):
            tx.execute(rows.FORGET_BACKLOG, row["seq"])
            effect = ScoreTweet(tweet_id=row["id"], text=row["text"], version_id=row["version_id"])
            tx.run(effect)

    # --- Serving -----------------------------------------------------------------------------

    @query
    def get(self, tx: ReadTransaction, question: GetTweet) -> Tweet | Refusal:
        """Find one by id."""
        row = tx.one(rows.BY_ID, question.tweet_id)
        if row is None:
            return Refusal.not_found(f"there is no tweet {question.tweet_id}")
        return rows.as_tweet(row)

    @query
    def page(self, tx: ReadTransaction, question: ListTweets) -> TweetPage:
        """List in order of arrival, of one author and one sentiment where they are given."""
        wanted = {"author": question.author, "sentiment": question.sentiment}
        given = {name: value for name, value in wanted.items() if value is not None}
        found, after = tx.page(
            rows.PAGES[tuple(given)], *given.values(), question.after, limit=question.limit
        )
        return TweetPage(items=[rows.as_tweet(row) for row in found], next=after)


def _find(tx: Transaction, tweet_id: str) -> sqlite3.Row:
    row = tx.one(rows.BY_ID, tweet_id)
    assert row is not None, "it was just stored"
    return row
