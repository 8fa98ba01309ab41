"""The smallest schedule that still fails, found without Hypothesis and without chance.

Steps are removed by delta debugging: A. Zeller and R. Hildebrandt, "Simplifying and Isolating
Failure-Inducing Input", IEEE TSE 2002, section 3 (`ddmin`).
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from actors.simulation.script.fault import FAULTS
from actors.simulation.script.schedule import Schedule, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from actors.simulation.script.targets import Targets

RUNS_MAX: Final = 2_000
# Tried first as a gap, in microseconds: most gaps do not matter, and the rest within a magnitude.
GAP_LADDER_US: Final = (0, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)


class Shrunk(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest failing schedule found, in how many runs; `minimal` unless those ran out."""

    schedule: Schedule
    runs: int
    minimal: bool


def shrink(
    schedule: Schedule,
    fails: Callable[[Schedule], bool],
    *,
    targets: Targets | None = None,
    runs_max: int = RUNS_MAX,
) -> Shrunk:
    """Make a failing schedule smaller while `fails` says it still fails, until nothing helps.

    Smaller is: fewer steps; then earlier gaps shorter; then simpler faults (in the order of
    `FAULTS`), milder amounts, earlier targets. What is minimal fails no more without any one or two
    of its steps. Without `targets`, faults keep their targets. `fails` answers the same every time,
    is called at most `runs_max` times and once at most for a schedule, and should tell this failure
    from others. `ValueError` where it does not hold for `schedule` itself.
    """
    search = _Search(fails, targets, runs_max)
    if not search.fails(schedule):
        raise ValueError("a schedule that does not fail cannot be shrunk")
    search.best = schedule
    try:
        minimal = search.run()
    except _OutOfRunsError:
        minimal = False
    return Shrunk(schedule=search.best, runs=search.runs, minimal=minimal)


class _OutOfRunsError(Exception):
    """`runs_max` was reached."""


class _Search:
    """`best` fails; every pass replaces it by smaller ones that do, or leaves it."""

    def __init__(
        self, fails: Callable[[Schedule], bool], targets: Targets | None, runs_max: int
    ) -> None:
        self.best = Schedule()
        self.runs = 0
        self._fails = fails
        self._targets = targets
        self._runs_max = runs_max
        self._known: dict[Schedule, bool] = {}

    def fails(self, schedule: Schedule) -> bool:
        """Whether it fails; run once."""
        known = self._known.get(schedule)
        if known is None:
            if self.runs == self._runs_max:
                raise _OutOfRunsError
            self.runs += 1
            known = self._known[schedule] = self._fails(schedule)
        return known

    def run(self) -> bool:
        """Repeat all passes until none finds anything."""
        before = None
        while before != self.best:
            before = self.best
            self._remove_chunks()
            self._remove_pairs()
            for index in range(len(self.best)):
                self._shorten(index)
            for index in range(len(self.best)):
                self._simplify(index)
        return True

    def _accept(self, candidates: Iterable[Schedule]) -> bool:
        """Take the first candidate that fails."""
        for candidate in candidates:
            if self.fails(candidate):
                self.best = candidate
                return True
        return False

    # --- Fewer steps -------------------------------------------------------------------------

    def _remove_chunks(self) -> None:
        """ddmin: keep one of `parts` chunks, or remove one, or cut finer."""
        parts = 2
        while len(self.best) > 1:
            count = len(self.best)
            cuts = [count * part // parts for part in range(parts + 1)]
            chunks = [range(low, high) for low, high in pairwise(cuts)]
            others = [[index for index in range(count) if index not in chunk] for chunk in chunks]
            if any(self._accept(self._without(gone)) for gone in others):
                parts = 2
            elif any(self._accept(self._without(gone)) for gone in chunks):
                parts = max(parts - 1, 2)
            elif parts < count:
                parts = min(2 * parts, count)
            else:
                break
        if len(self.best) == 1:
            self._accept([Schedule()])

    def _remove_pairs(self) -> None:
        """What one step does another may undo: remove both."""
        while any(
            self._accept(self._without(pair)) for pair in combinations(range(len(self.best)), 2)
        ):
            pass

    def _without(self, gone: Iterable[int]) -> Iterator[Schedule]:
        """Leave steps out, with their gaps; or the rest at its times, if that is what matters."""
        lost = frozenset(gone)
        yield Schedule(
            tuple(step for index, step in enumerate(self.best.steps) if index not in lost)
        )
        yield Schedule.at(
            moment for index, moment in enumerate(self.best.moments()) if index not in lost
        )

    # --- Shorter gaps ------------------------------------------------------------------------

    def _shorten(self, index: int) -> None:
        """Find the least gap that fails: up the ladder, then between the last two rungs."""
        gap_us = self.best.steps[index].gap_us
        least_us = 0
        for rung_us in GAP_LADDER_US:
            if rung_us >= gap_us:
                break
            if self._accept(self._with_gap(index, rung_us)):
                gap_us = rung_us
                break
            least_us = rung_us + 1
        while least_us < gap_us:
            middle_us = (least_us + gap_us) // 2
            if self._accept(self._with_gap(index, middle_us)):
                gap_us = middle_us
            else:
                least_us = middle_us + 1

    def _with_gap(self, index: int, gap_us: int) -> Iterator[Schedule]:
        """Let everything after come earlier; or only this step, if the rest's times matter."""
        step = self.best.steps[index]
        yield self._replaced(index, msgspec.structs.replace(step, gap_us=gap_us))
        moments = list(self.best.moments())
        at_us, _ = moments[index]
        moments[index] = (at_us - step.gap_us + gap_us, step)
        yield Schedule.at(moments)

    # --- Simpler faults ----------------------------------------------------------------------

    def _simplify(self, index: int) -> None:
        step = self.best.steps[index]
        self._accept(self._replaced(index, simpler) for simpler in self._simpler(step))

    def _simpler(self, step: Step) -> Iterator[Step]:
        """Yield all that could stand in this step's place, from the simplest, before itself."""
        scope = FAULTS[step.fault].scope
        for name, fault in FAULTS.items():
            targets = self._targets.of(fault.scope) if self._targets else ()
            if fault.scope == scope and step.target not in targets:
                targets = (step.target,)
            for amount_ms in fault.amounts_ms or (0,):
                if name == step.fault and abs(amount_ms) > abs(step.amount_ms):
                    break
                for target in targets:
                    simpler = Step(step.gap_us, name, target, amount_ms)
                    if simpler == step:
                        return
                    yield simpler
            if name == step.fault:
                return

    def _replaced(self, index: int, step: Step) -> Schedule:
        steps = self.best.steps
        return Schedule((*steps[:index], step, *steps[index + 1 :]))
