"""The simplest script that still fails: few requests, few faults, and of each the plainest.

What can be left out is found by delta debugging: A. Zeller and R. Hildebrandt, "Simplifying and
Isolating Failure-Inducing Input", IEEE TSE 2002, section 3 (`ddmin`). What remains is then brought
into a normal form, so that two failures of one bug end as one script: A. Groce, J. Holmes and
K. Kellar, "One Test to Rule Them All", ISSTA 2017.
"""

from __future__ import annotations

from heapq import nsmallest
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.faults.fault_kinds import FAULTS
from actors.simulation.script.schedule import Schedule
from actors.simulation.shrink import simpler_scripts as simpler
from actors.simulation.shrink.nearest import distance
from actors.simulation.shrink.simpler_calls import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from actors.simulation.script.script import Script
    from actors.simulation.script.targets import Targets
    from actors.simulation.shrink.plainer_draws import ChooseCall
    from actors.simulation.stage.staging import Played

# Most of what can be left out is gone after a hundred runs, and three hundred are a minute's wait.
RUNS_MAX: Final = 300
# A script that was made small fails by chance: under one of these seeds is often enough. In the end
# the few simplest candidates are given a better chance.
SEEDS: Final = (0, 1, 2)
SEEDS_OF_STEPS: Final = tuple(range(12))
SEEDS_WIDE: Final = tuple(range(20))
# Of those that were tried in vain, how many of the nearest are of interest.
PASSING_MAX: Final = 3
# Of larger scripts, with so many requests and steps, no two things are changed at a time.
TRADED_MAX: Final = 5
# What strikes where something is passed, and else never.
PASSED: Final = frozenset({"point", "commit"})
# What handlers are struck by.
STRUCK: Final = frozenset({"handler", "effect"})


class Minimum(msgspec.Struct, frozen=True, kw_only=True):
    """The simplest failing script found, in how many runs; `minimal` unless those ran out.

    `passing` are those that were tried on the way and did not fail so, the nearest first: a few.
    """

    script: Script
    runs: int
    minimal: bool
    passing: tuple[Script, ...] = ()


def minimise(
    script: Script,
    play: Callable[[Script], Played],
    fails: Callable[[Played], bool],
    *,
    targets: Targets,
    choose_call: ChooseCall | None = None,
    runs_max: int = RUNS_MAX,
) -> Minimum:
    """Make a failing script simpler while `fails` says of what `play` returns that it still fails.

    Simpler is: asyncio's order; no step at all; fewer requests and steps; calls of an earlier kind,
    with fields nearer to their defaults, or of smaller choices where `choose_call` draws them;
    shorter gaps; then faults, amounts and targets in the order of `FAULTS` and `targets`.
    From the point where nothing more can be left out, a script counts as failing if it does under
    one of `SEEDS`, and ends with the first such seed: what is found then hardly depends on the seed
    that was begun with. `fails` should tell this failure from others; `play` is called at most
    `runs_max` times, and once for a script. `ValueError` where `script` itself does not fail.
    """
    search = _ScriptSearch(play, fails, targets, choose_call, runs_max)
    if not search.holds(script):
        raise ValueError("a script that does not fail cannot be made simpler")
    search.best = script
    try:
        search.run()
        minimal = True
    except _OutOfRunsError:
        minimal = False
    return Minimum(script=search.best, runs=search.runs, minimal=minimal, passing=search.passing())


class _OutOfRunsError(Exception):
    """`runs_max` was reached."""


class _ScriptSearch:
    """`best` fails; every pass replaces it by simpler ones that do, or leaves it."""

    best: Script

    def __init__(
        self,
        play: Callable[[Script], Played],
        fails: Callable[[Played], bool],
        targets: Targets,
        choose_call: ChooseCall | None,
        runs_max: int,
    ) -> None:
        self.runs = 0
        self._choose_call = choose_call
        self._play = play
        self._fails = fails
        self._targets = targets
        self._runs_max = runs_max
        self._known: dict[Script, bool] = {}
        self._passed: dict[Script, frozenset[str]] = {}
        # None: the seed that the script came with.
        self._seeds: Sequence[int] | None = None

    def run(self) -> None:
        """Leave out, then put into normal form, until nothing helps."""
        self._let_asyncio_order()
        self._turn_knobs_back()
        self._let_nothing_go_wrong()
        self._leave_out()
        self._choose_seeds()
        before = None
        while before != self.best:
            before = self.best
            self._leave_out()
            self._simplify_requests()
            self._simplify_steps()
            if before == self.best:
                self._trade()
            if before == self.best:
                self._try_harder()

    def holds(self, script: Script) -> bool:
        """Whether it fails; run once."""
        known = self._known.get(script)
        if known is None:
            if self.runs == self._runs_max:
                raise _OutOfRunsError
            self.runs += 1
            played = self._play(script)
            known = self._known[script] = self._fails(played)
            self._passed[script] = frozenset(played.passed)
        return known

    def passing(self) -> tuple[Script, ...]:
        """Return what does not fail and is nearest to what does."""
        held = [script for script, fails in self._known.items() if not fails]
        return tuple(nsmallest(PASSING_MAX, held, key=lambda each: distance(each, self.best)))

    def _accept(self, candidates: Iterable[Script]) -> bool:
        """Take the first candidate that fails, under the first seed under which it does."""
        for candidate in candidates:
            for seed in (candidate.seed,) if self._seeds is None else self._seeds:
                script = msgspec.structs.replace(candidate, seed=seed)
                if self.holds(script):
                    self.best = script
                    return True
        return False

    def _choose_seeds(self) -> None:
        """Let go of the seed that the script came with, if it fails without as well."""
        own = self.best.seed
        self._seeds = SEEDS
        if not self._accept([self.best]):
            self._seeds = (*SEEDS, own)

    # --- Passes ------------------------------------------------------------------------------

    def _let_asyncio_order(self) -> None:
        """Do without another order, or with one that has few changes, or nothing but changes."""
        while (order := self.best.order) and self._accept(
            msgspec.structs.replace(self.best, order=plainer) for plainer in order.plainer()
        ):
            pass

    def _turn_knobs_back(self) -> None:
        """Do without small limits, or with few: who reads it need not wonder about them."""
        knobs = self.best.knobs
        if knobs and not self._accept([msgspec.structs.replace(self.best, knobs=())]):
            for knob in knobs:
                kept = tuple(each for each in self.best.knobs if each != knob)
                self._accept([msgspec.structs.replace(self.best, knobs=kept)])

    def _let_nothing_go_wrong(self) -> None:
        """Do without any fault, while there are many requests: what fails so needs none.

        It comes first. A fault is harder to think about than a request, and to look for one in a
        bug that needs none takes hundreds of runs.
        """
        self._seeds = (self.best.seed, *SEEDS)
        self._accept([simpler.with_steps(self.best, ())])
        self._seeds = None

    def _leave_out(self) -> None:
        """Leave out requests and steps, in chunks and one by one."""
        before = None
        while before != self.best:
            before = self.best
            self._leave_out_of(
                lambda: self.best.workload,
                lambda kept: msgspec.structs.replace(self.best, workload=kept),
            )
            self._leave_out_steps()

    def _leave_out_steps(self) -> None:
        self._leave_out_of(
            lambda: self.best.schedule.steps,
            lambda kept: simpler.with_steps(self.best, kept),
        )

    def _leave_out_of(
        self, items: Callable[[], tuple[Any, ...]], made: Callable[[Any], Script]
    ) -> None:
        """ddmin: leave out one of `parts` chunks, or cut finer."""
        parts = 1
        while items():
            count = len(items())
            parts = min(parts, count)
            cuts = [count * part // parts for part in range(parts + 1)]
            if any(
                self._accept(made(kept) for kept in simpler.without(items(), range(low, high)))
                for low, high in pairwise(cuts)
            ):
                parts = max(parts - 1, 1)
            elif parts < count:
                parts *= 2
            else:
                break

    def _simplify_requests(self) -> None:
        """Make them simpler all together, then each."""
        self._accept(simpler.reordered(self.best))
        while self._accept(simpler.of_fewer_clients(self.best)):
            pass
        names = [name for each in self.best.workload for name in fields_of(each.call)]
        for name in dict.fromkeys(names):
            self._accept(simpler.of_fewer_values(self.best, name))
        for index in range(len(self.best.workload)):
            while self._accept(simpler.with_simpler_call(self.best, index, self._choose_call)):
                pass
            self._accept(simpler.with_nearer_client(self.best, index))
            self._accept(simpler.with_shorter_gap(self.best, index))

    def _simplify_steps(self) -> None:
        """Let simpler things happen, sooner."""
        self._accept(simpler.sooner(self.best))
        for index in range(len(self.best.schedule)):
            gap_us = self.best.schedule.steps[index].gap_us
            gaps_us = [*[each for each in simpler.GAP_LADDER_US if each < gap_us], gap_us]
            self._accept(simpler.with_simpler_step(self.best, index, self._mishaps(), gaps_us))
        before = None
        while before != self.best:
            before = self.best
            self._leave_out_steps()
            while self._accept(simpler.without_two_steps(self.best)):
                pass
            for index in range(len(self.best.schedule)):
                self._shorten(index)

    def _shorten(self, index: int) -> None:
        """Find the least gap that fails: up the ladder, then between the last two rungs."""
        gap_us = self.best.schedule.steps[index].gap_us
        least_us = 0
        for rung_us in simpler.GAP_LADDER_US:
            if rung_us >= gap_us:
                break
            if self._accept(simpler.with_sooner_step(self.best, index, rung_us)):
                gap_us = rung_us
                break
            least_us = rung_us + 1
        while least_us < gap_us:
            middle_us = (least_us + gap_us) // 2
            if self._accept(simpler.with_sooner_step(self.best, index, middle_us)):
                gap_us = middle_us
            else:
                least_us = middle_us + 1

    def _trade(self) -> None:
        """Leave something out, or make a request simpler, and change one other thing in any way.

        One bug shows in several ways; the way that needs less is not always near. Nor is it always
        one thing away: two faults that chance has brought together may stand for a third. Where
        nothing goes wrong, no fault takes a request's place.
        """
        best = self.best
        if len(best.workload) + len(best.schedule) > TRADED_MAX:
            return
        mishaps = self._mishaps()
        if len(best.schedule) > 1 and self._accept(simpler.with_one_step(best, mishaps)):
            return
        fewer = [*simpler.smaller(best), *self._with_simpler_calls(), *simpler.at_once(best)]
        self._accept(
            chain(
                (other for each in fewer for other in simpler.with_another_client(each)),
                (other for each in fewer for other in simpler.with_another_step(each, mishaps)),
                simpler.with_step_for_request(best, mishaps) if best.schedule.steps else (),
            )
        )

    def _try_harder(self) -> None:
        """Give more seeds a chance to make a simpler script fail."""
        best = self.best
        clients = [
            each
            for index in range(len(best.workload))
            for each in simpler.with_nearer_client(best, index)
        ]
        smaller = list(simpler.smaller(best))
        if len(best.workload) + len(best.schedule) <= TRADED_MAX:
            smaller = [*(two for one in smaller for two in simpler.smaller(one)), *smaller]
        self._seeds = SEEDS_WIDE
        if not self._accept((*smaller, *clients, *self._with_simpler_calls())):
            self._seeds = SEEDS_OF_STEPS
            if not self._accept(self._with_likely_steps()):
                self._seeds = SEEDS_WIDE
                self._accept([best])
        self._seeds = tuple(dict.fromkeys((*SEEDS, self.best.seed)))

    def _with_likely_steps(self) -> Iterator[Script]:
        best, mishaps = self.best, self._mishaps()
        if len(best.schedule) == 1:
            gaps_us = sorted({0, best.schedule.steps[0].gap_us})
            yield from simpler.with_simpler_step(best, 0, mishaps, gaps_us)
        if len(best.workload) + len(best.schedule) <= TRADED_MAX:
            for each in simpler.smaller(best):
                yield from simpler.with_another_target(each, mishaps)

    def _with_simpler_calls(self) -> list[Script]:
        return [
            each
            for index in range(len(self.best.workload))
            for each in simpler.with_simpler_call(self.best, index, self._choose_call)
        ]

    def _mishaps(self) -> list[simpler.Mishap]:
        """Return all that could happen, from the simplest: nothing, where nothing is passed.

        What counts as passed is passed now, or where no step prevents it.
        """
        undisturbed = msgspec.structs.replace(self.best, schedule=Schedule())
        self.holds(undisturbed)
        passed = self._passed[self.best] | self._passed[undisturbed]
        # Where no handler is struck, none needs to be: there are hundreds of ways.
        used = {FAULTS[step.fault].scope for step in self.best.schedule.steps}
        # Nor does any setting stand for what is done under another, or a mistake for another.
        named = {step.target for step in self.best.schedule.steps}
        return [
            simpler.Mishap(name, target, amount_ms)
            for name, fault in FAULTS.items()
            for amount_ms in fault.amounts_ms or (0,)
            for target in self._targets.of(fault.scope)
            if fault.scope not in PASSED or target in passed
            if fault.scope not in {"setting", "mistake"} or target in named
            if fault.scope not in STRUCK
            or (used & STRUCK and {target, f"{target}.before"} & passed)
        ]
