"""The favouriter's effect on X, and what comes of it."""

from __future__ import annotations

from actors.kernel.messages import Command
from actors.systems.tweets.actions import Outcome  # noqa: TC001 - msgspec reads it at run time


class LikeTweet(Command, frozen=True, kw_only=True):
    """Like a tweet at X. Its id is the effect's key: X counts a second like as the first."""

    external_id: str


class RecordLike(Command, frozen=True, kw_only=True):
    external_id: str
    outcome: Outcome


class PostponeLike(Command, frozen=True, kw_only=True):
    """X has had too many requests; `retry_at_us` is when it counts anew, if it has said so."""

    external_id: str
    reason: str
    retry_at_us: int | None
