"""Whatever happens to the hotel while guests book and cancel: at rest, all of its books agree.

Hypothesis writes a script: bursts of steps, each followed by some turns of the event loop, in which
the saga goes on until the next burst hits it. When the script is over every service is resumed, and
every client asks once more for what it has no answer to. A failure prints the shortest script that
still fails, and a `@reproduce_failure` that runs it again.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from actors.kernel.clock import SystemClock
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.inline_store import InlineStore
from tests.systems.hotel.fate import Fate
from tests.systems.hotel.steps import Script, limits, scripts
from tests.systems.hotel.town import Town
from tests.systems.hotel.whole import Furnished, Whole, furnish

# Within the time limit of one test, which would end it without a word of what failed.
SHRINK_S_MAX = 40.0
# All but `explain`, which traces every line, and is slower than that limit.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]


class Shrinking:
    """Lets Hypothesis look for a shorter script that fails for so long, and then find no more."""

    def __init__(self, kind: type[InlineStore | AiosqliteStore], furnished: Furnished) -> None:
        self._kind = kind
        self._furnished = furnished
        self._clock = SystemClock()
        self._end_s: float | None = None
        self._failed: set[str] = set()

    async def play(self, script: Script, limits_s: tuple[float, float]) -> None:
        """Play the script, or pretend that it is fine: but not one that has failed before."""
        over = self._end_s is not None and self._clock.monotonic() > self._end_s
        name = repr((script, limits_s))
        if over and name not in self._failed:
            return
        try:
            await play(script, self._furnished, self._kind, limits_s=limits_s)
        except Exception:
            self._failed.add(name)
            self._end_s = self._end_s or self._clock.monotonic() + SHRINK_S_MAX
            raise


async def play(
    script: Script,
    furnished: Furnished,
    kind: type[InlineStore | AiosqliteStore],
    *,
    limits_s: tuple[float, float],
) -> None:
    """Let it happen, let it rest, and compare all there is to compare."""
    booking_s_max, hold_s = limits_s
    with tempfile.TemporaryDirectory() as folder:
        furnished.copy_to(Path(folder))
        times = {"booking_s_max": booking_s_max, "hold_s": hold_s}
        fate = Fate()
        hotel = Whole(Path(folder), store=fate.store(kind), fate=fate, hotel=times)
        await hotel.boot()
        try:
            town = Town(hotel, fate, furnished)
            for burst, count in script:
                for step in burst:
                    await step.do(town)
                await town.turn(count)
            await town.rest()
            await town.ask_again()  # what was lost is begun now
            await town.ask_again()
            town.check_answers()
        finally:
            await hotel.stop()


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """Files to begin with: migrations for every script would take most of the time."""
    return asyncio.run(furnish(tmp_path_factory.mktemp("furnished")))


@pytest.fixture(scope="module")
def inline(furnished: Furnished) -> Shrinking:
    return Shrinking(InlineStore, furnished)


@pytest.fixture(scope="module")
def on_threads(furnished: Furnished) -> Shrinking:
    return Shrinking(AiosqliteStore, furnished)


@pytest.mark.slow
@settings(max_examples=150, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
@given(script=scripts, limits_s=limits)
async def test_any_interleaving_leaves_the_books_in_agreement(
    inline: Shrinking, script: Script, limits_s: tuple[float, float]
) -> None:
    """Requests, duplicates, kills, suspensions, restarts, clock jumps, deaths of the process."""
    await inline.play(script, limits_s)


@pytest.mark.slow
@settings(max_examples=50, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
@given(script=scripts, limits_s=limits)
async def test_any_interleaving_leaves_the_books_in_agreement_on_threads(
    on_threads: Shrinking, script: Script, limits_s: tuple[float, float]
) -> None:
    """The same on the store of a running system, whose commits take their time elsewhere."""
    await on_threads.play(script, limits_s)
