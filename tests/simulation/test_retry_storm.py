"""A retry storm that outlives its cause, and the budget of retries that ends it.

N. Bronson, A. Aghayev, A. Charapko, T. Zhu, "Metastable Failures in Distributed Systems", HotOS
2021: an outage of two seconds makes so many retries that the dependency never gets to the end of
them, though it could serve nearly twice what is asked for.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from actors.config import load_config
from actors.kernel.rng import Rng
from actors.simulation.command.log_output import without_logs
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run
from tests.service.callers import NO_BREAKER, Called, Caller, calls
from tests.service.desks import office

if TYPE_CHECKING:
    from pathlib import Path

# First attempts a second; the dependency can do a hundred: so many at a time, each so long.
ASKED_A_S = 60
WORKERS = 8
WORK_S = 0.08
LIMIT_S = 0.25
# From when to when it stands still, and until when it is looked at.
OUTAGE_S = (5, 7)
END_S = 30
FOR_EVER_S = (0, 1_000)
# Where nothing changes any more, so much tells all.
STEADY_END_S = 12
# So long after the outage all must be well again.
BACK_S = 10
# As much as anybody could want.
NO_BUDGET = "effect.retries_kept_max=1000000000"


class BusyDependency:
    """Works for so many at a time, in order; whether somebody still waits, it does not know."""

    def __init__(self, outage_s: tuple[int, int]) -> None:
        self._outage_s = outage_s
        self._loop = asyncio.get_running_loop()
        self._queue: deque[asyncio.Future[None]] = deque()
        self._free = WORKERS
        # By second: how many calls came, for the first time too, and were answered in time.
        self.asked: Counter[int] = Counter()
        self.first: Counter[int] = Counter()
        self.answered: Counter[int] = Counter()
        self._known: set[str] = set()

    async def call(self, label: str) -> Called:
        """Return the answer, when it is its turn."""
        second = int(self._loop.time())
        self.asked[second] += 1
        self.first[second] += label not in self._known
        self._known.add(label)
        answer: asyncio.Future[None] = self._loop.create_future()
        self._queue.append(answer)
        self._work()
        await answer
        self.answered[int(self._loop.time())] += 1
        return Called(label=label)

    def _work(self) -> None:
        now_s = self._loop.time()
        begun_s, ended_s = self._outage_s
        begins_s = ended_s if begun_s <= now_s < ended_s else now_s
        while self._free and self._queue:
            self._free -= 1
            self._loop.call_at(begins_s + WORK_S, self._done, self._queue.popleft())

    def _done(self, answer: asyncio.Future[None]) -> None:
        if not answer.done():
            answer.set_result(None)
        self._free += 1
        self._work()


def played(
    folder: Path,
    seed: int,
    *settings: str,
    asked_a_s: int,
    outage_s: tuple[int, int],
    end_s: int = END_S,
) -> BusyDependency:
    """Have it asked all the time, and return what it has seen."""
    folder.mkdir()
    loop = SimulationLoop(seed=seed)

    async def main() -> BusyDependency:
        dependency = BusyDependency(outage_s)
        world: Any = dependency
        rng = Rng(seed)
        limits = (f"effect.effect_s_max={LIMIT_S}", *settings)
        async with office(
            folder, {"a": lambda: Caller(world)}, clock=loop.clock, seed=seed, settings=limits
        ) as at:
            number = 0
            while loop.time() < end_s:
                await asyncio.sleep(rng.expovariate(asked_a_s))
                number += 1
                at.ask("a", calls(str(number)))
        return dependency

    with without_logs():
        return run(main(), loop=loop)


def share(seen: Counter[int], of: Counter[int], since_s: int, until_s: int = END_S) -> float:
    """Return how many there were to one of the others."""
    seconds = range(since_s, until_s)
    return sum(seen[each] for each in seconds) / sum(of[each] for each in seconds)


def test_a_retry_storm_outlives_its_cause_without_the_budget_and_not_with_it(
    tmp_path: Path, seed: int
) -> None:
    """With the shipped numbers, breaker included, which does not end it alone."""
    begun_s, ended_s = OUTAGE_S
    asked = Counter(dict.fromkeys(range(END_S), ASKED_A_S))
    storm = played(tmp_path / "without", seed, NO_BUDGET, asked_a_s=ASKED_A_S, outage_s=OUTAGE_S)
    assert share(storm.answered, asked, 0, begun_s) > 0.85
    # Some are, for now and then all are late, and who asks again into silence are few.
    assert share(storm.answered, asked, ended_s) < 0.3, storm.answered
    calm = played(tmp_path / "with", seed, asked_a_s=ASKED_A_S, outage_s=OUTAGE_S)
    assert share(calm.answered, asked, 0, begun_s) > 0.85
    assert share(calm.answered, asked, ended_s + BACK_S) > 0.85, calm.answered


def test_what_answers_nothing_is_asked_a_fifth_more_often_at_most(
    tmp_path: Path, seed: int
) -> None:
    """Where it is asked much, with the shipped numbers; no breaker helps it."""
    seen = played(
        tmp_path / "a",
        seed,
        *NO_BREAKER,
        asked_a_s=150,
        outage_s=FOR_EVER_S,
        end_s=STEADY_END_S,
    )
    assert not seen.answered
    assert 1.05 <= share(seen.asked, seen.first, 0, STEADY_END_S) <= 1.2, (seen.asked, seen.first)


def test_what_is_silent_is_asked_a_fifth_more_often_at_most_and_left_alone_in_time(
    tmp_path: Path, seed: int
) -> None:
    """Also where it is asked little, with the shipped numbers."""
    effect = load_config().effect
    limit_s = f"effect.effect_s_max={effect.effect_s_max}"
    seen = played(tmp_path / "a", seed, limit_s, asked_a_s=15, outage_s=FOR_EVER_S)
    assert share(seen.asked, seen.first, 0) <= 1.2, (seen.asked, seen.first)
    # From then on there are only probes.
    left_alone_s = int(effect.silence_s + effect.effect_s_max) + 1
    assert share(seen.asked, Counter(dict.fromkeys(range(END_S), 1)), left_alone_s) <= 2.0
