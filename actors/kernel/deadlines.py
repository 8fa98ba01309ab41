"""When those who wait give up: one timer of the loop for all of them.

Nearly every wait ends long before its deadline. A timer of the loop for each, made and cancelled,
cost an ask more than all the rest of it (1.7 of 3.1 microseconds); an entry here costs 0.6. It
is a timing wheel (Varghese and Lauck, 1987) whose slots are looked through exactly.
"""

from __future__ import annotations

import math
from threading import get_ident
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import asyncio
    from contextvars import Context

    from actors.kernel.clock import Clock

    class Waiting(Protocol):
        """Who is told that the time is up, unless it has left the slot that it was given."""

        slot: Slot | None

        def expire(self, after_s: float, whom: str) -> None:
            """Give up on `whom`, who had `after_s` seconds."""
            ...

    # Those whose deadlines fall into one part of a second, in the order in which they came.
    Slot = dict[Waiting, tuple[float, float, str]]

# A slot is looked through when something in it is due: as many as ask within a sixteenth of a
# second, and have no answer yet. An ask's deadline of seconds takes some hundred slots.
SLOTS_A_S: Final = 16
# An empty slot keeps the memory of when it was full: so many are kept beyond those that are not.
SLOTS_SPARE: Final = 16
# Seconds are floats: what is due in less is due.
ROUNDED_S: Final = 1e-6
# uvloop counts milliseconds, and rounds: whoever it calls too early waits for one more.
TICK_S: Final = 0.001


class Deadlines:
    """Tells whoever waits when its time is up: never early, and late by the loop's delay alone.

    Belongs to the loop's thread, but for `add`. Who has its answer leaves:
    `del waiting.slot[waiting]`.
    """

    __slots__ = (
        "_ambient", "_clock", "_looks_s", "_loop", "_slots", "_slots_max", "_thread", "_timer",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, ambient: Context) -> None:
        """Nobody waits."""
        self._loop = loop
        self._clock = clock
        self._ambient = ambient
        self._thread = get_ident()
        self._slots: dict[int, Slot] = {}
        self._slots_max = SLOTS_SPARE
        # When it looks next who is due, and the timer of that.
        self._looks_s = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def add(self, waiting: Waiting, at_s: float, after_s: float, whom: str) -> None:
        """Have it expire at `at_s`, by the clock's `monotonic`; the rest is what it is told.

        From another thread it is added in the loop's next turn.
        """
        if get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self.add, waiting, at_s, after_s, whom)
            return
        number = int(at_s * SLOTS_A_S)
        slot = self._slots.get(number)
        if slot is None:
            if len(self._slots) >= self._slots_max:
                self._sweep()
            slot = self._slots[number] = {}
        slot[waiting] = at_s, after_s, whom
        waiting.slot = slot
        if at_s < self._looks_s:
            self._look_at(at_s, at_s - self._clock.monotonic())

    def waiting(self) -> list[Waiting]:
        """Return those who wait, in no order."""
        return [each for slot in self._slots.values() for each in slot]

    def _sweep(self) -> None:
        """Drop the empty slots; as often as there are twice as many, so that it costs nothing."""
        self._slots = {number: slot for number, slot in self._slots.items() if slot}
        self._slots_max = 2 * len(self._slots) + SLOTS_SPARE

    def _look_at(self, at_s: float, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_s = at_s
        self._timer = self._loop.call_later(max(0.0, delay_s), self._look, context=self._ambient)

    def _look(self) -> None:
        """Tell those whose time is up, and look again when the next one's is."""
        asked_s, now_s = self._looks_s, self._clock.monotonic()
        self._looks_s, self._timer = math.inf, None
        for number in sorted(self._slots):
            slot = self._slots[number]
            for waiting, (at_s, after_s, whom) in list(slot.items()):
                if at_s <= now_s + ROUNDED_S:
                    del slot[waiting]
                    waiting.slot = None
                    waiting.expire(after_s, whom)
            if slot:
                next_s = min(at_s for at_s, _, _ in slot.values())
                too_early = next_s <= asked_s
                self._look_at(next_s, max(next_s - now_s, TICK_S if too_early else 0.0))
                return
            del self._slots[number]
