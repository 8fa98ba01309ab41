"""The responder's effect on X, and what comes of it."""

from __future__ import annotations

import msgspec

from actors.kernel.messages import Command
from actors.systems.tweets.actions import Later, Outcome  # noqa: TC001 - msgspec reads it at run time


class PostReply(Command, frozen=True, kw_only=True):
    """Answer a tweet at X. The text is the effect's key: X refuses one that it has seen.

    `unclear` is how often X has said a no to it that may have been about this tweet alone.
    """

    external_id: str
    text: str
    unclear: int = 0


class RecordReply(Command, frozen=True, kw_only=True):
    external_id: str
    outcome: Outcome


class PostponeReply(Command, frozen=True, kw_only=True):
    """X will not do it now, or was not asked for that reason; see actions.Later.

    `is_first` is whether no earlier attempt has been left without X's answer: then nothing stands.
    """

    external_id: str
    text: str
    later: Later
    unclear: int = 0
    is_first: bool = True


class BeginReply(Command, frozen=True, kw_only=True):
    """The reply to that tweet is about to be posted: note from when on it may stand at X."""

    external_id: str


class ReplyBegun(msgspec.Struct, frozen=True, kw_only=True):
    """Whether there is time left for it, and no attempt before it whose answer is not known."""

    has_time: bool
    is_first: bool
