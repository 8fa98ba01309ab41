"""Guarantee 2: every answer within its time, where the way to who asks is whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from actors.errors import MessageExpired
from actors.kernel.messages import Expired
from actors.store.messaging.origin import ChannelOrigin, TimerOrigin

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from actors.kernel.envelope import Envelope
    from actors.simulation.oracles.handled import Handled, Said
    from actors.simulation.oracles.past import Past
    from actors.simulation.oracles.standstills import Standstills

    # A channel (sender, receiver) and a number of it, or a service and a number of its timers.
    Place = tuple[str | tuple[str, str], int]

# What an answer may take beyond its deadline: the way there and back.
WAY_S: Final = 0.5
# How long a link that is whole again may still hold what was sent before: a client gives up after
# ten seconds, and leaves no connection idle for longer than fifteen.
GRACE_S: Final = 30.0
# How soon what a client sends has arrived, by a link that is whole.
ARRIVED_S: Final = 0.02
# From the look at a deadline to the work a turn of the loop goes by.
TURN_S: Final = 0.01
# Where a message comes from that nobody keeps.
NOWHERE: Final = ("", 0)


class DeadlineOracle:
    """Knows which links are whole, and since when: what is late on a broken one is nobody's doing.

    A link is named `client-0<>edge`, or in one direction `client-0>edge`.
    """

    def __init__(self) -> None:
        """All links are whole."""
        self._broken: set[str] = set()
        # Of each host: when something was done to its link last.
        self._touched_s: dict[str, float] = {}

    @property
    def untouched(self) -> bool:
        """Whether nothing was ever done to any link."""
        return not self._touched_s

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

    def __init__(self, pauses: Standstills) -> None:
        """It runs."""
        self._pauses = pauses
        # When the last such end began, and when it was over.
        self._begun_s = self._over_s = -math.inf

    def begin(self, now_s: float) -> None:
        """Hear that it begins to end."""
        self._begun_s, self._over_s = now_s, math.inf

    def over(self, now_s: float) -> None:
        """Hear that it has ended."""
        self._over_s = now_s

    def unanswered(self, what: str, begun_s: float, now_s: float) -> Iterator[str]:
        """Hear who has had no answer, by a link that was whole; yield who should have had one.

        A client whose patience a pause has used up leaves before his request's deadline.
        """
        before_s = self._begun_s - begun_s
        ending = self._begun_s <= now_s <= self._over_s + ARRIVED_S
        if ending and before_s >= ARRIVED_S and not self._pauses.within(begun_s, now_s):
            yield f"{what}, asked {before_s:.3f} s before the process ended in order, has no answer"


class ExpiryOracle:
    """What was given a time is not run after it, nor given up before; and none is given more.

    It knows the times from the handlers that gave them: what a message leads to has no later one
    than the message itself.
    """

    def __init__(self, past: Past, effects: Container[tuple[str, str]]) -> None:
        """Begin with what the files held; `effects` are by service and type.

        What one of these comes to is told, however late.
        """
        self._effects = effects
        # Of a channel (sender, receiver) the number, of a timer its service and number: the time,
        # and what it is.
        self._times: dict[Place, tuple[int, str]] = {}
        for channel, parcels in past.waiting.items():
            for parcel in parcels:
                self.given((channel, parcel.number), parcel.type, parcel.by_us)
        for store, timers in past.timers.items():
            for timer in timers:
                self.given((store, timer.seq), timer.type, timer.by_us)
        # The latest that the wall clock has ever said, as far as was heard: it may be set back.
        self._latest_us = 0
        # Of the batch in hand, by the identity of its envelopes.
        self._own: dict[int, int] = {}

    def hear(self, store: str, batch: Sequence[Handled]) -> Iterator[str]:
        """Note whose time is whose; yield what was run too late, or given up too soon."""
        self._own.clear()
        for each in batch:
            self.says(each.now_us)
            place = _place(store, each.envelope.origin)
            by_us, what = self._times.get(place, (None, ""))
            if by_us is not None:
                self._own[id(each.envelope)] = by_us
                if each.stands:
                    del self._times[place]
            if place[0] != store or (store, what) not in self._effects:
                yield from self._judge(store, each, by_us)

    def says(self, now_us: int) -> None:
        """Hear what the wall clock says."""
        self._latest_us = max(self._latest_us, now_us)

    def was_up(self, each: Handled, within_s: float) -> bool:
        """Whether a message of the batch in hand has a time, and that has passed, or nearly."""
        by_us = self.time_of(each)
        return by_us is not None and by_us <= self._latest_us + within_s * 1e6

    def time_of(self, each: Handled) -> int | None:
        """Return the time that a message of the batch in hand has itself."""
        return self._own.get(id(each.envelope))

    def until(self, each: Handled, said: Said) -> int | None:
        """Return the time of what its handler has said."""
        own_us = self.time_of(each)
        return said.by_us if said.by_us is None or own_us is None else min(said.by_us, own_us)

    def given(self, place: Place, what: str, by_us: int | None) -> None:
        """Hear under which number something is on its way."""
        if by_us is not None:
            self._times[place] = by_us, what

    def _judge(self, store: str, each: Handled, by_us: int | None) -> Iterator[str]:
        message, origin = each.envelope.message, each.envelope.origin
        what = type(message).__name__
        is_sent_back = isinstance(each.outcome, MessageExpired)
        is_own = isinstance(message, Expired) and origin.__class__ is TimerOrigin
        if is_sent_back or (is_own and each.run is not None):
            if by_us is None or by_us > self._latest_us:
                yield f"{store} has not run {what}, for its time was up, and it was not"
        elif by_us is not None and each.run is not None:
            late_us = each.run.now_us - by_us
            if late_us >= 0:
                yield f"{store} has run {what} {late_us / 1e6:.6f} s after its time was up"


def _place(store: str, origin: Any) -> Place:
    if origin.__class__ is ChannelOrigin:
        return (origin.sender, store), origin.number
    return (store, origin.seq) if origin.__class__ is TimerOrigin else NOWHERE


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
