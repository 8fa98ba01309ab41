"""What is wrong with handlers for a while: they raise, they are slow, the outside answers oddly."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from actors.errors import HandlerTimeout, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.simulation.deploys.mistake import Slip
    from actors.simulation.stage.trace import Trace


class WishedCrash(Exception):
    """A handler raises on purpose."""


class WishedBreak(sqlite3.IntegrityError):
    """What was written breaks a constraint at the commit, on purpose."""


class WishedLock(StoreError):
    """A file cannot be opened on purpose."""


class WishedTimeout(HandlerTimeout):
    """A handler has run past its budget on purpose."""


# How such a crash is described: one of anybody else is nobody's wish.
WISHED: Final = tuple(
    each.__name__ for each in (WishedCrash, WishedTimeout, WishedBreak, WishedLock)
)
# How often poison strikes at most. Equal messages are all poison, each for as long as it is tried;
# of one that is tried for ever the oracles tell, and a run has to end.
STRIKES_MAX: Final = 40


class HandlerFaults:
    """Faults by handler, service.Message. All but poison are over when they have struck once."""

    def __init__(self, trace: Trace) -> None:
        """Every handler is well."""
        self.fails: set[tuple[str, str]] = set()
        self.breaks: set[str] = set()
        # What all handlers of a service do wrong, while a version runs that does; and how crashes
        # are told that came of it.
        self.slips: dict[str, Slip] = {}
        self.excused: set[str] = set()
        # What is poison to a handler: a message, or whichever comes next.
        self.poison: dict[str, Any] = {}
        # For how long the service's file cannot be opened when that strikes first, and who does it.
        self.locks_s: dict[str, float] = {}
        self.lock: Callable[[str, float], None]
        self.slow_s: dict[str, float] = {}
        self.late_s: dict[str, float] = {}
        self.twice: set[str] = set()
        # Of effects: whom the outside world refuses, whom it makes wait, and whom it says nothing.
        self.refused: set[str] = set()
        self.world_s: dict[str, float] = {}
        self.unanswered: set[str] = set()
        # What should have come to an end, and did not.
        self.troubles: list[str] = []
        self._strikes: Counter[str] = Counter()
        self._overrun: set[str] = set()
        self._trace = trace

    def __bool__(self) -> bool:
        """Whether anything is wrong with any of them."""
        return bool(self.fails or self.poison or self.slow_s or self._overrun)

    def has_wished(self, error: str) -> bool:
        """Whether an error so described is what somebody wanted, or what became of it."""
        return is_wished(error) or any(words in error for words in self.excused)

    def slip(self, service: str, message_type: str, tx: Any, message: Any, reply: Any) -> Any:
        """Return what becomes of a handler's reply, or raise what its mistake leads to."""
        slip = self.slips.get(service)
        if slip is None:
            return reply
        self.excused.add(slip.says)
        self._trace.add("fault", service, f"{service}.{message_type} has a mistake")
        return slip.make(tx, message, reply)

    def clear(self) -> None:
        """Let every handler be well again."""
        self.fails.clear()
        self.breaks.clear()
        self.poison.clear()
        self.locks_s.clear()
        self.slow_s.clear()
        self.late_s.clear()
        self.twice.clear()
        for effect in {*self.refused, *self.world_s, *self.unanswered}:
            self.mend_world(effect)
        self._overrun.clear()

    def strike(self, service: str, message_type: str, phase: str, message: Any) -> None:
        """Raise what the handler is to raise just before its work, or just after it."""
        if not self:
            return
        handler = f"{service}.{message_type}"
        if phase == "before" and handler in self._overrun:
            self._overrun.discard(handler)
            text = f"{handler} ran past its budget, for it was to be slow"
            self._trace.add("fault", service, text)
            raise WishedTimeout(text)
        if phase == "before" and handler in self.poison:
            if self.poison[handler] is None:
                self.poison[handler] = message
            if self.poison[handler] == message:
                self._strikes[handler] += 1
                if self._strikes[handler] == STRIKES_MAX:
                    del self.poison[handler]
                if handler in self.locks_s:
                    self.lock(service, self.locks_s.pop(handler))
                self._raise(service, f"{handler} is given poison")
        if (handler, phase) in self.fails:
            self.fails.discard((handler, phase))
            self._raise(service, f"{handler} raises {phase} its work")

    def breaking(self, service: str, message_types: Sequence[str]) -> int | None:
        """Return which of a batch is to break a constraint at its commit, if one is."""
        if not self.breaks:
            return None
        for number, message_type in enumerate(message_types):
            handler = f"{service}.{message_type}"
            if handler in self.breaks:
                self.breaks.discard(handler)
                text = f"what {handler} has written breaks a constraint"
                self._trace.add("fault", service, text)
                return number
        return None

    def delay_s(self, service: str, message_type: str, budget_s: float) -> float:
        """Return how much longer the next work of a handler takes: no longer than its budget."""
        handler = f"{service}.{message_type}"
        slow_s = self.slow_s.pop(handler, None)
        if slow_s is None:
            return 0.0
        self._trace.add("fault", service, f"{handler} is slow")
        if slow_s > budget_s:
            self._overrun.add(handler)
        return min(slow_s, budget_s)

    def mend_world(self, effect: str) -> None:
        """Let the outside world answer it as ever."""
        self.refused.discard(effect)
        self.world_s.pop(effect, None)
        self.unanswered.discard(effect)

    def knock(self, service: str, message_type: str) -> None:
        """Raise, where the outside world refuses it."""
        effect = f"{service}.{message_type}"
        if effect in self.refused:
            self._raise(service, f"{effect} is refused by the outside world")

    async def hear_back(self, service: str, message_type: str) -> None:
        """Return when the outside world answers what it has done: late, or never."""
        effect = f"{service}.{message_type}"
        late_s = self.world_s.get(effect, 0.0) + self.late_s.pop(effect, 0.0)
        if effect in self.unanswered:
            self._trace.add("fault", service, f"{effect} is not answered")
            await asyncio.get_running_loop().create_future()  # its time ends it
        if late_s:
            self._trace.add("fault", service, f"{effect} is answered late")
            await asyncio.sleep(late_s)

    def is_doubled(self, service: str, message_type: str) -> bool:
        """Whether the outside world hears the next request twice."""
        handler = f"{service}.{message_type}"
        doubled = handler in self.twice
        self.twice.discard(handler)
        if doubled:
            self._trace.add("fault", service, f"{handler} asks twice")
        return doubled

    def _raise(self, service: str, text: str) -> None:
        self._trace.add("fault", service, text)
        raise WishedCrash(text)


def is_wished(error: str) -> bool:
    """Whether an error so described is one of these, or what became of one."""
    return any(name in error for name in WISHED)
