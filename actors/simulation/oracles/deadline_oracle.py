"""Guarantee 2: every answer within its time, where the way to who asks is whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.kernel.envelope import Envelope
    from actors.simulation.oracles.standstills import Standstills

# What an answer may take beyond its deadline: the way there and back.
WAY_S: Final = 0.5
# How long a link that is whole again may still hold what was sent before: a client gives up after
# ten seconds, and leaves no connection idle for longer than fifteen.
GRACE_S: Final = 30.0
# How soon what a client sends has arrived, by a link that is whole.
ARRIVED_S: Final = 0.02
# From the look at a deadline to the work a turn of the loop goes by.
TURN_S: Final = 0.01


class DeadlineOracle:
    """Knows which links are whole, and since when: what is late on a broken one is nobody's doing.

    A link is named `client-0<>edge`, or in one direction `client-0>edge`.
    """

    def __init__(self) -> None:
        """All links are whole."""
        self._broken: set[str] = set()
        # Of each host: when something was done to its link last.
        self._touched_s: dict[str, float] = {}

    def breaks(self, link: str, now_s: float) -> None:
        """Hear that something is done to it that lasts."""
        self._broken.add(link)
        self.touched(link, now_s)

    def touched(self, link: str, now_s: float) -> None:
        """Hear that something was done to it that does not last, or that what lasted has ended."""
        for host in _hosts(link):
            self._touched_s[host] = now_s

    def heals(self, link: str, now_s: float) -> None:
        """Hear that it is whole again."""
        self._broken.discard(link)
        self.touched(link, now_s)

    def is_whole(self, host: str, since_s: float) -> bool:
        """Whether a host's link has been whole since then, and what broke it is long over."""
        broken = any(host in _hosts(link) for link in self._broken)
        touched_s = self._touched_s.get(host)
        return not broken and (touched_s is None or touched_s + GRACE_S <= since_s)

    def asked(
        self, what: str, host: str, begun_s: float, took_s: float, deadline_s: float
    ) -> Iterator[str]:
        """Yield who waited longer than he was to, on a link that was whole all the time."""
        if took_s > deadline_s + WAY_S and self.is_whole(host, begun_s):
            yield f"{what} took {took_s:.3f} s, of {deadline_s:g} s"


class LastAnswers:
    """Who was heard before the process began to end in order has an answer before it has ended."""

    def __init__(self) -> None:
        """It runs."""
        # When the last such end began, and when it was over.
        self._begun_s = self._over_s = -math.inf

    def begin(self, now_s: float) -> None:
        """Hear that it begins to end."""
        self._begun_s, self._over_s = now_s, math.inf

    def over(self, now_s: float) -> None:
        """Hear that it has ended."""
        self._over_s = now_s

    def unanswered(self, what: str, begun_s: float, now_s: float) -> Iterator[str]:
        """Hear who has had no answer, by a link that was whole; yield who should have had one."""
        before_s = self._begun_s - begun_s
        if before_s >= ARRIVED_S and self._begun_s <= now_s <= self._over_s + ARRIVED_S:
            yield f"{what}, asked {before_s:.3f} s before the process ended in order, has no answer"


def expired(
    store: str, batch: Sequence[Envelope], now_s: float, pauses: Standstills
) -> Iterator[str]:
    """Yield what is about to be run although nobody can get its answer in time any more."""
    for each in batch:
        if each.deadline is None:
            continue
        late_s = now_s - each.deadline
        if late_s - pauses.within(each.deadline, now_s) >= TURN_S:
            name = type(each.message).__name__
            yield f"{store} was given {name} {late_s:.3f} s after its deadline"


def _hosts(link: str) -> tuple[str, ...]:
    return tuple(link.replace("<>", ">").split(">"))
