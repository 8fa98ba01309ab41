"""When X is left alone, and by whom: one pause for each thing that it may refuse or count.

A pause is a breaker (M. Nygard, "Release It!", 2007) that knows how long X wants it to be. When it
is over one request goes first; the others wait until that has its answer. It lives as long as the
process: a new one begins by asking.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from actors.systems.tweets.x.x_errors import XBarred, XBusy, XRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# X counts its longest window by the day: a later time is a mistake of X's, or a clock's.
PAUSE_S_MAX: Final = 86_400.0
# Until the request that goes first has its answer; an effect has less time than that.
FIRST_S: Final = 5.0


class PauseState(msgspec.Struct, frozen=True, kw_only=True):
    """X is left alone for `again_s` seconds more, for this reason, X's own."""

    what: str
    reason: str
    again_s: float


class Pause:
    """Of `s_min` seconds, doubled up to `s_max` while X says no, or as long as it is told to be."""

    def __init__(self, what: str, *, s_min: float, s_max: float) -> None:
        """`what` is left alone, for people."""
        self._what = what
        self._s_min = s_min
        self._s_max = s_max
        self._reason: str | None = None
        self._until_s = 0.0
        # The loop's, once there is a pause: who asks how it stands may do so in another thread.
        self._time: Callable[[], float] = float
        self._refusals = 0
        self._has_first = False
        # Which pause this is: what was asked before it says nothing about it.
        self._number = 0

    @property
    def reason(self) -> str | None:
        """Why X is left alone; None where it is not."""
        return self._reason

    def state(self) -> PauseState | None:
        """Return how it stands, for people."""
        if self._reason is None:
            return None
        return PauseState(what=self._what, reason=self._reason, again_s=self.left_s())

    def left_s(self) -> float:
        """Return how long it still is."""
        return max(0.0, self._until_s - self._time()) if self._reason is not None else 0.0

    def enter(self) -> int:
        """Return the pause's number, to ask X now. Raises XBusy: not yet."""
        if self._reason is None:
            return self._number
        left_s = self.left_s()
        if left_s > 0 or self._has_first:
            raise XBusy(self._reason, wait_s=max(left_s, FIRST_S if self._has_first else 0.0))
        self._has_first = True
        return self._number

    def leave(self, number: int) -> None:
        """The request is over, whatever came of it."""
        if number == self._number:
            self._has_first = False

    def bar(self, reason: str, wait_s: float | None = None) -> float:
        """X has said no to the only one who asks; return how long to leave it alone."""
        return self.refused(self._number, reason, wait_s)

    def clear(self) -> None:
        """X is well again, to the only one who asks."""
        self.accepted(self._number)

    def accepted(self, number: int) -> None:
        """X has not said no to it."""
        if number == self._number and self._reason is not None:
            self._reason = None
            self._refusals = 0
            self._number += 1
            self._has_first = False

    def refused(self, number: int, reason: str, wait_s: float | None) -> float:
        """X has said no; return how long to leave it alone: `wait_s`, if X has named a time."""
        if number != self._number:  # one of many that were under way when the first was refused
            return self.left_s()
        if wait_s is None:
            self._refusals += 1
            pause_s = min(self._s_min * 2.0 ** min(self._refusals - 1, 63), self._s_max)
        else:
            pause_s = max(self._s_min, min(wait_s, PAUSE_S_MAX))
        self._reason = reason
        self._time = asyncio.get_running_loop().time
        self._until_s = self._time() + pause_s
        self._number += 1
        self._has_first = False
        return pause_s


class Pauses:
    """What the parts that speak to X share: why, and until when, it is left alone.

    The account is one, for likes and replies alike. What X counts it counts by kind of request.
    """

    def __init__(self, *, s_min: float, s_max: float) -> None:
        """Seconds after a first no, and at most while X does not say when."""
        self._s_min = s_min
        self._s_max = s_max
        self.account = self._pause("likes and replies")
        self.app = self._pause("the stream, its rules and the search")
        self._kinds: dict[str, Pause] = {}

    def state(self) -> list[PauseState]:
        """Return those that there are now."""
        states = [each.state() for each in (self.account, self.app, *self._kinds.values())]
        return [each for each in states if each is not None]

    @contextlib.contextmanager
    def asking(self, kind: str) -> Iterator[Asking]:
        """Ask X for something of this kind as the account. Raises XBusy: it is left alone now.

        What XBarred and XBusy say of later ends up in the pauses.
        """
        counted = self._kinds.setdefault(kind, self._pause(kind))
        of_account = self.account.enter()
        try:
            of_kind = counted.enter()
            try:
                asking = Asking(counted, of_kind)
                yield asking
            except XBarred as no:
                no.wait_s = self.account.refused(of_account, no.detail, no.wait_s)
                raise
            except XBusy as no:
                self.account.accepted(of_account)
                pause_s = counted.refused(of_kind, no.detail, no.wait_s)
                if no.retry_at_us is None:
                    no.wait_s = pause_s
                raise
            except XRefused:  # it has looked at the one tweet: the account is well
                self.account.accepted(of_account)
                counted.accepted(of_kind)
                raise
            else:
                self.account.accepted(of_account)
                if not asking.is_last:
                    counted.accepted(of_kind)
            finally:
                counted.leave(of_kind)
        finally:
            self.account.leave(of_account)

    def _pause(self, what: str) -> Pause:
        return Pause(what, s_min=self._s_min, s_max=self._s_max)


class Asking:
    """One request that is under way."""

    def __init__(self, counted: Pause, number: int) -> None:
        self._counted = counted
        self._number = number
        self.is_last = False

    def was_last(self, kind: str, wait_s: float) -> None:
        """X has done it, and says that it will do no more of the kind for so long."""
        self.is_last = True
        reason = f"X has said that its limit for {kind} is used up"
        self._counted.refused(self._number, reason, wait_s)
