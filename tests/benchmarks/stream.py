"""X's stream from its socket through tweepy to rows that are committed and scored, file to file.

Run as a program by `Probe`; prints a list of tweets a second and CPU microseconds a tweet. The
whole system is up, as the command line boots it. While the reader does not know where X is, tweets
are posted; then it is told, and X sends it all that it has missed.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from actors.app import App
from actors.config import load_config
from actors.kernel.clock import SystemClock
from actors.kernel.rng import Rng
from actors.system import Dependency
from actors.systems import SYSTEMS
from actors.systems.hotel.system import HOTEL
from actors.systems.tweets.messages import GetReader
from actors.systems.tweets.outside import EMBEDDED_CREDENTIALS, simulated_x
from actors.systems.tweets.system import TWEETS
from actors.systems.tweets.x.access import XAccess
from actors.systems.tweets.x.credentials import load_credentials
from actors.systems.x_platform.messages import TweetAs
from actors.systems.x_platform.system import X_PLATFORM
from tests.benchmarks.probe import probed
from tests.benchmarks.server_process import FREE_PORTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


# Posts under way at a time, before the clock runs.
WINDOW = 64
ANSWER_S_MAX = 60.0
POLL_S = 0.005
AUTHORS = 50
NAME = "a row, committed and scored"
SCORED = "SELECT count(*) FROM tweet WHERE score IS NOT NULL"


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[tuple[App, XAccess]]:
    settings = [option.removeprefix("--set=") for option in FREE_PORTS]
    config = load_config(settings=settings, systems=SYSTEMS)
    X_PLATFORM.lay_out(folder)
    credentials = load_credentials(folder / EMBEDDED_CREDENTIALS)
    access = XAccess(credentials, simulator=True, write=True)
    x = Dependency(live=lambda _: access, simulated=simulated_x)
    systems = (HOTEL, replace(TWEETS, outside={"x": x}), X_PLATFORM)
    app = App(systems, config, data_dir=folder, clock=SystemClock(), rng=Rng(secrets.randbits(128)))
    await app.start()
    await app.listen()
    try:
        yield app, access
    finally:
        await app.drain()
        await app.stop()


async def _introduce(folder: Path) -> None:
    """Let the reader make its rule and be connected once: from then on X owes it everything."""
    async with _running(folder) as (app, access):
        access.open(app.addresses["x_platform"])
        while True:
            reader = await app.tree.ask("reader", GetReader(), timeout_s=ANSWER_S_MAX)
            if reader.status == "connected":
                return
            await asyncio.sleep(POLL_S)


async def _timed(folder: Path, count: int) -> tuple[float, float]:
    async with _running(folder) as (app, access):
        numbers = iter(range(count))

        async def post() -> None:
            for number in numbers:
                tweet = TweetAs(
                    username=f"author{number % AUTHORS}",
                    text=f"tutorialedge has a good page number {number}, I like it",
                )
                await app.tree.ask("x_platform", tweet, timeout_s=ANSWER_S_MAX)

        await asyncio.gather(*(post() for _ in range(WINDOW)))
        began, began_cpu = time.perf_counter(), time.process_time()
        access.open(app.addresses["x_platform"])
        with closing(sqlite3.connect(folder / "tweets.db")) as connection:
            while (scored := connection.execute(SCORED).fetchone()[0]) < count:  # noqa: ASYNC110 - only its file knows
                await asyncio.sleep(POLL_S)
        wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    assert scored == count, f"{scored} rows of {count} tweets"
    return count / wall, cpu / count * 1e6


async def measure(*, rounds: int, count: int, folder: str) -> dict[str, list[tuple[float, float]]]:
    """Measure on fresh files each round, after a round that does not count."""
    samples: dict[str, list[tuple[float, float]]] = {NAME: []}
    for turn in range(rounds + 1):
        place = Path(folder) / str(turn)
        place.mkdir()
        await _introduce(place)
        sample = await _timed(place, count)
        if turn:
            samples[NAME].append(sample)
    return samples


if __name__ == "__main__":
    probed(measure)
