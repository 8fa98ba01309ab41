"""The favouriter's effect on X, and what comes of it."""

from __future__ import annotations

from actors.kernel.messages import Command
from actors.systems.tweets.actions import Later, Outcome  # noqa: TC001 - msgspec reads it at run time


class LikeTweet(Command, frozen=True, kw_only=True):
    """Like a tweet at X. Its id is the effect's key: X counts a second like as the first.

    `unclear` is how often X has said a no to it that may have been about this tweet alone.
    """

    external_id: str
    unclear: int = 0


class RecordLike(Command, frozen=True, kw_only=True):
    external_id: str
    outcome: Outcome


class PostponeLike(Command, frozen=True, kw_only=True):
    """X will not do it now, or was not asked for that reason; see actions.Later."""

    external_id: str
    later: Later
    unclear: int = 0
