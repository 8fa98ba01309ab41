"""Plays seed after seed until one fails, or to the end, and makes small what failed."""

from __future__ import annotations

from contextlib import closing, suppress
from itertools import count, islice
from typing import TYPE_CHECKING

import msgspec

from actors.kernel.clock import SystemClock
from actors.simulation.command.findings import Failure, Findings, trouble_kind
from actors.simulation.command.tally import Tally
from actors.simulation.command.workers import LostRun, Workers, can_fork
from actors.simulation.errors import SimulationError
from actors.simulation.look.close_look import CloseLook
from actors.simulation.shrink.inevitable import find_inevitable
from actors.simulation.shrink.minimise import RUNS_MAX, minimise
from actors.simulation.stage.staging import Played

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from actors.kernel.clock import Clock
    from actors.simulation.script.script import Script
    from actors.simulation.shrink.inevitable import Inevitable
    from actors.simulation.stage.onlooker import Onlooker
    from actors.simulation.stage.rehearsal import Rehearsal


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Seeds from `first` on, each with every system.

    `seeds` of them, or as many as last `virtual_s` seconds of virtual time in all, or as can be
    played in `real_s` seconds. It ends with the first that fails, unless it is to `keep_going`.
    """

    first: int
    seeds: int | None
    virtual_s: float | None = None
    real_s: float | None = None
    keep_going: bool = False

    def share(self, tally: Tally, systems: int) -> float:
        """Return how much of it is done, from 0 to 1."""
        if self.virtual_s is not None:
            return min(1.0, tally.virtual_s / self.virtual_s)
        if self.real_s is not None:
            return min(1.0, tally.real_s / self.real_s)
        assert self.seeds is not None, "one of the three is given"
        return tally.drawn / (self.seeds * systems)

    def left(self, tally: Tally, systems: int) -> Plan:
        """Return what is still to be played of it: a seed that not every system had, once more."""
        seeds = tally.drawn // systems
        replace = msgspec.structs.replace
        left = replace(self, first=self.first + seeds)
        if self.virtual_s is not None:
            return replace(left, virtual_s=max(1.0, self.virtual_s - tally.virtual_s))
        if self.real_s is not None:
            return replace(left, real_s=max(1.0, self.real_s - tally.real_s))
        assert self.seeds is not None, "one of the three is given"
        return replace(left, seeds=max(1, self.seeds - seeds))


class Minimised(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a failure, with its trace kept, after how many runs.

    `repeatable` is whether the failing script failed again at all: if not, nothing was shrunk.
    `minimal` is whether all was tried that might have made it smaller. `passing` is what differs
    least from it and holds, of what was tried, with its trace.
    """

    failure: Failure
    runs: int
    repeatable: bool = True
    minimal: bool = True
    passing: Played | None = None

    def summary(self, found: Failure) -> str:
        """Say how much of what was found is left."""
        if found.played.endless:
            return "It was not made smaller: each try would end as this run did."
        before, after = found.played.script, self.failure.played.script
        told = (
            f"It takes {len(after.workload)} of {len(before.workload)} requests and "
            f"{len(after.schedule)} of {len(before.schedule)} faults, as {self.runs} more runs "
            "found out."
        )
        return told if self.minimal else f"{told} It may not be the smallest: not all was tried."


class Campaign:
    """Plays systems; ask it to stop from a signal handler, and it ends after the run in hand."""

    def __init__(
        self,
        rehearsals: Mapping[str, Rehearsal],
        *,
        keep: bool = False,
        jobs: int = 1,
        clock: Clock | None = None,
    ) -> None:
        """`rehearsals` by the systems' names; with `keep` every run's trace is kept.

        With several `jobs` as many processes play, and what comes of it is the same. `clock` is
        the real one.
        """
        self.rehearsals = rehearsals
        self.stopping = False
        self.findings = Findings()
        self.tally = Tally.of(rehearsals)
        self._keep = keep
        self._jobs = jobs
        self._clock = clock or SystemClock()

    def stop(self) -> None:
        """Play no further schedule, and shrink no further."""
        self.stopping = True

    def play(self, plan: Plan, seen: Callable[[str, Played], None]) -> Failure | None:
        """Return the first failure, or nothing when the plan is done. `seen` hears of each run.

        All kinds of failures are in `findings`, also where it raises SimulationError: a scenario
        is misused, and nothing more can be played.
        """
        began_s = self._clock.monotonic() - self.tally.real_s
        if self._is_over(plan):
            return None
        first: Failure | None = None
        with closing(self._results(plan)) as results:
            for system, seed, found in results:
                failure = self._failure(system, seed, found)
                played = failure.played if isinstance(found, LostRun) else found
                self.tally.add(system, played)
                self.tally.real_s = self._clock.monotonic() - began_s
                if failure.played.troubles:
                    self.findings.add(failure)
                    first = first or failure
                seen(system, played)
                if (first is not None and not plan.keep_going) or self._is_over(plan):
                    break
        return first

    def rehearse(
        self, system: str, script: Script, *, keep: bool, onlooker: Onlooker | None = None
    ) -> Played:
        """Play one script and count it; with `keep`, with a close look at it."""
        onlooker = onlooker or (CloseLook() if keep else None)
        played = self.rehearsals[system].play(script, keep=keep, onlooker=onlooker)
        self.tally.add(system, played)
        self.tally.kept += 1
        if played.troubles:
            self.findings.add(Failure(system=system, played=played))
        return played

    def minimise(
        self, failure: Failure, tried: Callable[[int], None], *, runs_max: int = RUNS_MAX
    ) -> Minimised:
        """Leave out of a failure all that it does not need; `tried` hears of each run's number.

        It is the same failure while the first of its troubles is there, whatever its particulars.
        What had no end is left as it is: each attempt would take as long as the first.
        """
        rehearsal, found = self.rehearsals[failure.system], failure.played
        kind, runs = trouble_kind(found.troubles[0]), 0

        def play(script: Script) -> Played:
            nonlocal runs
            if self.stopping:  # what is tried from now on counts as holding
                return found
            runs += 1
            tried(runs)
            try:
                return rehearsal.play(script)
            except SimulationError as error:  # misuse: nothing was played, so it is not this one
                played = msgspec.structs.replace(found, script=script, passed={})
                return msgspec.structs.replace(played, troubles=(str(error),))

        def fails(played: Played) -> bool:
            kinds = {trouble_kind(trouble) for trouble in played.troubles}
            return kind in kinds and not self.stopping

        script, minimal = found.script, True
        passing: tuple[Script, ...] = ()
        if not found.endless:
            with suppress(ValueError):  # it does not fail again, as the next run will show
                minimum = minimise(
                    script,
                    play,
                    fails,
                    targets=rehearsal.targets,
                    choose_call=rehearsal.playwright.choose_call,
                    runs_max=runs_max,
                )
                script, minimal = minimum.script, minimum.minimal and not self.stopping
                passing = minimum.passing
        again = rehearsal.play(script, keep=True, onlooker=CloseLook())
        return Minimised(
            failure=Failure(system=failure.system, played=again),
            runs=runs,
            repeatable=bool(again.troubles),
            minimal=minimal,
            passing=next(self._holding(rehearsal, passing), None),
        )

    # --- Inside ------------------------------------------------------------------------------

    def inevitable(self, failure: Failure) -> Inevitable:
        """Return from which line of a failure's trace, which was kept, it fails whatever comes.

        As it fails there: with the first of its troubles.
        """
        rehearsal, played = self.rehearsals[failure.system], failure.played

        def fails(onlooker: Onlooker) -> bool:
            again = rehearsal.play(played.script, onlooker=onlooker)
            return failure.kind in {trouble_kind(each) for each in again.troubles}

        return find_inevitable(len(played.lines), fails)

    def _holding(self, rehearsal: Rehearsal, scripts: Iterable[Script]) -> Iterator[Played]:
        """Play scripts; yield what holds in every respect."""
        for script in scripts:
            played = rehearsal.play(script, keep=True, onlooker=CloseLook())
            if not played.troubles:
                yield played

    def _is_over(self, plan: Plan) -> bool:
        return self.stopping or plan.share(self.tally, len(self.rehearsals)) >= 1.0

    def _results(self, plan: Plan) -> Generator[tuple[str, int, Played | LostRun], None, None]:
        """Yield what comes of each turn, as soon as those before it are told."""
        every = ((system, seed) for seed in count(plan.first) for system in self.rehearsals)
        left = None
        if plan.seeds is not None:
            left = plan.seeds * len(self.rehearsals) - self.tally.drawn
        turns = islice(every, left)
        if self._jobs > 1 and left != 1 and can_fork():
            workers = Workers(self.rehearsals, self._jobs, self._clock, keep=self._keep)
            yield from workers.play(turns, lambda: self.stopping)
            return
        for system, seed in turns:
            rehearsal = self.rehearsals[system]
            yield system, seed, rehearsal.play(rehearsal.script(seed), keep=self._keep)

    def _failure(self, system: str, seed: int, found: Played | LostRun) -> Failure:
        """Return the run as a failure, which it is if it has troubles: with its whole script."""
        if isinstance(found, LostRun):
            script = self.rehearsals[system].script(seed)
            return Failure(system=system, played=_lost(script, found), lost=True)
        if found.troubles:
            script = self.rehearsals[system].script(seed)
            found = msgspec.structs.replace(found, script=script)
        return Failure(system=system, played=found)


def _lost(script: Script, lost: LostRun) -> Played:
    """Return all that is known of a run that took its process with it."""
    return Played(
        script=script,
        troubles=(f"the run {lost.how}",),
        digest="",
        lines=(),
        virtual_s=0.0,
        applied={},
        passed={},
        hit={},
        endless=True,
    )
