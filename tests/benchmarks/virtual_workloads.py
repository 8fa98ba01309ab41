"""What any simulator of asyncio can run: tasks that sleep, and a conversation over streams."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    # Starts a coroutine on the simulated host of that name.
    Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]

# A hundred tasks that sleep: a second at a time, for a minute, or each another time between a
# second and a minute, as time-outs and retries do, for ten minutes.
SLEEPERS = 100
SECONDS = 60
TIMERS_S = 600
# A conversation: so many clients, so many lines each, some virtual time in between.
CLIENTS = 3
LINES = 10
PORT = 9000


async def tick() -> float:
    """Let every task wake once a second; return how many virtual seconds it took."""

    async def sleeper(number: int) -> None:
        for _ in range(SECONDS):
            await asyncio.sleep(1.0 + number / 1000)

    return await _lasting(sleeper)


async def wait_for_timers() -> float:
    """Let every task wake at intervals of its own; return how many virtual seconds it took."""

    async def sleeper(number: int) -> None:
        interval_s = 1.0 + number * 59 / SLEEPERS
        for _ in range(int(TIMERS_S / interval_s)):
            await asyncio.sleep(interval_s)

    return await _lasting(sleeper)


async def _lasting(sleeper: Callable[[int], Coroutine[Any, Any, None]]) -> float:
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    await asyncio.gather(*(sleeper(number) for number in range(SLEEPERS)))
    return loop.time() - begun_s


async def converse(spawn: Spawn) -> float:
    """Let clients send lines to a server that answers each; return the virtual seconds."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    listening, ended = asyncio.Event(), asyncio.Semaphore(0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()
        ended.release()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "server", PORT)
        listening.set()
        for _ in range(CLIENTS):
            await ended.acquire()
        server.close()

    async def ask() -> None:
        await listening.wait()
        reader, writer = await asyncio.open_connection("server", PORT)
        for number in range(LINES):
            writer.write(b"line %d\n" % number)
            if await reader.readline() != b"LINE %d\n" % number:
                raise AssertionError("an answer to another line")
            await asyncio.sleep(0.1)
        writer.close()
        await writer.wait_closed()

    serving = spawn(serve(), "server")
    await asyncio.gather(*(spawn(ask(), f"client-{number}") for number in range(CLIENTS)))
    await serving
    return loop.time() - begun_s
