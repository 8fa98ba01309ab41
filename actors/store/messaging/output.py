"""What a batch's handlers want to tell the world: it leaves with the commit, or not at all."""

from __future__ import annotations

from typing import Any, Final

import msgspec

# When something is due that is due at once: also where the wall clock is set back meanwhile.
AT_ONCE_US: Final = 0


class Outgoing(msgspec.Struct, kw_only=True, gc=False):
    """A message on a channel; `number` is given at the commit. `message` is None until decoded.

    `urgent`: a client waits for what it leads to. No table knows: see BackgroundGate. After
    `by_us`, microseconds since the epoch, it is of no use any more, and is not run.
    """

    receiver: str
    message_type: str
    blob: bytes
    message: Any = None
    trace: str | None = None
    number: int = 0
    urgent: bool = False
    by_us: int | None = None


class Timer(msgspec.Struct, kw_only=True, gc=False):
    """A message to the service itself, due at `due_us` or AT_ONCE_US; `seq` comes at the commit.

    `urgent` and `by_us` as of an Outgoing.
    """

    due_us: int
    message_type: str
    blob: bytes
    message: Any = None
    trace: str | None = None
    seq: int = 0
    urgent: bool = False
    by_us: int | None = None


class Published(msgspec.Struct, kw_only=True, gc=False):
    """An event as it is kept for subscribers yet to come."""

    message_type: str
    blob: bytes
    trace: str | None


class Output(msgspec.Struct):
    """All of one batch; `replies` are answers to a Later, by the request's name."""

    messages: list[Outgoing] = []
    timers: list[Timer] = []
    events: list[Published] = []
    replies: list[tuple[str, Any]] = []
