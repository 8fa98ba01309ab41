"""The recent search: what a rule would have met, in any stretch of the last seven days.

The query is a rule of the filtered stream's language, so it is the same test that says yes. Nothing
is indexed for it: tweets are looked at one by one, the latest first, and a page ends where enough
were found or looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.kernel.messages import Refusal
from actors.systems.x_platform import snowflake
from actors.systems.x_platform.messages import SearchPage, SearchTweets
from actors.systems.x_platform.rules.rule_lexer import InvalidRule
from actors.systems.x_platform.rules.rule_parser import parse_rule
from actors.systems.x_platform.rules.subject import NOBODY, Subject, who
from actors.systems.x_platform.x_tweet_rows import find_histories, gather, tweet_of

if TYPE_CHECKING:
    import sqlite3

    from actors.store.transaction import ReadTransaction

# Of a query's time: some 10 ms.
LOOKED_AT_MAX: Final = 1_000
PAGE: Final = (
    "SELECT tweet.*, author.username AS author_name, replied.username AS reply_name,"
    " original.author_id AS original_id, repeated.username AS original_name,"
    " quote.text AS quoted_text"
    " FROM tweet JOIN x_user author ON author.id = tweet.author_id"
    " LEFT JOIN x_user replied ON replied.id = tweet.in_reply_to_user_id"
    " LEFT JOIN tweet original ON original.id = tweet.retweeted"
    " LEFT JOIN x_user repeated ON repeated.id = original.author_id"
    " LEFT JOIN tweet quote ON quote.id = tweet.quoted"
    " WHERE tweet.id >= ? AND tweet.id < ? AND tweet.deleted_us IS NULL"
    " ORDER BY tweet.id DESC LIMIT ?"
)


def search(tx: ReadTransaction, question: SearchTweets) -> SearchPage | Refusal:
    """Return a page of what meets the query, latest first, and where the next one begins."""
    try:
        meets = parse_rule(question.query)
    except InvalidRule as error:
        return Refusal.invalid("; ".join(error.details), field="query")
    first = max(question.since, snowflake.first_at(question.since_us))
    last = min(question.until, snowflake.first_at(question.until_us))
    rows = tx.all(PAGE, first, last, LOOKED_AT_MAX)
    found: list[sqlite3.Row] = []
    place = rows[-1]["id"] if len(rows) == LOOKED_AT_MAX else None
    for row in rows:
        if len(found) == question.limit:
            place = found[-1]["id"]
            break
        if meets(_subject(row)):
            found.append(row)
    histories = find_histories(tx, found)
    tweets = tuple([tweet_of(row, histories[row["id"]]) for row in found])
    about = gather(tx, tweets, included=True)
    return SearchPage(tweets=tweets, about=about, next=place)


def _subject(row: sqlite3.Row) -> Subject:
    return Subject(
        tweet_of(row),
        author=who(str(row["author_id"]), row["author_name"]),
        reply_to=_who(row["in_reply_to_user_id"], row["reply_name"]),
        retweets_of=_who(row["original_id"], row["original_name"]),
        quoted_text=row["quoted_text"],
    )


def _who(user_id: int | None, username: str | None) -> frozenset[str]:
    return NOBODY if user_id is None or username is None else who(str(user_id), username)
