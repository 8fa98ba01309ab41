"""X's stream from its socket through tweepy to rows that are committed and scored, file to file.

Run as a program by `Probe`; prints a list of tweets a second and CPU microseconds a tweet. The
whole system is up, as runtime.py builds it. While the reader does not know where X is, tweets are
posted; then it is told, and X sends it all that it has missed.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import sys
import time
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from actors.config import load_config
from actors.kernel.clock import SystemClock
from actors.systems.served import listeners
from actors.systems.tweets.credentials import load_credentials
from actors.systems.tweets.messages import GetReader
from actors.systems.tweets.x_access import XAccess
from actors.systems.x_platform.api.embedded_credentials import load_embedded_credentials
from actors.systems.x_platform.messages import TweetAs
from http_edge.edge import Edge
from runtime import build_system
from tests.benchmarks.probe import probed
from tests.benchmarks.server_process import FREE_PORTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from actors.service.assembly import ServiceSystem

# Posts under way at a time, before the clock runs.
WINDOW = 64
ANSWER_S_MAX = 60.0
POLL_S = 0.005
AUTHORS = 50
NAME = "a row, committed and scored"
SCORED = "SELECT count(*) FROM tweet WHERE score IS NOT NULL"


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[tuple[ServiceSystem, Edge, XAccess]]:
    settings = [option.removeprefix("--set=") for option in FREE_PORTS]
    config = load_config(settings=settings)
    credentials = load_credentials(load_embedded_credentials(folder))
    access = XAccess(credentials, simulator=True, write=True)
    system = build_system(config, folder, SystemClock(), access)
    await system.start()
    edge = Edge(system, config.edge, listeners(config, folder), data_dir=folder)
    await edge.start()
    try:
        yield system, edge, access
    finally:
        await edge.drain(config.runtime.drain_s)
        await system.stop()


async def _introduce(folder: Path) -> None:
    """Let the reader make its rule and be connected once: from then on X owes it everything."""
    async with _running(folder) as (system, edge, access):
        access.open(edge.addresses["x_platform"])
        while True:
            reader = await system.ask("reader", GetReader(), timeout_s=ANSWER_S_MAX)
            if reader.status == "connected":
                return
            await asyncio.sleep(POLL_S)


async def _timed(folder: Path, count: int) -> tuple[float, float]:
    async with _running(folder) as (system, edge, access):
        numbers = iter(range(count))

        async def post() -> None:
            for number in numbers:
                tweet = TweetAs(
                    username=f"author{number % AUTHORS}",
                    text=f"tutorialedge has a good page number {number}, I like it",
                )
                await system.ask("x_platform", tweet, timeout_s=ANSWER_S_MAX)

        await asyncio.gather(*(post() for _ in range(WINDOW)))
        began, began_cpu = time.perf_counter(), time.process_time()
        access.open(edge.addresses["x_platform"])
        with closing(sqlite3.connect(folder / "tweets.db")) as connection:
            while (scored := connection.execute(SCORED).fetchone()[0]) < count:  # noqa: ASYNC110 - only its file knows
                await asyncio.sleep(POLL_S)
        wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    assert scored == count, f"{scored} rows of {count} tweets"
    return count / wall, cpu / count * 1e6


async def measure(*, rounds: int, count: int, folder: str) -> dict[str, list[tuple[float, float]]]:
    """Measure on fresh files each round, after a round that does not count."""
    # Standard output is the result's.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
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
