"""Who likes what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.kernel.messages import Refusal
from actors.systems.x_platform import snowflake
from actors.systems.x_platform.messages import Like, Liked, ListLikes, Things, Unlike
from actors.systems.x_platform.x_tweet_rows import find_tweet, gather, tweet_of
from actors.systems.x_platform.x_user_rows import find_user

if TYPE_CHECKING:
    from actors.store.transaction import ReadTransaction, Transaction

LIKE = "INSERT INTO liked (user_id, tweet_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
UNLIKE = "DELETE FROM liked WHERE user_id = ? AND tweet_id = ?"
LIKED_BY = (
    "SELECT tweet.* FROM liked JOIN tweet ON tweet.id = tweet_id"
    " WHERE user_id = ? ORDER BY seq DESC LIMIT ?"
)


def like(tx: Transaction, cmd: Like) -> Liked | Refusal:
    """Like it; again changes nothing. Of an unknown user or tweet: not found."""
    refusal = refuse_unknown(tx, cmd.user_id) or _refuse_unknown_tweet(tx, cmd.tweet_id)
    if refusal is None:
        tx.execute(LIKE, int(cmd.user_id), int(cmd.tweet_id))
    return refusal or Liked(liked=True)


def unlike(tx: Transaction, cmd: Unlike) -> Liked | Refusal:
    """Like it no more; what was not liked is not liked now."""
    refusal = refuse_unknown(tx, cmd.user_id) or _refuse_unknown_tweet(tx, cmd.tweet_id)
    if refusal is None:
        tx.execute(UNLIKE, int(cmd.user_id), int(cmd.tweet_id))
    return refusal or Liked(liked=False)


def list_likes(tx: ReadTransaction, question: ListLikes) -> Things | Refusal:
    """List what the user likes, latest first, and what belongs to it."""
    refusal = refuse_unknown(tx, question.user_id)
    if refusal is not None:
        return refusal
    rows = tx.all(LIKED_BY, snowflake.number_of(question.user_id), question.limit)
    return gather(tx, [tweet_of(row) for row in rows], included=True)


def refuse_unknown(tx: ReadTransaction, user_id: str) -> Refusal | None:
    """Refuse what is asked for a user that there is not."""
    if find_user(tx, user_id) is None:
        return Refusal.not_found(f"Could not find user with id: [{user_id}].")
    return None


def _refuse_unknown_tweet(tx: ReadTransaction, tweet_id: str) -> Refusal | None:
    if find_tweet(tx, tweet_id) is None:
        return Refusal.not_found(f"Could not find tweet with id: [{tweet_id}].")
    return None
