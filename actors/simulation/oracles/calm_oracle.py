"""Where nothing is done to it, a system is calm: nothing crashes, nobody finds no room."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from actors.errors import Busy
from actors.kernel import lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from actors.simulation.oracles.handled import Handled

# What the edge says where it has no answer in time, or no room.
NO_ROOM: Final = 503
OVERLOAD: Final = frozenset({500, NO_ROOM, 504})
# As many connections as the clients of a run may have at once. Where there are fewer places, one
# that is idle has to go, and what its client sends at that moment nobody hears.
CONNECTED_MAX: Final = 16
# How long after the last thing that was done to it, and after the last service was up again, all is
# as if nothing had been: longer than a channel, a probe of the disk or a breaker waits.
RECOVERED_S: Final = 15.0
# What ends one reason why somebody does not do all of its work; any other stays.
ENDS: Final[dict[type[lifecycle.LifecycleEvent], type[lifecycle.LifecycleEvent]]] = {
    lifecycle.Resumed: lifecycle.Suspended,
    lifecycle.Recovered: lifecycle.Degraded,
}
# Who does these things has asked for them.
ASKED_FOR: Final = (lifecycle.Suspended, lifecycle.Resumed, lifecycle.Stopped)


class CalmOracle:
    """Knows since when it has been calm: the whole run, or a stretch of it.

    A stretch begins `RECOVERED_S` after the last disturbance, if nothing lasts and all are up.
    """

    def __init__(self, *, roomy: bool) -> None:
        """Nothing has happened. Where limits are small on purpose it is not `roomy`."""
        self.roomy = roomy
        # When something was last done to it; None: nothing was.
        self._disturbed_s: float | None = None
        self._lasting: set[tuple[str, str]] = set()
        # Who is not up, and what has happened to it since it was.
        self._down: dict[str, set[type[lifecycle.LifecycleEvent]]] = {}
        self._sent_too_soon: dict[str, int] = {}
        # Each disturbance: from when, and until when it lasted; without an end it still does.
        self._spans: list[list[float]] = []
        self._open: dict[tuple[str, str], list[float]] = {}
        # When the wall clock was set last, and until when that lasts.
        self._set = [0.0, 0.0]

    @property
    def undisturbed(self) -> bool:
        """Whether nothing at all was done to it."""
        return self._disturbed_s is None

    @property
    def down(self) -> AbstractSet[str]:
        """Who is not up, of those that were, or does not do all of its work."""
        return self._down.keys()

    def down_since(self, at_s: float) -> AbstractSet[str]:
        """Return who was not up then, and has not been since."""
        return {name for name in self._down if self._open.get(("down", name), [inf])[0] <= at_s}

    def disturb(self, now_s: float) -> None:
        """Hear that something was done to it now."""
        self._disturbed_s = now_s
        if not self._spans or self._spans[-1] != [now_s, now_s]:
            self._spans.append([now_s, now_s])

    def lasts(self, what: tuple[str, str], now_s: float) -> None:
        """Hear that something is being done to it from now on."""
        self.disturb(now_s)
        self._lasting.add(what)
        self._begin(what, now_s)

    def ends(self, what: tuple[str, str], now_s: float) -> None:
        """Hear that this is over."""
        self.disturb(now_s)
        self._lasting.discard(what)
        self._end(what, now_s)

    def stepped(self, now_s: float, lasts_s: float) -> None:
        """Hear that the wall clock was set, and how long that lasts, unless it is set again.

        It lasts until it says nothing any more that it has said before, for what waits for an
        instant by it waits longer than it was to; and until who waits has looked at it again.
        """
        self.disturb(now_s)
        self._set[1] = min(self._set[1], now_s)
        self._set = [now_s, now_s + lasts_s]
        self._spans.append(self._set)

    def was_disturbed(self, first_s: float, last_s: float) -> bool:
        """Whether anything was done to it, or anybody was not up, at some time between the two."""
        return any(begun_s <= last_s and first_s <= ended_s for begun_s, ended_s in self._spans)

    def since_s(self, now_s: float) -> float | None:
        """Return since when it is calm; None where it is not."""
        if self._disturbed_s is None:
            return 0.0
        since_s = max(self._disturbed_s, self._set[1]) + RECOVERED_S
        return None if self._lasting or self._down or since_s > now_s else since_s

    def hear(self, event: lifecycle.LifecycleEvent, now_s: float) -> Iterator[str]:
        """Yield what should not happen to an actor in calm."""
        calm = self.since_s(now_s) is not None
        if isinstance(event, lifecycle.Started):
            self._up(event.name, now_s)
            if not self.undisturbed:  # a process may have begun with it parked
                self.disturb(now_s)
            return
        if isinstance(event, lifecycle.DeadLettered) and not self.roomy:
            return
        detail = getattr(event, "error", "") or getattr(event, "reason", "")
        asked_for = isinstance(event, ASKED_FOR) or getattr(event, "wished", False)
        if calm and not (asked_for and not self.undisturbed):
            yield f"{event.name} has {type(event).__name__.lower()}: {detail}"
        if self.undisturbed:
            return
        self.disturb(now_s)
        if isinstance(event, lifecycle.Restarted):
            self._up(event.name, now_s)
        elif type(event) in ENDS:
            why = self._down.get(event.name, set())
            why.discard(ENDS[type(event)])
            if not why:
                self._up(event.name, now_s)
        elif not isinstance(event, lifecycle.DeadLettered | lifecycle.HookFailed):
            self._down.setdefault(event.name, set()).add(type(event))
            self._begin(("down", event.name), now_s)

    def batch(self, store: str, batch: Sequence[Handled]) -> Iterator[str]:
        """Yield who found no room."""
        for each in batch:
            if self.roomy and isinstance(each.outcome, Busy):
                yield f"{store} refused {type(each.envelope.message).__name__}: {each.outcome}"

    def asked(self, what: str, status: int, *, places: int) -> Iterator[str]:
        """Yield how a client was answered who should have been served; 0 is not at all.

        So many as there are `places` may be connected.
        """
        if status == NO_ROOM and not self.roomy:
            return
        if status == 0 and places < CONNECTED_MAX:
            return
        if status in OVERLOAD or status == 0:
            yield f"{what} was answered {status or 'not at all'}"

    def serves(self, rejected: Sequence[tuple[str, int]]) -> None:
        """Hear that a process is up, and what was sent in vain to who was not up before."""
        self._sent_too_soon = dict(rejected)

    def rejected(self, counts: Sequence[tuple[str, int]]) -> Iterator[str]:
        """Yield the mailboxes that took less than they were given, since all were up."""
        for name, count in counts:
            lacking = count - self._sent_too_soon.get(name, 0)
            if lacking and self.roomy:
                yield f"the mailbox of {name} has rejected {lacking} messages"

    # --- Inside ------------------------------------------------------------------------------

    def _up(self, name: str, now_s: float) -> None:
        self._down.pop(name, None)
        self._end(("down", name), now_s)

    def _begin(self, what: tuple[str, str], now_s: float) -> None:
        if what not in self._open:
            self._open[what] = [now_s, inf]
            self._spans.append(self._open[what])

    def _end(self, what: tuple[str, str], now_s: float) -> None:
        span = self._open.pop(what, None)
        if span is not None:
            span[1] = now_s
