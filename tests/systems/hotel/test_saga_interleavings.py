"""Whatever happens to the hotel while guests book and cancel: at rest, all of its books agree.

Hypothesis writes a script: bursts of steps, each followed by some turns of the event loop, in which
the saga goes on until the next burst hits it. When the script is over every service is resumed, and
every client asks once more for what it has no answer to. A failure prints the shortest script that
still fails, and a `@reproduce_failure` that runs it again.
"""

from __future__ import annotations

import asyncio
import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings

from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.inline_store import InlineStore
from tests.systems.fate import Fate
from tests.systems.hotel.steps import Script, limits, scripts
from tests.systems.hotel.town import Town
from tests.systems.hotel.whole import Furnished, Whole, furnish
from tests.systems.shrinking import PHASES, Shrinking


async def play(
    furnished: Furnished,
    kind: type[InlineStore | AiosqliteStore],
    script: Script,
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
    return Shrinking(partial(play, furnished, InlineStore))


@pytest.fixture(scope="module")
def on_threads(furnished: Furnished) -> Shrinking:
    return Shrinking(partial(play, furnished, AiosqliteStore))


@pytest.mark.slow
@settings(max_examples=6, phases=PHASES)
@given(script=scripts, limits_s=limits)
async def test_any_interleaving_leaves_the_books_in_agreement(
    inline: Shrinking, script: Script, limits_s: tuple[float, float]
) -> None:
    """Requests, duplicates, kills, suspensions, restarts, clock jumps, deaths of the process."""
    await inline.play(script, limits_s)


@pytest.mark.slow
@settings(max_examples=4, phases=PHASES)
@given(script=scripts, limits_s=limits)
async def test_any_interleaving_leaves_the_books_in_agreement_on_threads(
    on_threads: Shrinking, script: Script, limits_s: tuple[float, float]
) -> None:
    """The same on the store of a running system, whose commits take their time elsewhere."""
    await on_threads.play(script, limits_s)


@pytest.mark.long
@settings(max_examples=1000, phases=PHASES)
@given(script=scripts, limits_s=limits)
async def test_any_interleaving_leaves_the_books_in_agreement_for_minutes(
    inline: Shrinking, script: Script, limits_s: tuple[float, float]
) -> None:
    """And a search that goes on for minutes."""
    await inline.play(script, limits_s)
