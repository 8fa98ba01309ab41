"""The responder's effect on X, and what comes of it."""

from __future__ import annotations

from actors.kernel.messages import Command
from actors.systems.tweets.actions import Outcome  # noqa: TC001 - msgspec reads it at run time


class PostReply(Command, frozen=True, kw_only=True):
    """Answer a tweet at X. The text is the effect's key: X refuses one that it has seen."""

    external_id: str
    text: str


class RecordReply(Command, frozen=True, kw_only=True):
    external_id: str
    outcome: Outcome


class PostponeReply(Command, frozen=True, kw_only=True):
    """X has had too many requests; `retry_at_us` is when it counts anew, if it has said so."""

    external_id: str
    text: str
    reason: str
    retry_at_us: int | None
