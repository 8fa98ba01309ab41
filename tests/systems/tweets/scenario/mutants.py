"""Mistakes as monitors of this kind make them: each for the length of a `with` block."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import msgspec

from actors.kernel.messages import Refusal
from actors.store.messaging import request_keys
from actors.store.transaction import Transaction
from actors.systems.tweets import bounds, flagger, tweet_rows, tweets
from actors.systems.tweets.actions import ActingService
from actors.systems.tweets.failure_words import FailureWords
from actors.systems.tweets.flagger import FlaggerService
from actors.systems.tweets.messages import ChangeFlag, Score, ScoreTexts, ScoreTweet, TweetScored
from actors.systems.tweets.overall_score import overall
from actors.systems.tweets.reading import odd_line, reader
from actors.systems.tweets.reading.stream_follower import StreamFollower
from actors.systems.tweets.reply_text import ReplyText
from actors.systems.tweets.sentiment import SentimentService
from actors.systems.tweets.x.x_client import XWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from actors.kernel.messages import Command
    from actors.systems.tweets.reading.stream_line import UnreadableLine

MUTANTS: Final[dict[str, Callable[[], AbstractContextManager[None]]]] = {}
# Longer than anybody waits for a score without a fault.
SLOW_S: Final = 2.0


def mutant(planted: Callable[[], Iterator[None]]) -> Callable[[], Iterator[None]]:
    """Add the decorated context manager to `MUTANTS`, under its own name."""
    MUTANTS[planted.__name__] = contextmanager(planted)
    return planted


def _instead(service: Any, message: Any, function: Any) -> AbstractContextManager[Any]:
    """Let `function` handle the message."""
    spec = msgspec.structs.replace(service.handlers[message], function=function)
    return patch.dict(service.handlers, {message: spec})


# --- Scores ------------------------------------------------------------------------------------


@mutant
def sentiment_is_inverted() -> Iterator[None]:
    score = SentimentService.score

    def invert(self: SentimentService, question: ScoreTexts) -> list[Score]:
        found = score(self, question)
        return [Score(compound=-each.compound, worst=-each.worst) for each in found]

    with _instead(SentimentService, ScoreTexts, invert):
        yield


@mutant
def a_part_counts_twice() -> Iterator[None]:

    def twice(scores: Sequence[Score], *, rant_max: float) -> float:
        return overall([scores[0], *scores], rant_max=rant_max)

    with patch.object(tweets, "overall", twice):
        yield


@mutant
def every_language_is_scored() -> Iterator[None]:
    with patch.object(tweets, "is_spoken", lambda lang: True):
        yield


# --- What is done about tweets -----------------------------------------------------------------


@mutant
def a_reply_mentions_somebody_else() -> Iterator[None]:
    fill_in = ReplyText.fill_in

    def other(self: ReplyText, *, author: str, tweet_id: str) -> str:
        return fill_in(self, author="bob" if author == "ann" else author, tweet_id=tweet_id)

    with patch.object(ReplyText, "fill_in", other):
        yield


@mutant
def what_names_a_failure_is_liked() -> Iterator[None]:
    with patch.object(FailureWords, "found_in", lambda self, text: None):
        yield


@mutant
def another_tweet_is_liked() -> Iterator[None]:
    like = XWriter.like
    last: list[str] = []

    async def other(self: XWriter, tweet_id: str) -> None:
        last.append(tweet_id)
        await like(self, last[0])

    with patch.object(XWriter, "like", other):
        yield


@mutant
def a_retweet_is_answered() -> Iterator[None]:
    def may_act(self: ActingService, event: TweetScored) -> bool:
        return event.x is not None and event.x.author_id != self._user_id

    with patch.object(ActingService, "_may_act", may_act):
        yield


@mutant
def what_is_bad_is_not_flagged_where_it_is_long() -> Iterator[None]:
    scored = FlaggerService.scored

    def short_only(self: FlaggerService, tx: Transaction, event: TweetScored) -> None:
        if len(event.text) < 280:
            scored(self, tx, event)

    with _instead(FlaggerService, TweetScored, short_only):
        yield


@mutant
def half_as_much_is_withheld() -> Iterator[None]:
    with patch.object(bounds, "OF_AUTHOR", bounds.OF_AUTHOR.replace("count(*)", "2 * count(*)")):
        yield


# --- Lists, flags and keys ---------------------------------------------------------------------


@mutant
def a_page_skips_a_row() -> Iterator[None]:
    pages = {
        given: sql.replace("seq > ?", "seq > ? + (seq > 3)")
        for given, sql in tweet_rows.PAGES.items()
    }
    with patch.object(tweet_rows, "PAGES", pages):
        yield


@mutant
def a_filter_knows_capitals() -> Iterator[None]:
    pages = {given: sql.replace(" COLLATE NOCASE", "") for given, sql in tweet_rows.PAGES.items()}
    with patch.object(tweet_rows, "PAGES", pages):
        yield


@mutant
def flags_of_one_status_are_all_flags() -> Iterator[None]:
    with patch.object(
        flagger, "PAGE_OF_STATUS", flagger.PAGE_OF_STATUS.replace("status = ?", "? IS NOT NULL")
    ):
        yield


@mutant
def a_resolved_flag_changes_hands() -> Iterator[None]:
    change = FlaggerService.change

    def anyway(self: FlaggerService, tx: Transaction, cmd: ChangeFlag) -> Any:
        reply = change(self, tx, cmd)
        if isinstance(reply, Refusal) and isinstance(cmd.assignee, str):
            tx.execute("UPDATE flag SET assignee = ? WHERE id = ?", cmd.assignee, cmd.flag_id)
            return change(self, tx, ChangeFlag(flag_id=cmd.flag_id))
        return reply

    with _instead(FlaggerService, ChangeFlag, anyway):
        yield


@mutant
def one_key_has_two_bodies() -> Iterator[None]:
    with patch.object(request_keys, "is_of", lambda digest, message: True):
        yield


# --- Lines that come otherwise -----------------------------------------------------------------


@mutant
def a_line_that_cannot_be_read_is_let_go() -> Iterator[None]:
    async def let_go(self: StreamFollower, line: bytes, error: UnreadableLine) -> None:
        del self, line, error

    with patch.object(StreamFollower, "_set_aside", let_go):
        yield


@mutant
def what_was_found_is_kept_as_a_line() -> Iterator[None]:
    with patch.object(reader, "forget_letter", lambda tx, letter_id: None):
        yield


@mutant
def ids_that_are_numbers_are_none() -> Iterator[None]:
    with patch.object(odd_line, "_has_number_ids", lambda said: False):
        yield


# --- Time --------------------------------------------------------------------------------------


@mutant
def a_score_is_asked_for_late() -> Iterator[None]:
    run = Transaction.run

    def later(self: Transaction, effect: Command, *, by_us: int | None = None) -> None:
        if isinstance(effect, ScoreTweet):
            self.after(SLOW_S, effect, by_us=by_us)
        else:
            run(self, effect, by_us=by_us)

    with patch.object(Transaction, "run", later):
        yield
