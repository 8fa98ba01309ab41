"""Plays seed after seed until one fails, and makes small what failed."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Final

import msgspec

from actors.simulation.shrink.minimise import RUNS_MAX, minimise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from actors.simulation.stage.rehearsal import Played, Rehearsal, Script

# Bytes of the digest of all runs.
DIGEST_BYTES: Final = 16
# So many runs are enough for what sometimes should be so: where it never was, it never is.
ENOUGH_SCHEDULES: Final = 2_000
# What tells two findings of one bug apart: ids, numbers, and all but the first line.
PARTICULARS: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\d+(\.\d+)?")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Seeds from `first` on, each with every system.

    `seeds` of them, or as many as last `virtual_s` seconds of virtual time in all.
    """

    first: int
    seeds: int | None
    virtual_s: float | None = None

    def share(self, tally: Tally, systems: int) -> float:
        """Return how much of it is done, from 0 to 1."""
        if self.virtual_s is not None:
            return min(1.0, tally.virtual_s / self.virtual_s)
        assert self.seeds is not None, "one of the two is given"
        return tally.schedules / (self.seeds * systems)


class Tally:
    """What was played so far, of all systems together.

    `points` are the crash points there are (service.Message.phase); `passed` and `hit` count those
    that were passed and those at which a kill struck, `faults` what was done, by name.
    """

    def __init__(self, points: tuple[str, ...]) -> None:
        """Nothing was played yet."""
        self.points = points
        self.schedules = 0
        self.virtual_s = 0.0
        self.faults: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()
        # In how many runs each case has come that sometimes should.
        self.sometimes: Counter[str] = Counter()
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)

    def add(self, system: str, played: Played) -> None:
        """Count a run."""
        self.schedules += 1
        self.virtual_s += played.virtual_s
        self.faults.update(played.applied)
        self.passed.update(played.passed)
        self.hit.update(played.hit)
        self.sometimes.update({f"{system}: {text}": so for text, so in played.sometimes.items()})
        self._hash.update(f"{system}|{played.script.seed}|{played.digest}\n".encode())

    @property
    def digest(self) -> str:
        """The digest of all runs, in hexadecimal: equal seeds give equal digests."""
        return self._hash.hexdigest()

    @property
    def handlers(self) -> tuple[str, ...]:
        """All handlers there are (service.Message)."""
        return tuple(dict.fromkeys(_handler(point) for point in self.points))

    @property
    def idle_handlers(self) -> list[str]:
        """The handlers that were never called."""
        called = {_handler(point) for point in self.passed}
        return [each for each in self.handlers if each not in called]

    @property
    def never(self) -> list[str]:
        """What sometimes should be so, and was in no run."""
        return [each for each, count in self.sometimes.items() if not count]

    @property
    def is_vacuous(self) -> bool:
        """Whether enough was played for what never was so to count as a failure."""
        return self.schedules >= ENOUGH_SCHEDULES and bool(self.never)

    @property
    def missed_points(self) -> list[str]:
        """The crash points that no kill struck."""
        return [each for each in self.points if not self.hit[each]]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A run in which something was wrong."""

    system: str
    played: Played


class Minimised(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a failure, with its trace kept, after how many runs.

    `repeatable` is whether the failing script failed again at all: if not, nothing was shrunk.
    `minimal` is whether all was tried that might have made it smaller.
    """

    failure: Failure
    runs: int
    repeatable: bool = True
    minimal: bool = True

    def summary(self, found: Failure) -> str:
        """Say how much of what was found is left."""
        before, after = found.played.script, self.failure.played.script
        told = (
            f"It takes {len(after.workload)} of {len(before.workload)} requests and "
            f"{len(after.schedule)} of {len(before.schedule)} faults, as {self.runs} more runs "
            "found out."
        )
        return told if self.minimal else f"{told} It may not be the smallest: not all was tried."


class Campaign:
    """Plays systems; ask it to stop from a signal handler, and it ends after the run in hand."""

    def __init__(self, rehearsals: Mapping[str, Rehearsal], *, keep: bool = False) -> None:
        """`rehearsals` by the systems' names; with `keep` every run's trace is kept."""
        self.rehearsals = rehearsals
        self.stopping = False
        points = [point for each in rehearsals.values() for point in each.points]
        self.tally = Tally(tuple(points))
        self._keep = keep

    def stop(self) -> None:
        """Play no further schedule, and shrink no further."""
        self.stopping = True

    def play(self, plan: Plan, seen: Callable[[str, Played], None]) -> Failure | None:
        """Return the first failure, or nothing when the plan is done. `seen` hears of each run."""
        for system, script in self._scripts(plan):
            played = self.rehearse(system, script, keep=self._keep)
            seen(system, played)
            if played.troubles:
                return Failure(system=system, played=played)
        return None

    def rehearse(self, system: str, script: Script, *, keep: bool) -> Played:
        """Play one script and count it."""
        played = self.rehearsals[system].play(script, keep=keep)
        self.tally.add(system, played)
        return played

    def minimise(
        self, failure: Failure, tried: Callable[[int], None], *, runs_max: int = RUNS_MAX
    ) -> Minimised:
        """Leave out of a failure all that it does not need; `tried` hears of each run's number.

        It is the same failure while the first of its troubles is there, whatever its particulars.
        What had no end is left as it is: each attempt would take as long as the first.
        """
        rehearsal, found = self.rehearsals[failure.system], failure.played
        kind, runs = _kind(found.troubles[0]), 0

        def play(script: Script) -> Played:
            nonlocal runs
            if self.stopping:  # what is tried from now on counts as holding
                return found
            runs += 1
            tried(runs)
            return rehearsal.play(script)

        def fails(played: Played) -> bool:
            kinds = {_kind(trouble) for trouble in played.troubles}
            return kind in kinds and not self.stopping

        script, minimal = found.script, True
        if not found.endless:
            with suppress(ValueError):  # it does not fail again, as the next run will show
                minimum = minimise(
                    script,
                    play,
                    fails,
                    targets=rehearsal.targets,
                    choose_call=rehearsal.choose_call,
                    runs_max=runs_max,
                )
                script, minimal = minimum.script, minimum.minimal and not self.stopping
        again = rehearsal.play(script, keep=True)
        return Minimised(
            failure=Failure(system=failure.system, played=again),
            runs=runs,
            repeatable=bool(again.troubles),
            minimal=minimal,
        )

    def _scripts(self, plan: Plan) -> Iterator[tuple[str, Script]]:
        for number in count():
            for system, rehearsal in self.rehearsals.items():
                if self.stopping or plan.share(self.tally, len(self.rehearsals)) >= 1.0:
                    return
                yield system, rehearsal.script(plan.first + number)


def _handler(point: str) -> str:
    return point.rpartition(".")[0]


def _kind(trouble: str) -> str:
    return PARTICULARS.sub("#", trouble.partition("\n")[0])
