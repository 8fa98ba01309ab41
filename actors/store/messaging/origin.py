"""Where a message is kept until it is applied: what its receiver's transaction must settle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

# No number is higher.
UNKNOWN: Final = 2**63 - 1


class ChannelOrigin(msgspec.Struct, frozen=True, gc=False):
    """Number `number` of the channel from `sender`, whose file is `store`.

    `base` is the lowest number that was not acknowledged when this was sent: what lies below will
    not come again. `last` is the highest it can have given, and `first` the lowest.
    """

    sender: str
    store: str
    number: int
    base: int
    last: int
    first: int = 1


class Numbering(msgspec.Struct, frozen=True):
    """Under which identity of its sender's file each number of a channel was given.

    `store` is the present one; `former` are those before it, the oldest first, each with the
    highest number that it is known to have given.
    """

    store: str
    former: tuple[tuple[str, int], ...] = ()

    def given_by(self, number: int) -> tuple[str, int]:
        """Return the identity that gave the number, and the first that it gave."""
        first = 1
        for store, last in self.former:
            if number <= last:
                return store, first
            first = last + 1
        return self.store, first

    def origin(self, sender: str, number: int, *, base: int, last: int) -> ChannelOrigin:
        """Return where the message is kept; `last` is the highest number that was given."""
        if not self.former:  # as a rule: one is made for each message
            return ChannelOrigin(sender, self.store, number, base, last)
        store, first = self.given_by(number)
        # What was given under a former one after the copy was made, this file cannot know.
        last = last if store == self.store else UNKNOWN
        return ChannelOrigin(sender, store, number, base, last, first)

    def applied(self, mark: Callable[[str], int]) -> int:
        """Return the highest number applied; `mark` says up to which those of one identity are."""
        return max([mark(self.store), *[min(mark(store), last) for store, last in self.former]])


class TimerOrigin(msgspec.Struct, frozen=True, gc=False):
    """A row of the service's own timers: a command that is due, or an effect's end.

    `has_ended` says which: what has happened is told, however late.
    """

    seq: int
    has_ended: bool = False


class LetterOrigin(msgspec.Struct, frozen=True, gc=False):
    """A dead letter that is run again; `sender` is that of the channel it once came by.

    `attempts` are those that were made of it before.
    """

    letter_id: str
    sender: str | None
    attempts: int = 0


Origin = ChannelOrigin | TimerOrigin | LetterOrigin
