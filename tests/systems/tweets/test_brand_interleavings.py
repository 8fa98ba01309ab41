"""Whatever happens to the brand monitor while people tweet: at rest, all of its books agree.

Hypothesis writes a script: bursts of steps, each followed by some turns of the event loop. When it
is over all faults are lifted, every service is resumed, the stream is read once more, and whoever
has no answer asks again. Then each tweet of the stream is stored once and scored once, and what is
to be flagged, liked and answered is so exactly once, at X as well as on our books. A failure prints
the shortest script that still fails, and a `@reproduce_failure` that runs it again.
"""

from __future__ import annotations

import asyncio
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings

from actors.service.stateless.inline_runner import InlineRunner
from actors.service.stateless.thread_runner import ThreadRunner
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.inline_store import InlineStore
from tests.systems.fate import Death, Fate
from tests.systems.shrinking import PHASES, Shrinking
from tests.systems.tweets.brand_monitor import PRAISE, BrandMonitor, brand_monitor
from tests.systems.tweets.brand_steps import (
    Befall,
    Die,
    Doom,
    Follow,
    Jump,
    Retweet,
    Script,
    Tweet,
    scripts,
)
from tests.systems.tweets.crowd import Crowd
from tests.systems.whole import copy_files


async def play(
    prepared: Path, kind: type[InlineStore | AiosqliteStore], runner: Any, script: Script
) -> None:
    """Let it happen, let it rest, and compare all there is to compare."""
    with tempfile.TemporaryDirectory() as folder:
        copy_files(prepared, Path(folder))
        fate = Fate()
        monitor = BrandMonitor(Path(folder), store=fate.store(kind), runner=runner, fate=fate)
        await monitor.boot()
        try:
            crowd = Crowd(monitor, fate)
            for burst, count in script:
                for step in burst:
                    await step.do(crowd)
                await crowd.turn(count)
            await crowd.rest()
            await crowd.rest()  # everybody asks again, and all of the stream comes again
            crowd.check_answers()
        finally:
            await monitor.stop()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to begin with: migrations for every script would take most of the time."""
    folder = tmp_path_factory.mktemp("prepared")

    async def prepare() -> None:
        async with brand_monitor(folder) as monitor:
            await monitor.add_rule()
            await monitor.settle()

    asyncio.run(prepare())
    return folder


@pytest.fixture(scope="module")
def inline(prepared: Path) -> Shrinking:
    return Shrinking(partial(play, prepared, InlineStore, InlineRunner))


@pytest.fixture(scope="module")
def on_threads(prepared: Path) -> Shrinking:
    return Shrinking(partial(play, prepared, AiosqliteStore, ThreadRunner))


# The clock is set forward, by more than X remembers, while a reply is under way for a second time.
LEAP: Script = [
    ([Tweet("ann", PRAISE), Retweet(0)], 28),
    (
        [
            Follow(),
            Doom("responder", 0, Death(after=False, process=False)),
            Befall(("busy", "answer lost")),
        ],
        32,
    ),
    ([Jump(61.0), Die(), Jump(172_800.0)], 41),
]


@pytest.mark.slow
@example(script=LEAP)
@settings(max_examples=8, phases=PHASES)
@given(script=scripts)
async def test_any_interleaving_leaves_the_books_in_agreement(
    inline: Shrinking, script: Script
) -> None:
    """Tweets, duplicates, a bad line to X, kills, suspensions, clock jumps, deaths of all."""
    await inline.play(script)


@pytest.mark.slow
@settings(max_examples=3, phases=PHASES)
@given(script=scripts)
async def test_any_interleaving_leaves_the_books_in_agreement_on_threads(
    on_threads: Shrinking, script: Script
) -> None:
    """The same on the store of a running system, whose commits take their time elsewhere."""
    await on_threads.play(script)


@pytest.mark.long
@settings(max_examples=300, phases=PHASES)
@given(script=scripts)
async def test_any_interleaving_leaves_the_books_in_agreement_for_minutes(
    inline: Shrinking, script: Script
) -> None:
    """And a search that takes its time."""
    await inline.play(script)
