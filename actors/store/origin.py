"""Where a message is kept until it is applied: what its receiver's transaction must settle."""

from __future__ import annotations

import msgspec


class ChannelOrigin(msgspec.Struct, frozen=True):
    """Number `number` of the channel from `sender`, whose file is `store`.

    `base` is the lowest number that was not acknowledged when this was sent: what lies below will
    not come again. `last` is the highest it has given.
    """

    sender: str
    store: str
    number: int
    base: int
    last: int


class TimerOrigin(msgspec.Struct, frozen=True):
    """A row of the service's own timers: a command that is due, or an effect's outcome."""

    seq: int


class LetterOrigin(msgspec.Struct, frozen=True):
    """A dead letter that is run again; `sender` is that of the channel it once came by.

    `attempts` are those that were made of it before.
    """

    letter_id: str
    sender: str | None
    attempts: int = 0


Origin = ChannelOrigin | TimerOrigin | LetterOrigin
