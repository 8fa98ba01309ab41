"""What a store did with one message of a batch, as whoever stands beside it sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from msgspec import json

from actors.kernel.messages import stored_names, type_name, type_of

if TYPE_CHECKING:
    from actors.kernel.envelope import Envelope

encode = json.Encoder().encode


class Said(NamedTuple):
    """One call of a handler's: `tx.send`, `tx.publish`, `tx.run`, `tx.after` or `tx.reply`.

    `receiver` is a send's, or which request a reply is for; `due_us` is a timer's: the
    transaction's time and the delay it asked for. `by_us` is the time that was given to it.
    """

    how: Literal["send", "publish", "after", "reply"]
    what: Content
    receiver: str = ""
    due_us: int = 0
    by_us: int | None = None


class Content(NamedTuple):
    """A message by value: the name of its type, and its JSON."""

    type: str
    json: bytes

    @classmethod
    def of(cls, message: Any) -> Content:
        """Take it as it is now."""
        return cls(type_name(type_of(message)), encode(message))

    def is_told_by(self, message: Any) -> bool:
        """Whether a message says all of it, as any version may read it.

        That may call it otherwise, and know of a field more.
        """
        if self.type not in stored_names(type_of(message)):
            return False
        return holds(encode(message), self.json)


class Run:
    """A handler at work on one message: when it was, what it said, what it raised."""

    __slots__ = ("now_us", "raised", "said")

    def __init__(self, now_us: int) -> None:
        """It begins, in a transaction of that time."""
        self.now_us = now_us
        self.said: list[Said] = []
        self.raised: BaseException | None = None


class Handled(NamedTuple):
    """One message of a batch, and what came of it.

    `run` is its handler's last, None where it was not called; `outcome` is what the store answered.
    `stands` is whether the message's own place was settled by a commit: it was handled, refused or
    buried. `keeps` is whether what its handler wrote and said stands, too. `now_us` and `at_s` are
    the wall clock and the monotonic one after the commit.
    """

    store: str
    envelope: Envelope
    run: Run | None
    outcome: Any
    stands: bool
    keeps: bool
    now_us: int
    at_s: float


def holds(more: bytes, fewer: bytes) -> bool:
    """Whether one JSON has all that another has, and perhaps a field more."""
    return more == fewer or _holds(json.decode(more), json.decode(fewer))


def _holds(more: Any, fewer: Any) -> bool:
    if isinstance(more, dict) and isinstance(fewer, dict):
        return all(key in more and _holds(more[key], value) for key, value in fewer.items())
    if isinstance(more, list) and isinstance(fewer, list):
        return len(more) == len(fewer) and all(map(_holds, more, fewer))
    return bool(more == fewer)
