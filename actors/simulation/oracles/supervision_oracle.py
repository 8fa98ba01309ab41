"""Guarantee 9: who is parked has spent a budget, by OTP's rule, and no kill ever spends one.

The model knows what the supervisor cannot have misread: who ended, when, and of whose doing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from math import inf
from typing import TYPE_CHECKING, Final

import msgspec

from actors.kernel import lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from actors.service.group import Group

# A supervisor decides a moment after the end, which may lie on the other side of the window's edge.
EDGE_S: Final = 1.0
# What an operator asks for that is looked at here.
SUSPEND: Final = "suspend"
# How long what an operator has asked for may still be on its way.
OPERATED_S: Final = 30.0
# How long an operator may go on asking for a restart that was not confirmed.
ASKED_S_MAX: Final = 150.0


class RestartBudget(msgspec.Struct, frozen=True):
    """So many restarts within a period are allowed."""

    intensity: int
    period_s: float


class _Life:
    """What is known of one actor since its process began."""

    __slots__ = (
        "charged_s", "due_s", "failed_starts", "irreparable", "lost", "orders", "over_s", "resumed",
        "sole", "spent", "suspended", "up",
    )  # fmt: skip

    def __init__(self) -> None:
        self.charged_s: list[float] = []
        self.failed_starts = 0
        self.irreparable = False
        self.spent = False
        self.up = False
        # Whether it was resumed, and nobody has wanted it suspended since.
        self.resumed = False
        # Whether somebody has given up an attempt to suspend it, which may come still.
        self.lost = False
        # When it is to be resumed, if nobody asks for that; 0: at any time, for it is not known.
        self.due_s = 0.0
        # By when at the latest it is to be resumed, if nobody asks for that; None: never, or it is
        # not known.
        self.over_s: float | None = None
        self.suspended = False
        # How often somebody has wanted it suspended; and how often when one operator began to ask
        # for that, alone, of this process.
        self.orders = 0
        self.sole = -1


class SupervisionOracle:
    """A crash counts against the budget where nobody wished for it and no one message caused it."""

    def __init__(self, budget: RestartBudget) -> None:
        """`budget` is each child's of the root."""
        self.budget = budget
        self._groups: Mapping[str, str] = {}
        self._lives: dict[str, _Life] = defaultdict(_Life)
        # How many operators ask for what of whom, whichever process they meet, and when one of
        # them began or gave up last.
        self._operators: Counter[tuple[str, str]] = Counter()
        self._operated_s: dict[str, float] = {}

    def begin(self, groups: Mapping[str, str]) -> None:
        """Begin anew: another process is started; `groups` says who stands in which group."""
        self._groups = groups
        self._lives.clear()

    def hear(self, event: lifecycle.LifecycleEvent, now_s: float) -> Iterator[str]:
        """Note what has happened; yield what a supervisor should not have done."""
        life = self._lives[event.name]
        yield from self._judge(life, event, now_s)
        if not isinstance(event, lifecycle.DeadLettered | lifecycle.HookFailed):
            life.over_s, life.suspended = None, isinstance(event, lifecycle.Suspended)

    def suspended(self, name: str, now_s: float, for_s: float | None) -> None:
        """Hear that somebody wants that: for so long, or until it is resumed."""
        life = self._lives[name]
        life.resumed = False
        life.orders += 1
        life.over_s = None
        since_s = now_s - self._operated_s.get(name, -inf)
        asking = any(count and who == name for (_, who), count in self._operators.items())
        known = not asking and since_s > OPERATED_S
        until_s = inf if for_s is None else now_s + for_s
        life.due_s = until_s if known else 0.0

    def confirmed(self, name: str, now_s: float, for_s: float) -> None:
        """Hear that its only operator was told that it is suspended, for so long and no longer."""
        life = self._lives[name]
        if life.suspended and life.sole == life.orders and not life.lost:
            life.over_s = now_s + for_s + EDGE_S

    def resumed(self, name: str, now_s: float) -> Iterator[str]:
        """Hear that somebody wants that; yield whether it should be up by itself since long."""
        life = self._lives[name]
        life.due_s = 0.0
        yield from self._overdue(name, life, now_s)
        life.over_s = None

    def stood_still(self) -> None:
        """Hear that nothing of the process runs for a while: no time ends in its time."""
        for life in self._lives.values():
            life.over_s = None

    def asking(
        self, action: str, name: str, count: int, now_s: float, *, lost: bool = False
    ) -> None:
        """Hear that `count` more ask for it, or fewer; when it is done is not known.

        What is `lost` of an attempt may come as long as the process lives.
        """
        life = self._lives[name]
        life.due_s = 0.0
        self._operated_s[name] = now_s
        self._operators[action, name] += count
        life.lost |= lost and action == SUSPEND
        if action == SUSPEND and count > 0:
            life.sole = life.orders if self._operators[action, name] == 1 else -1

    # --- Inside ------------------------------------------------------------------------------

    def _judge(self, life: _Life, event: lifecycle.LifecycleEvent, now_s: float) -> Iterator[str]:
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
            yield from self._overdue(event.name, life, now_s)
            life.resumed = True
            if now_s < life.due_s:
                yield f"{event.name} was resumed, and nobody has wanted that, nor was it time"
        elif isinstance(event, lifecycle.Suspended):
            yield from self._suspended(life, event.name)
        elif isinstance(event, lifecycle.Parked):
            yield from self._parked(event.name, life, now_s)

    def _overdue(self, name: str, life: _Life, now_s: float) -> Iterator[str]:
        if life.over_s is not None and now_s > life.over_s:
            yield f"{name} is suspended {now_s - life.over_s:g} s longer than was said"

    def _suspended(self, life: _Life, name: str) -> Iterator[str]:
        if life.resumed and not life.lost and not self._operators[SUSPEND, name]:
            yield f"{name} was suspended, and nobody has wanted that since it was resumed"

    def _crashed(self, life: _Life, event: lifecycle.Crashed, now_s: float) -> None:
        starting, life.up = not life.up, False
        life.irreparable = event.parks
        if event.killed or event.message_type is not None:
            return
        life.failed_starts += starting
        self._charge(life, now_s, alone=event.name not in self._groups)

    def _escalated(self, life: _Life, event: lifecycle.Crashed, now_s: float) -> None:
        """Charge a group where one that stands in it has crashed by itself."""
        members = self._members(event.name)
        life.irreparable = event.parks or any(each.irreparable for each in members)
        since_s = now_s - self.budget.period_s - EDGE_S
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


class SiblingOracle:
    """Who is started again has ended, or stands with who has; and whoever stands with it is, too.

    A group gives up where, and only where, those in it have spent the budget that they share.
    """

    def __init__(self, budget: RestartBudget) -> None:
        """`budget` is a group's that says nothing else."""
        self.budget = budget
        self._groups: Mapping[str, str] = {}
        self._specs: Mapping[str, Group] = {}
        self._clear()

    def _clear(self) -> None:
        self._up: set[str] = set()
        # How often each may be started again; and who has to be, and with whom.
        self._may: Counter[str] = Counter()
        self._owed: dict[str, str] = {}
        # Of who can only read, and of each that stands with it: who that is, and when it was said.
        self._degraded_s: dict[str, dict[str, float]] = defaultdict(dict)
        # When somebody last asked for it to be started again.
        self._asked_s: dict[str, float] = {}
        # Of a group: the crashes that count for certain, and those that may; of each its failed
        # starts in a row.
        self._surely_s: dict[str, list[float]] = defaultdict(list)
        self._maybe_s: dict[str, list[float]] = defaultdict(list)
        self._failed: dict[str, int] = defaultdict(int)
        # Who has ended with what no restart mends.
        self._irreparable: set[str] = set()

    def begin(self, groups: Mapping[str, str], specs: Mapping[str, Group]) -> None:
        """Begin anew: another process is started; `specs` are the groups, by their names."""
        self._groups, self._specs = groups, specs
        self._clear()

    def asked_for(self, name: str, now_s: float) -> None:
        """Hear that somebody wants it to be started again, and may go on asking for a while."""
        for each in (name, *self._with(name)):
            self._asked_s[each] = now_s

    def hear(self, event: lifecycle.LifecycleEvent, now_s: float) -> Iterator[str]:
        """Note what has happened; yield who should not have been started again, or given up."""
        name = event.name
        if isinstance(event, lifecycle.Started | lifecycle.Restarted):
            may = now_s - self._asked_s.get(name, -inf) < ASKED_S_MAX
            may |= self._may[name] > 0 or bool(self._degraded_s[name])
            if isinstance(event, lifecycle.Restarted) and not may:
                yield f"{name} was started again though it had not ended, nor who stands with it"
            yield from self._came_up(name, now_s, again=isinstance(event, lifecycle.Restarted))
        elif isinstance(event, lifecycle.Crashed) and name in self._specs:
            yield from self._gave_up(name, event, now_s)
        elif isinstance(event, lifecycle.Crashed):
            self._ended(name, event, now_s)
        elif isinstance(event, lifecycle.Degraded | lifecycle.Recovered):
            self._only_reads(event, now_s)
        elif isinstance(event, lifecycle.Stopped):
            self._allow(name, self._with(name))
        elif isinstance(event, lifecycle.Parked):
            self._allow(name)
            self._owed.pop(name, None)

    def left(self) -> Iterator[str]:
        """Yield who was not started again though all is at rest."""
        for name, culprit in self._owed.items():
            yield f"{name} was not started again with {culprit}"

    # --- Inside ------------------------------------------------------------------------------

    def _with(self, name: str) -> list[str]:
        """Return who is started again with it."""
        group = self._groups.get(name)
        if group is None:
            return self._members(name) if name in self._specs else []
        members, strategy = self._members(group), self._specs[group].strategy
        if strategy == "one_for_one":
            return []
        if strategy == "rest_for_one":
            members = members[members.index(name) :]
        return [each for each in members if each != name]

    def _members(self, group: str) -> list[str]:
        return [each for each, its in self._groups.items() if its == group]

    def _allow(self, name: str, others: Iterable[str] = ()) -> None:
        """Let who has ended start again, once however often; and the others with it.

        Their start for the sake of the end before may be under way still: then they have another.
        """
        self._may[name] = max(1, self._may[name])
        for each in others:
            self._may[each] = min(2, self._may[each] + 1)

    def _only_reads(self, event: lifecycle.Degraded | lifecycle.Recovered, now_s: float) -> None:
        """Who can only read starts itself again when it can write, and those that stand with it."""
        for each in (event.name, *self._with(event.name)):
            self._degraded_s[each].pop(event.name, None)
            if isinstance(event, lifecycle.Degraded):
                self._degraded_s[each][event.name] = now_s

    def _came_up(self, name: str, now_s: float, *, again: bool) -> Iterator[str]:
        self._up.add(name)
        self._irreparable.discard(name)
        # A first start is nobody's end: one that stands with it may have ended before it.
        self._may[name] = max(0, self._may[name] - again)
        # What was said just now it has come up with.
        said = self._degraded_s[name].items()
        self._degraded_s[name] = {who: at_s for who, at_s in said if now_s - at_s <= EDGE_S}
        self._owed.pop(name, None)
        self._failed[name] = 0
        group = self._groups.get(name)
        if group is not None:
            budget = self._budget_of(group)
            intensity, period_s = budget.intensity, budget.period_s
            spent = [at_s for at_s in self._surely_s[group] if at_s > now_s - period_s + EDGE_S]
            if len(spent) > intensity:
                self._surely_s[group].clear()
                yield f"{name} was started again though the budget of {group} was spent"

    def _ended(self, name: str, event: lifecycle.Crashed, now_s: float) -> None:
        others = self._with(name)
        group = self._groups.get(name)
        if group is not None and not event.killed and event.message_type is None:
            self._failed[name] += name not in self._up
            self._maybe_s[group].append(now_s)
            # Else it may be down, or started again, for another's sake already.
            if {name, *others} <= self._up and name not in self._owed:
                self._surely_s[group].append(now_s)
        if event.parks:
            self._irreparable.add(name)
        self._up.discard(name)
        self._allow(name, others)
        self._owed.update([(each, name) for each in others if each in self._up])

    def _gave_up(self, group: str, event: lifecycle.Crashed, now_s: float) -> Iterator[str]:
        members = self._members(group)
        budget = self._budget_of(group)
        intensity, period_s = budget.intensity, budget.period_s
        count = sum(at_s >= now_s - period_s - EDGE_S for at_s in self._maybe_s[group])
        failed = max([self._failed[each] for each in members], default=0)
        parks = event.parks or not self._irreparable.isdisjoint(members)
        if not event.killed and not parks and max(count, failed) <= intensity:
            yield f"{group} gave up after {count} crashes within {period_s:g} s, of {intensity}"
        for known in (self._surely_s, self._maybe_s):
            known[group].clear()
        self._allow(group)
        for each in members:
            self._allow(each)
            self._owed.pop(each, None)
            self._failed[each] = 0
        self._up.difference_update(members)

    def _budget_of(self, group: str) -> RestartBudget:
        spec, budget = self._specs[group], self.budget
        return RestartBudget(
            budget.intensity if spec.intensity is None else spec.intensity,
            budget.period_s if spec.period_s is None else spec.period_s,
        )
