"""The simplest script that still fails: few requests, few faults, and of each the plainest.

What can be left out is found by delta debugging: A. Zeller and R. Hildebrandt, "Simplifying and
Isolating Failure-Inducing Input", IEEE TSE 2002, section 3 (`ddmin`). What remains is then brought
into a normal form, so that two failures of one bug end as one script: A. Groce, J. Holmes and
K. Kellar, "One Test to Rule Them All", ISSTA 2017.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise, permutations
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from actors.simulation.fault import FAULTS
from actors.simulation.schedule import Schedule, Step
from actors.simulation.shrink import GAP_LADDER_US, shrink
from actors.simulation.workload import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from actors.simulation.rehearsal import Played, Script
    from actors.simulation.targets import Targets

RUNS_MAX: Final = 5_000
# A script that was made small may fail by chance: under one of these seeds is often enough.
SEEDS: Final = (0, 1, 2)
# More requests than this are not put in another order.
PERMUTED_MAX: Final = 3

T = TypeVar("T", Step, Request[Any])


class Minimum(msgspec.Struct, frozen=True, kw_only=True):
    """The simplest failing script found, in how many runs; `minimal` unless those ran out."""

    script: Script
    runs: int
    minimal: bool


def minimise(
    script: Script,
    play: Callable[[Script], Played],
    fails: Callable[[Played], bool],
    *,
    targets: Targets,
    runs_max: int = RUNS_MAX,
) -> Minimum:
    """Make a failing script simpler while `fails` says of what `play` returns that it still fails.

    Simpler is: fewer requests and steps; calls of an earlier kind, with fields nearer to their
    defaults; shorter gaps; then faults, amounts and targets in the order of `FAULTS` and `targets`.
    From the point where nothing more can be left out, a script counts as failing if it does under
    one of `SEEDS`, and ends with the first such seed: what is found then hardly depends on the seed
    that was begun with. `fails` should tell this failure from others; `play` is called at most
    `runs_max` times, and once for a script. `ValueError` where `script` itself does not fail.
    """
    search = _Search(play, fails, targets, runs_max)
    if not search.holds(script):
        raise ValueError("a script that does not fail cannot be made simpler")
    search.best = script
    try:
        search.run()
        minimal = True
    except _OutOfRunsError:
        minimal = False
    return Minimum(script=search.best, runs=search.runs, minimal=minimal)


class _OutOfRunsError(Exception):
    """`runs_max` was reached."""


class _Search:
    """`best` fails; every pass replaces it by simpler ones that do, or leaves it."""

    best: Script

    def __init__(
        self,
        play: Callable[[Script], Played],
        fails: Callable[[Played], bool],
        targets: Targets,
        runs_max: int,
    ) -> None:
        self.runs = 0
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
        self._leave_out()
        self._choose_seeds()
        before = None
        while before != self.best:
            before = self.best
            self._leave_out()
            self._simplify_requests()
            self._simplify_steps()
            self._polish()

    def holds(self, script: Script) -> bool:
        """Whether it fails; run once."""
        known = self._known.get(script)
        if known is None:
            if self.runs == self._runs_max:
                raise _OutOfRunsError
            self.runs += 1
            played = self._play(script)
            known = self._known[script] = self._fails(played)
            if known:
                self._passed[script] = frozenset(played.passed)
        return known

    # --- Whether a script fails --------------------------------------------------------------

    def _choose_seeds(self) -> None:
        """Let go of the seed that the script came with, if it fails without as well."""
        own = self.best.seed
        self._seeds = SEEDS
        if not self._accept([self.best]):
            self._seeds = (*SEEDS, own)

    def _accept(self, candidates: Iterable[Script]) -> bool:
        """Take the first candidate that fails, under the first seed under which it does."""
        for candidate in candidates:
            for seed in (candidate.seed,) if self._seeds is None else self._seeds:
                script = msgspec.structs.replace(candidate, seed=seed)
                if self.holds(script):
                    self.best = script
                    return True
        return False

    def _with(self, **changes: Any) -> Script:
        return msgspec.structs.replace(self.best, **changes)

    # --- Fewer requests, fewer steps -----------------------------------------------------------

    def _leave_out(self) -> None:
        before = None
        while before != self.best:
            before = self.best
            self._leave_out_of(
                lambda: self.best.workload, lambda requests: self._with(workload=requests)
            )
            self._leave_out_of(
                lambda: self.best.schedule.steps,
                lambda steps: self._with(schedule=Schedule(steps)),
            )

    def _leave_out_of(
        self, items: Callable[[], tuple[T, ...]], made: Callable[[tuple[T, ...]], Script]
    ) -> None:
        """ddmin: leave out one of `parts` chunks, or cut finer."""
        parts = 1
        while items():
            count = len(items())
            parts = min(parts, count)
            cuts = [count * part // parts for part in range(parts + 1)]
            if any(
                self._accept(made(kept) for kept in _without(items(), low, high))
                for low, high in pairwise(cuts)
            ):
                parts = max(parts - 1, 1)
            elif parts < count:
                parts *= 2
            else:
                break

    # --- Simpler requests --------------------------------------------------------------------

    def _simplify_requests(self) -> None:
        self._reorder()
        self._rename()
        for index in range(len(self.best.workload)):
            self._accept(self._with_request(index, each) for each in self._plainer(index))
            call = self.best.workload[index].call
            for name in _fields(call):
                self._accept(self._with_call(index, each) for each in _nearer(call, name))
                call = self.best.workload[index].call
            request = self.best.workload[index]
            self._accept(
                self._with_request(index, msgspec.structs.replace(request, client=client))
                for client in range(request.client)
            )
            request = self.best.workload[index]
            self._accept(
                self._with_request(index, msgspec.structs.replace(request, gap_us=gap_us))
                for gap_us in GAP_LADDER_US
                if gap_us < request.gap_us
            )

    def _rename(self) -> None:
        """Let one client, or one value of a field, take the place of another in all requests."""
        for client in sorted({request.client for request in self.best.workload}, reverse=True):
            self._accept(
                self._with_all(partial(_moved, old=client, new=new)) for new in range(client)
            )
        for name in dict.fromkeys(
            name for request in self.best.workload for name in _fields(request.call)
        ):
            values = {getattr(request.call, name, None) for request in self.best.workload}
            for value in sorted((each for each in values if isinstance(each, int)), reverse=True):
                self._accept(
                    self._with_all(partial(_renamed, name=name, old=value, new=new))
                    for new in range(value)
                )

    def _with_all(self, change: Callable[[Request[Any]], Request[Any]]) -> Script:
        return self._with(workload=tuple(change(request) for request in self.best.workload))

    def _plainer(self, index: int) -> Iterator[Request[Any]]:
        """Yield calls of earlier kinds, all else at its default; then of its own kind."""
        request = self.best.workload[index]
        for plain in _plain_calls(request.call):
            yield msgspec.structs.replace(request, call=plain)

    def _reorder(self) -> None:
        """Let the requests come in the order of their calls, where that fails as well."""
        workload = self.best.workload
        if 1 < len(workload) <= PERMUTED_MAX:
            gaps = [request.gap_us for request in workload]
            orders = sorted(permutations(range(len(workload))), key=lambda o: _rank(workload, o))
            for order in orders:
                if _rank(workload, order) >= _rank(workload, tuple(range(len(workload)))):
                    break
                moved = tuple(
                    msgspec.structs.replace(workload[old], gap_us=gap)
                    for old, gap in zip(order, gaps, strict=True)
                )
                if self._accept([self._with(workload=moved)]):
                    break

    def _with_request(self, index: int, request: Request[Any]) -> Script:
        workload = self.best.workload
        return self._with(workload=(*workload[:index], request, *workload[index + 1 :]))

    def _with_call(self, index: int, call: Any) -> Script:
        request = self.best.workload[index]
        return self._with_request(index, msgspec.structs.replace(request, call=call))

    # --- Simpler steps -----------------------------------------------------------------------

    def _simplify_steps(self) -> None:
        for index in range(len(self.best.schedule)):
            step = self.best.schedule.steps[index]
            self._accept(
                self._with_step(index, Step(gap_us, fault, target, amount_ms))
                for gap_us in (*[each for each in GAP_LADDER_US if each < step.gap_us], step.gap_us)
                for fault, target, amount_ms in self._alternatives(
                    step, until=gap_us == step.gap_us
                )
            )

    def _alternatives(self, step: Step, *, until: bool) -> Iterator[tuple[Any, str, int]]:
        """Yield all that could happen instead, from the simplest; `until` the step's own."""
        passed = self._passed[self.best]
        own = (step.fault, step.target, step.amount_ms)
        for name, fault in FAULTS.items():
            targets = self._targets.of(fault.scope)
            if fault.scope == "point":  # where nothing passes, nothing happens
                targets = tuple([each for each in targets if each in passed])
            for amount_ms in fault.amounts_ms or (0,):
                for target in targets:
                    if until and (name, target, amount_ms) == own:
                        return
                    yield name, target, amount_ms

    def _with_step(self, index: int, step: Step) -> Script:
        steps = self.best.schedule.steps
        return self._with(schedule=Schedule((*steps[:index], step, *steps[index + 1 :])))

    def _polish(self) -> None:
        """Find the least gaps, and steps that only two at a time can be left out."""

        def fails(schedule: Schedule) -> bool:
            return self._accept([self._with(schedule=schedule)])

        if self.best.schedule.steps:
            shrink(self.best.schedule, fails)


def _moved(request: Request[Any], old: int, new: int) -> Request[Any]:
    """Let another client ask it, if it is the old one's."""
    return msgspec.structs.replace(request, client=new) if request.client == old else request


def _without(items: tuple[Any, ...], low: int, high: int) -> Iterator[tuple[Any, ...]]:
    """Leave out items with their gaps; or the rest at its times, if that is what matters."""
    kept = (*items[:low], *items[high:])
    yield kept
    gap_us = sum(item.gap_us for item in items[low:high])
    if gap_us and high < len(items):
        later = msgspec.structs.replace(items[high], gap_us=items[high].gap_us + gap_us)
        yield (*items[:low], later, *items[high + 1 :])


def _renamed(request: Request[Any], name: str, old: int, new: int) -> Request[Any]:
    if getattr(request.call, name, None) != old:
        return request
    call = msgspec.structs.replace(request.call, **{name: type(old)(new)})
    return msgspec.structs.replace(request, call=call)


# --- Calls -------------------------------------------------------------------------------------


def _fields(call: Any) -> tuple[str, ...]:
    return getattr(call, "__struct_fields__", ())


def _kinds(call: Any) -> tuple[str, tuple[Any, ...]] | None:
    """Return the field that says what kind of call it is, and the kinds there are, in order."""
    for name, hint in get_type_hints(type(call)).items():
        if get_origin(hint) is Literal:
            return name, get_args(hint)
    return None


def _plain_calls(call: Any) -> Iterator[Any]:
    kinds = _kinds(call)
    if kinds is None:
        return
    name, names = kinds
    for kind in names:
        plain = type(call)(**{name: kind})
        if plain == call:
            return
        yield plain
        if kind == getattr(call, name):
            return


def _nearer(call: Any, name: str) -> Iterator[Any]:
    """Yield the call with this field at its default, or nearer to it."""
    value = getattr(call, name)
    defaults = dict(zip(reversed(_fields(call)), reversed(call.__struct_defaults__), strict=False))
    default = defaults.get(name)
    if value == default or not isinstance(default, int):
        return
    for nearer in range(default, value, 1 if value > default else -1):
        yield msgspec.structs.replace(call, **{name: type(default)(nearer)})


def _rank(workload: tuple[Request[Any], ...], order: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(_rank_of(workload[index].call) for index in order)


def _rank_of(call: Any) -> tuple[Any, ...]:
    kinds = _kinds(call)
    values = [getattr(call, name) for name in _fields(call)]
    if kinds is not None:
        values[_fields(call).index(kinds[0])] = kinds[1].index(getattr(call, kinds[0]))
    return tuple(values)
