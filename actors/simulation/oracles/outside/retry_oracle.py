"""How often a dependency is asked again: no more than its first attempts and time allow.

The model is that of who pays for it: each attempt that follows another is a debt, which a share of
the first ones and time pay off.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from math import inf
from typing import TYPE_CHECKING, Any, Final

from actors.errors import Starting
from actors.simulation.oracles.handled import Content

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.config import EffectConfig

# At one instant one may be let in for a share of another that is heard later.
SLACK: Final = 0.5


class _Dependency:
    """One service's effect of one type."""

    def __init__(self, now_s: float) -> None:
        self.debt = 0.0
        self.at_s = now_s
        # Until when somebody may have been refused for the debt.
        self.scarce_until_s = -inf
        # The tasks whose next attempt is none of the first, and those whose attempt now is none.
        self.repeating: dict[int, Any] = {}
        self.repeats: set[int] = set()
        # What was attempted together, in vain: each is tried alone once, in a task of its own.
        self.alone: Counter[Content] = Counter()

    def forget(self) -> None:
        """Their incarnation has ended: what they do begins anew."""
        self.repeating.clear()
        self.repeats.clear()
        self.alone.clear()


class RetryOracle:
    """Attempts are told apart by the task that makes them: one for each request and incarnation."""

    def __init__(self, config: EffectConfig) -> None:
        """Nothing was attempted yet."""
        self.config = config
        self._dependencies: dict[tuple[str, str], _Dependency] = {}

    def begin(self) -> None:
        """Another process begins: nobody owes anything."""
        self._dependencies.clear()

    def ended(self, store: str) -> None:
        """An incarnation has ended, and all that it had under way; what it owes stays."""
        for (name, _), each in self._dependencies.items():
            if name == store:
                each.forget()

    def attempted(self, store: str, messages: Sequence[Any], now_s: float) -> Iterator[str]:
        """Hear that an attempt begins."""
        what = Content.of(messages[0])
        on, task = self._on(store, what.type, now_s), asyncio.current_task()
        repeats = id(task) in on.repeating
        on.repeating[id(task)] = task  # kept, so that no other has its identity
        if not repeats and len(messages) == 1 and on.alone[what]:
            on.alone[what] -= 1
            return
        if not repeats:
            on.debt = max(0.0, on.debt - self.config.retries_share)
            return
        on.repeats.add(id(task))
        on.debt += 1.0
        over = on.debt - self.config.retries_kept_max
        if over > SLACK:
            yield f"{store}: {what.type} is tried again {over:.1f} times more often than it may be"
        # Before there is room again for one more.
        short = on.debt + 1.0 + SLACK - self.config.retries_kept_max
        if short > 0.0:
            floor = self.config.retries_s_min
            on.scarce_until_s = now_s + short / floor if floor else inf

    def finished(
        self, store: str, messages: Sequence[Any], now_s: float, error: BaseException | None
    ) -> None:
        """Hear that the attempt of this task has ended."""
        what = Content.of(messages[0])
        on, task = self._on(store, what.type, now_s), asyncio.current_task()
        repeats = id(task) in on.repeats
        on.repeats.discard(id(task))
        if error is None:
            on.repeating.pop(id(task), None)
        elif isinstance(error, Starting) and not repeats:
            on.repeating.pop(id(task), None)  # nobody was asked: the next one is the first still
        elif len(messages) > 1:
            on.alone.update(Content.of(each) for each in messages)
        if repeats and isinstance(error, Starting):
            on.debt = max(0.0, on.debt - 1.0)

    def may_refuse(self, store: str, kind: str, since_s: float) -> bool:
        """Whether somebody may have been refused a further attempt at any time since then."""
        on = self._dependencies.get((store, kind))
        return on is not None and on.scarce_until_s >= since_s

    # --- Inside ------------------------------------------------------------------------------

    def _on(self, store: str, kind: str, now_s: float) -> _Dependency:
        on = self._dependencies.get((store, kind))
        if on is None:
            on = self._dependencies[store, kind] = _Dependency(now_s)
        on.debt = max(0.0, on.debt - (now_s - on.at_s) * self.config.retries_s_min)
        on.at_s = now_s
        return on
