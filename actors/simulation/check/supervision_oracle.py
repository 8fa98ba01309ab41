"""Guarantee 9: who is parked has spent a budget, by OTP's rule, and no kill ever spends one.

The model knows what the supervisor cannot have misread: who ended, when, and of whose doing.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from actors.kernel import lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A supervisor decides a moment after the end, which may lie on the other side of the window's edge.
EDGE_S: Final = 1.0


class RestartBudget(msgspec.Struct, frozen=True):
    """So many restarts within a period are allowed."""

    intensity: int
    period_s: float


class _Life:
    """What is known of one actor since its process began."""

    __slots__ = ("asked", "charged_s", "failed_starts", "irreparable", "resumed", "spent", "up")

    def __init__(self) -> None:
        self.charged_s: list[float] = []
        self.failed_starts = 0
        self.irreparable = False
        self.spent = False
        self.up = False
        # Whether it was resumed, and nobody has wanted it suspended since.
        self.resumed = False
        # How many are asking for it to be suspended, and have no answer yet.
        self.asked = 0


class SupervisionOracle:
    """A crash counts against the budget where nobody wished for it and no one message caused it."""

    def __init__(self, budget: RestartBudget, groups: Mapping[str, str]) -> None:
        """`budget` is each child's of the root; `groups` says who stands in which group."""
        self.budget = budget
        self._groups = groups
        self._lives: dict[str, _Life] = defaultdict(_Life)

    def begin(self) -> None:
        """Begin anew: another process is started."""
        self._lives.clear()

    def hear(self, event: lifecycle.LifecycleEvent, now_s: float) -> Iterator[str]:
        """Note what has happened; yield what a supervisor should not have done."""
        life = self._lives[event.name]
        if isinstance(event, lifecycle.Crashed):
            if event.name in self._groups.values():
                self._escalated(life, event, now_s)
            else:
                self._crashed(life, event, now_s)
        elif isinstance(event, lifecycle.Started | lifecycle.Restarted):
            life.up = True
            if event.name not in self._groups.values():
                life.failed_starts = 0
            if life.spent:
                life.spent = False
                yield f"{event.name} was restarted at once though its budget was spent"
        elif isinstance(event, lifecycle.Resumed):
            life.resumed = True
        elif isinstance(event, lifecycle.Suspended) and life.resumed and not life.asked:
            yield f"{event.name} was suspended, and nobody has wanted that since it was resumed"
        elif isinstance(event, lifecycle.Parked):
            yield from self._parked(event.name, life, now_s)

    def suspended(self, name: str) -> None:
        """Hear that somebody wants that."""
        self._lives[name].resumed = False

    def asking(self, name: str, count: int) -> None:
        """Hear that `count` more ask for that, or fewer: another may resume it meanwhile."""
        life = self._lives[name]
        life.asked = max(life.asked + count, 0)

    # --- Inside ------------------------------------------------------------------------------

    def _crashed(self, life: _Life, event: lifecycle.Crashed, now_s: float) -> None:
        starting, life.up = not life.up, False
        life.irreparable = event.parks
        if event.killed or event.message_type is not None:
            return
        life.failed_starts += starting
        self._charge(life, now_s, alone=event.name not in self._groups)

    def _escalated(self, life: _Life, event: lifecycle.Crashed, now_s: float) -> None:
        """Charge a group where one that stands in it has crashed by itself."""
        life.irreparable = event.parks
        since_s = now_s - self.budget.period_s - EDGE_S
        members = self._members(event.name)
        if event.killed or not any(at_s >= since_s for each in members for at_s in each.charged_s):
            return
        failed = any(each.failed_starts for each in members)
        life.failed_starts = life.failed_starts + 1 if failed else 0
        self._charge(life, now_s, alone=True)

    def _charge(self, life: _Life, now_s: float, *, alone: bool) -> None:
        life.charged_s.append(now_s)
        within = [at_s for at_s in life.charged_s if at_s > now_s - self.budget.period_s + EDGE_S]
        life.spent = alone and len(within) > self.budget.intensity

    def _members(self, group: str) -> list[_Life]:
        return [self._lives[each] for each, its in self._groups.items() if its == group]

    def _parked(self, name: str, life: _Life, now_s: float) -> Iterator[str]:
        since_s = now_s - self.budget.period_s - EDGE_S
        group = self._groups.get(name)
        if group is not None:
            members = [*self._members(group), self._lives[group]]
            if not any(each.charged_s or each.irreparable for each in members):
                yield f"{name} was parked though nobody of {group} had crashed by itself"
        else:
            count = sum(at_s >= since_s for at_s in life.charged_s)
            budget = self.budget.intensity
            if max(count, life.failed_starts) <= budget and not life.irreparable:
                yield (
                    f"{name} was parked after {count} crashes of its own within "
                    f"{self.budget.period_s:g} s, of which it may have {budget}"
                )
        life.charged_s.clear()
        life.spent = False
