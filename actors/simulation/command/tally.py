"""What a campaign has played so far, and what of its systems that has reached."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from actors.simulation.stage.rehearsal import Rehearsal
    from actors.simulation.stage.staging import Played

# Bytes of the digest of all runs.
DIGEST_BYTES: Final = 16
# Of so few calls it may be chance that none asked for anything.
CALLS_MIN: Final = 10
# So many runs are enough for what sometimes should be so: where it never was, it never is.
ENOUGH_SCHEDULES: Final = 2_000


class Tally:
    """What was played so far, of all systems together.

    `points` are the crash points there are (service.Message.phase); `passed` and `hit` count those
    that were passed and those at which a kill struck, `faults` what was done, by name. `queries`
    are the queries there are (service.Message), and `asked` counts how often one was answered.
    `real_s` is how long it took.
    """

    def __init__(
        self,
        points: tuple[str, ...],
        queries: tuple[str, ...] = (),
        asserting: Iterable[str] = (),
    ) -> None:
        """Nothing was played yet. `asserting` are the systems of which something is asserted."""
        self._asserting = set(asserting)
        self.points = points
        self.queries = queries
        self.schedules = 0
        # How many of these were scripts that somebody has kept, and not drawn from a seed.
        self.kept = 0
        self.virtual_s = 0.0
        self.real_s = 0.0
        # In how many runs the order was another than asyncio's, and how often that mattered.
        self.ordered = self.early = 0
        self.faults: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        # In how many runs each case has come that sometimes should; those that never came, too.
        self.sometimes: Counter[str] = Counter()
        # By system: how often it was played, what its clients were to do, what they asked for
        # meanwhile, and what was noted.
        self._schedules: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._operations: Counter[str] = Counter()
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)

    @classmethod
    def of(cls, rehearsals: Mapping[str, Rehearsal]) -> Self:
        """Return an empty one of these systems."""
        points = [point for each in rehearsals.values() for point in each.points]
        queries = [query for each in rehearsals.values() for query in each.queries]
        asserting = [name for name, each in rehearsals.items() if each.asserts]
        return cls(tuple(points), tuple(queries), asserting)

    def add(self, system: str, played: Played) -> None:
        """Count a run."""
        self.schedules += 1
        self.virtual_s += played.virtual_s
        self.ordered += bool(played.script.order)
        self.early += played.early
        self.faults.update(played.applied)
        self.passed.update(played.passed)
        self.hit.update(played.hit)
        self.asked.update(played.asked)
        self.sometimes.update({f"{system}: {text}": so for text, so in played.sometimes.items()})
        if played.always:
            self._asserting.add(system)
        self._schedules[system] += 1
        self._calls[system] += played.calls
        self._requests[system] += played.requests
        self._operations[system] += len(played.operations)
        self._hash.update(f"{system}|{played.script.seed}|{played.digest}\n".encode())

    @property
    def drawn(self) -> int:
        """How many schedules were drawn from seeds."""
        return self.schedules - self.kept

    @property
    def digest(self) -> str:
        """The digest of all runs, in hexadecimal: equal seeds give equal digests."""
        return self._hash.hexdigest()

    @property
    def handlers(self) -> tuple[str, ...]:
        """All handlers there are (service.Message), queries last."""
        return tuple(dict.fromkeys([*(_handler(each) for each in self.points), *self.queries]))

    @property
    def idle_handlers(self) -> list[str]:
        """The handlers that were never called."""
        called = {*(_handler(point) for point in self.passed), *self.asked}
        return [each for each in self.handlers if each not in called]

    @property
    def missed_points(self) -> list[str]:
        """The crash points that no kill struck."""
        return [each for each in self.points if not self.hit[each]]

    @property
    def never(self) -> list[str]:
        """What sometimes should be so, and was in no run."""
        return [each for each, count in self.sometimes.items() if not count]

    def vacuous(self) -> list[str]:
        """Return a sentence for each scenario that looks at nothing, so that all must hold.

        And for each case that sometimes should come, where enough was played for it to.
        """
        found = []
        for system in sorted(name for name, calls in self._calls.items() if calls >= CALLS_MIN):
            calls = f"{self._calls[system]} calls that clients of {system} were to make"
            if not self._requests[system]:
                found.append(f"nothing was asked in {calls}: see the scenario's perform")
            elif not self._operations[system]:
                what = "history.invoke in the scenario's perform says what was asked"
                found.append(f"nothing was noted of {calls}: {what}")
            elif system not in self._asserting:
                what = "there is no always, and neither violations nor an audit looks at anything"
                found.append(f"nothing is asserted of {system}: {what}")
        for text in self.never:
            schedules = self._schedules[text.partition(": ")[0]]
            if schedules >= ENOUGH_SCHEDULES:
                found.append(f"never in {schedules} schedules: {text}")
        return found


def _handler(point: str) -> str:
    return point.rpartition(".")[0]
