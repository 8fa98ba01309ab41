"""Guarantee 17: a timer fires once, never early, and late rather than never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from actors.errors import DeadLettered, MessageExpired
from actors.kernel.messages import (
    EffectOutcome,
    Expired,
    GaveUp,
    stored_names,
    type_name,
    type_of,
)
from actors.service.effects import EffectPutOff
from actors.simulation.oracles.handled import Content
from actors.store.messaging.origin import TimerOrigin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.simulation.oracles.deadline_oracle import ExpiryOracle
    from actors.simulation.oracles.handled import Handled, Said
    from actors.simulation.oracles.past import Past
    from actors.simulation.oracles.standstills import Standstills

# How late a command may come that was due while nothing was in the way: two commits of a slow disk,
# and a queue of others.
LATE_S_MAX: Final = 1.0
# How long it may be on its way when the clock is set, or its service comes up again: its own batch
# of a slow disk, and one before.
ON_ITS_WAY_S: Final = 45.0


class Set(NamedTuple):
    """A timer that was set and has not fired: when it is due, or 0 for at once, and what it is.

    `set_back_us` is how far the wall clock had been set back in all when it was set; `set_us` what
    it said then, or 0 where that was before the run. After `by_us` it is not to be run.
    """

    due_us: int
    what: Content
    set_back_us: int = 0
    set_us: int = 0
    by_us: int | None = None


class TimerOracle:
    """Holds what fired against what was asked for: `tx.now` and the delay of the call that set it.

    Timers are told apart by their number: the first commit's is 1, the next one's 2, and so on, in
    the order in which handlers set them. A step of the wall clock is a step for timers.
    """

    def __init__(self, past: Past, pauses: Standstills, times: ExpiryOracle) -> None:
        """Begin with what the files held; in `pauses` nothing gets on on its way.

        `times` is told under which number each is set.
        """
        self._times = times
        self._pauses = pauses
        self._last = dict(past.timers_last)
        # When the wall clock was set back last, and how far in all by then.
        self._set_back_s = 0.0
        self._set_back_us = 0
        # How far when this process began, which has nothing on its way from before; and when each
        # store was opened: its mailbox is as it was.
        self._begun_us = 0
        self._opened_s: dict[str, float] = {}
        self.pending: dict[str, dict[int, Set]] = {
            store: {
                each.seq: Set(each.due_us, Content(each.type, each.json), by_us=each.by_us)
                for each in timers
            }
            for store, timers in past.timers.items()
        }

    def begin(self) -> None:
        """Another process begins: what was on its way is read from the files again."""
        self._begun_us = self._set_back_us

    def opened(self, store: str, now_s: float) -> None:
        """Hear that an incarnation begins: what waited for it goes on its way."""
        self._opened_s[store] = now_s

    def hear(self, store: str, batch: Sequence[Handled], *, quiet_us: int | None) -> Iterator[str]:
        """Note which were set and which have fired; yield what is wrong with that.

        `quiet_us` is since when nothing is in the way of any, in the clock's microseconds.
        """
        pending = self.pending.setdefault(store, {})
        for each in batch:
            origin = each.envelope.origin
            if each.stands and origin.__class__ is TimerOrigin:
                yield from self._fired(store, each, origin.seq, pending, quiet_us)
            for said in each.run.said if each.keeps and each.run else ():
                if said.how == "after":
                    self._last[store] = self._last.get(store, 0) + 1
                    pending[self._last[store]] = self._set(store, each, said)

    def _set(self, store: str, each: Handled, said: Said) -> Set:
        by_us = self._times.until(each, said)
        self._times.given((store, self._last[store]), said.what.type, by_us)
        due_us = said.due_us
        if by_us is not None and by_us < due_us:  # then it is known that it will not be run
            now_us = each.run.now_us if each.run else 0
            due_us = by_us if by_us > now_us else 0
        return Set(due_us, said.what, self._set_back_us, each.now_us, by_us)

    def stepped(self, forward_us: int, now_s: float) -> None:
        """Hear that the wall clock is set: what was due by then may be on its way already."""
        if forward_us < 0:
            self._set_back_s, self._set_back_us = now_s, self._set_back_us - forward_us

    def left(self, now_us: int) -> Iterator[str]:
        """Yield the timers that have not fired though they were due."""
        for store, timers in self.pending.items():
            for due_us, what, *_ in timers.values():
                if due_us <= now_us:
                    since = f"for {(now_us - due_us) / 1e6:.3f} s" if due_us else "at once"
                    yield f"{store}: {what.type} was due {since} and has not fired"

    def _fired(
        self, store: str, each: Handled, seq: int, pending: dict[int, Set], quiet_us: int | None
    ) -> Iterator[str]:
        timer = pending.pop(seq, None)
        if timer is None:
            if each.run is not None:
                yield f"{store}: timer {seq} has fired, which nobody has set, or twice"
            return
        if each.run is None and not isinstance(each.outcome, DeadLettered | MessageExpired):
            yield f"{store}: timer {seq}, {timer.what.type}, counts as fired, and has not run"
        fired = _fired(each.envelope.message, timer.what)
        is_command = fired is each.envelope.message
        if fired is not None and not timer.what.is_told_by(fired):
            name = type_name(type_of(fired))
            yield f"{store}: {timer.what.type} was set, and {name} has fired, or another one"
        now_us = each.run.now_us if each.run else each.now_us
        early_us = timer.due_us - now_us
        since_s = max(self._set_back_s, self._opened_s.get(store, 0.0))
        # An effect has begun when it was due, and may try for hours.
        way_s = each.at_s - since_s - self._pauses.within(since_s, each.at_s)
        may_be = not is_command or way_s < ON_ITS_WAY_S
        back_us = self._set_back_us - max(timer.set_back_us, self._begun_us)
        if early_us > (back_us if may_be else 0):
            yield f"{store}: {timer.what.type} has fired {early_us / 1e6:.6f} s before it was due"
        wanted_us = timer.due_us or timer.set_us
        if quiet_us is not None and is_command and wanted_us:
            late_us = now_us - max(wanted_us, quiet_us)
            if late_us > LATE_S_MAX * 1e6:
                yield f"{store}: {timer.what.type} has fired {late_us / 1e6:.6f} s late"


def _fired(message: Any, was_set: Content) -> Any:
    """Return the message, or the effect that it came of; nothing where it does not say which."""
    if isinstance(message, EffectOutcome | GaveUp | EffectPutOff | Expired):
        return message.command
    return message if was_set.type in stored_names(type_of(message)) else None
