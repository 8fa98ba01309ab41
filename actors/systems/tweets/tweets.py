"""The tweets service: stores and serves tweets, and has each scored."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import structlog

from actors.errors import Busy, StoreRefused
from actors.kernel.messages import GaveUp, Refusal
from actors.service.service import Service, command, effect, on, query
from actors.store.transaction import ReadTransaction, Transaction
from actors.systems.tweets import tweet_rows as rows
from actors.systems.tweets.backlog import FindBacklog, ScoreBacklog
from actors.systems.tweets.messages import (
    GetTweet,
    ListTweets,
    RecordScore,
    Score,
    ScoreText,
    ScoreTweet,
    Sentiment,
    StoreTweet,
    StoreXTweet,
    Tweet,
    TweetPage,
    TweetScored,
    TweetStored,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.config import TweetsConfig
    from actors.kernel.messages import Message
    from actors.systems.tweets.messages import XDetails

    Ask = Callable[[str, Message], Awaitable[Any]]

log = structlog.get_logger()

# A commit's worth of old tweets: those that come meanwhile are to wait no longer than for another.
BACKLOG_BATCH: Final = 100


class TweetsService(Service):
    """Stores each tweet once, however often it is told of it, and has it scored once."""

    schema: ClassVar[Path] = Path(__file__).parent / "schema" / "tweets"

    def __init__(self, config: TweetsConfig, ask: Ask) -> None:
        """`ask(service, message)` is how its effect reaches a replica of sentiment."""
        self._config = config
        self._ask_service = ask

    # --- Storing -----------------------------------------------------------------------------

    @command
    def store(self, tx: Transaction, cmd: StoreTweet) -> TweetStored:
        """Store the tweet, or return the one that stands under its external id."""
        return self._store(tx, cmd.author, cmd.text, cmd.external_id, None)

    @command
    def store_from_x(self, tx: Transaction, cmd: StoreXTweet) -> TweetStored:
        """Store what the reader has read, or return what stands under X's id of it."""
        return self._store(tx, cmd.author, cmd.text, cmd.external_id, cmd.x)

    def _store(
        self, tx: Transaction, author: str, text: str, external_id: str | None, x: XDetails | None
    ) -> TweetStored:
        if external_id is not None:
            row = tx.one(rows.BY_EXTERNAL_ID, external_id)
            if row is not None:
                return TweetStored(tweet=rows.as_tweet(row), created=False)
        tweet = Tweet(id=tx.new_id(), author=author, text=text, external_id=external_id)
        tx.execute(rows.INSERT, tweet.id, author, text, external_id, *rows.x_columns(x))
        tx.send("tweets", ScoreTweet(tweet_id=tweet.id, text=text))
        return TweetStored(tweet=tweet, created=True)

    # --- Scoring -----------------------------------------------------------------------------

    @effect
    async def score(self, cmd: ScoreTweet) -> RecordScore:
        """Ask a replica of sentiment: the same text has the same score at each."""
        answer: Score = await self._ask_service("sentiment", ScoreText(text=cmd.text))
        return RecordScore(tweet_id=cmd.tweet_id, score=answer.compound)

    @command
    def record(self, tx: Transaction, cmd: RecordScore) -> None:
        """Note the score, and tell everybody; a second score changes nothing."""
        sentiment = self._sentiment(cmd.score)
        if not tx.execute(rows.SET_SCORE, cmd.score, sentiment, cmd.tweet_id):
            return
        row = tx.one(rows.BY_ID, cmd.tweet_id)
        assert row is not None, "it was just updated"
        tx.publish(
            TweetScored(
                tweet_id=row["id"],
                author=row["author"],
                text=row["text"],
                external_id=row["external_id"],
                x=rows.as_x_details(row),
                score=cmd.score,
                sentiment=sentiment,
            )
        )

    @on(GaveUp[ScoreTweet])
    def score_later(self, tx: Transaction, event: GaveUp[ScoreTweet]) -> None:
        """No replica answers now: there is no last attempt."""
        tx.after(self._config.retry_s, event.command)

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
        return tx.one(rows.BACKLOG, 1) is not None

    @command
    def score_backlog(self, tx: Transaction, cmd: ScoreBacklog) -> None:
        """Ask for some of their scores; the rest is asked for when this is done."""
        del cmd
        for row in tx.all(rows.BACKLOG, BACKLOG_BATCH):
            tx.execute(rows.FORGET_BACKLOG, row["seq"])
            tx.send("tweets", ScoreTweet(tweet_id=row["id"], text=row["text"]))

    # --- Serving -----------------------------------------------------------------------------

    @query
    def get(self, tx: ReadTransaction, question: GetTweet) -> Tweet | Refusal:
        """Find one by id."""
        row = tx.one(rows.BY_ID, question.tweet_id)
        if row is None:
            return Refusal.not_found(f"there is no tweet {question.tweet_id}")
        return rows.as_tweet(row)

    @query
    def list(self, tx: ReadTransaction, question: ListTweets) -> TweetPage:
        """List in order of arrival, of one author and one sentiment where they are given."""
        wanted = {"author": question.author, "sentiment": question.sentiment}
        given = {name: value for name, value in wanted.items() if value is not None}
        found, after = tx.page(
            rows.PAGES[tuple(given)], *given.values(), question.after, limit=question.limit
        )
        return TweetPage(items=[rows.as_tweet(row) for row in found], next=after)
