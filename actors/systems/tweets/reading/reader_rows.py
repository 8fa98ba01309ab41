"""The reader's books but for the gaps: which tweets were seen, and how far the stream was read."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from actors.systems.tweets.reading.reader_messages import TweetRead

if TYPE_CHECKING:
    import sqlite3

    from actors.store.transaction import ReadTransaction, Transaction
    from actors.systems.tweets.reading.reader_messages import Progress

FORGET_ROWS_MAX: Final = 2  # a tweet: more than come, so that a backlog shrinks

PROGRESS = "SELECT * FROM progress"
SEE = "INSERT INTO seen (tweet_id, seen_us) VALUES (?, ?) ON CONFLICT DO NOTHING"
FORGET = (
    "DELETE FROM seen WHERE tweet_id IN"
    " (SELECT tweet_id FROM seen WHERE seen_us < ? ORDER BY seen_us LIMIT ?)"
)
# What a clock that was ahead has dated is taken for now's: else it would stay until then.
DATE_ANEW = (
    "UPDATE seen SET seen_us = ? WHERE tweet_id IN"
    " (SELECT tweet_id FROM seen WHERE seen_us > ? ORDER BY seen_us DESC LIMIT ?)"
)
COUNT_TWEET = (
    "UPDATE progress SET tweets = tweets + 1, last_tweet_id = ?, alive_us = max(?, alive_us)"
)
# Found in a gap: older than the last one, and no sign of life of the stream.
COUNT_FOUND = "UPDATE progress SET tweets = tweets + ?"
COUNT_UNREADABLE = "UPDATE progress SET unreadable = unreadable + 1"
COUNT_DUPLICATE = "UPDATE progress SET duplicates = duplicates + 1"
NOTE = (
    "UPDATE progress SET read_to_us = max(?, read_to_us), alive_us = max(?, alive_us),"
    " duplicates = duplicates + ?, unreadable = unreadable + ?"
)
# The clock was set back under the connection: told anew, so that the next outage has its length.
TELL_ANEW = "UPDATE progress SET read_to_us = ? WHERE read_to_us > ?"
NOTE_OPEN = (
    "UPDATE progress SET connections = connections + 1, alive_us = ?, read_to_us = ?,"
    " gaps = gaps + ?"
)
COUNT_GAP = "UPDATE progress SET gaps = gaps + ?"
NOTE_RULE = (
    "UPDATE progress SET rule = ?, rule_us = ?, rule_is_gone = ?, gaps = gaps + ?,"
    " first_rule_us = coalesce(first_rule_us, ?)"
)
BURIED = "SELECT message FROM dead_letter WHERE message_type = ?"


def see(tx: Transaction, tweet_id: str, *, kept_us: int) -> bool:
    """Note that it stood in the stream, and forget what is older; return false where it had."""
    if not tx.execute(SEE, tweet_id, tx.now_us):
        return False
    tx.execute(DATE_ANEW, tx.now_us, tx.now_us, FORGET_ROWS_MAX)
    tx.execute(FORGET, tx.now_us - kept_us, FORGET_ROWS_MAX)
    return True


def progress(tx: ReadTransaction) -> sqlite3.Row:
    """Return the one row: how far, and what came of it."""
    row = tx.one(PROGRESS)
    assert row is not None, "the schema has made it"
    return row


def note(tx: Transaction, progress: Progress, *, slack_us: int) -> None:
    """Note how far has been read, less what may still be on its way, by `slack_us`."""
    read_to_us, alive_us = progress.read_to_us, 0
    if read_to_us is not None:
        alive_us = min(read_to_us, tx.now_us)  # not the future: a tweet's time may be wrong
        read_to_us = alive_us - slack_us
        tx.execute(TELL_ANEW, read_to_us, tx.now_us)
    tx.execute(NOTE, read_to_us or 0, alive_us, progress.duplicates, progress.unreadable)


def buried(tx: Transaction) -> frozenset[str]:
    """Return the ids of the tweets among this service's dead letters."""
    ids = set()
    for row in tx.all(BURIED, TweetRead.__name__):
        with contextlib.suppress(msgspec.MsgspecError):  # of another version, say
            ids.add(msgspec.json.decode(row["message"], type=TweetRead).external_id)
    return frozenset(ids)
