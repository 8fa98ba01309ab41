"""The filtered stream: which tweets matched, in the order in which they were tweeted.

A tweet's place in it is its id, so that the order needs no numbers of its own, a time is a place by
arithmetic, and a place stays what it is when the past is pruned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.systems.x_platform import snowflake
from actors.systems.x_platform.messages import FindHead, Head, Matched, MatchPage, ReadMatches
from actors.systems.x_platform.platform_state import read_state
from actors.systems.x_platform.rules.rule_book import find_rules
from actors.systems.x_platform.x_tweet_rows import find_histories, gather, tweet_of

if TYPE_CHECKING:
    from actors.store.transaction import ReadTransaction, Transaction

INSERT = "INSERT INTO matched (tweet_id, rule_ids, at_us) VALUES (?, ?, ?)"
EARLIEST = "SELECT at_us FROM matched ORDER BY tweet_id LIMIT 1"
# Of a clock that was ahead, and would bar the way to all behind it until its date.
DATE_ANEW = "UPDATE matched SET at_us = ? WHERE at_us > ?"
# In the order of the stream, up to the first that is not so old: no index is needed on the time.
PRUNE = (
    "DELETE FROM matched WHERE tweet_id < coalesce((SELECT tweet_id FROM matched WHERE at_us >= ?"
    " ORDER BY tweet_id LIMIT 1), 9223372036854775807)"
)
PAGE = (
    "SELECT tweet.*, rule_ids, at_us FROM matched JOIN tweet ON tweet.id = tweet_id"
    " WHERE tweet_id > ? AND deleted_us IS NULL ORDER BY tweet_id LIMIT ?"
)

_RULE_IDS = msgspec.json.Decoder(list[int])


def record_match(tx: Transaction, tweet_id: str, rule_ids: list[int]) -> None:
    """Put the tweet into the stream."""
    tx.execute(INSERT, int(tweet_id), msgspec.json.encode(rule_ids).decode(), tx.now_us)


def prune(tx: Transaction, *, before_us: int) -> None:
    """Forget the stream's past before then; what claims to be of the future is taken for now's."""
    earliest = tx.one(EARLIEST)
    if earliest is not None and earliest["at_us"] > tx.now_us:
        tx.execute(DATE_ANEW, tx.now_us, tx.now_us)
    tx.execute(PRUNE, before_us)


def read_matches(tx: ReadTransaction, question: ReadMatches) -> MatchPage:
    """Return a page of the stream."""
    rows = tx.all(PAGE, question.after, question.limit)
    numbers = [_RULE_IDS.decode(row["rule_ids"]) for row in rows]
    rules = find_rules(tx, [number for each in numbers for number in each])
    histories = find_histories(tx, rows)
    matches = tuple(
        [
            Matched(
                seq=row["id"],
                at_us=row["at_us"],
                tweet=tweet_of(row, _until(row["id"], histories[row["id"]])),
                rules=tuple([rules[number] for number in each if number in rules]),
            )
            for row, each in zip(rows, numbers, strict=True)
        ]
    )
    return MatchPage(
        matches=matches,
        about=gather(tx, [match.tweet for match in matches], included=False),
        next=matches[-1].seq if matches else question.after,
    )


def _until(number: int, history: tuple[str, ...]) -> tuple[str, ...]:
    """Return what was known when this version came, which is the stream's last word on it."""
    known = tuple([each for each in history if int(each) <= number])
    return known if len(known) > 1 else ()


def find_head(tx: ReadTransaction, question: FindHead, *, backfill_us_max: int) -> Head:
    """Return the stream's end, or its place before `since_us`: for a backfill at most so far back.

    What it recovers may lie further back; whoever asks knows how far.
    """
    head = read_state(tx).last_id
    since_us = question.since_us
    if since_us is None or not (backfill_us_max or question.recovers):
        return Head(seq=head)
    if not question.recovers:
        since_us = max(since_us, tx.now_us - backfill_us_max)
    return Head(seq=max(min(snowflake.first_at(since_us) - 1, head), 0))
