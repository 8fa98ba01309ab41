"""What an ask costs: the floor, ours, and pykka's ThreadingActor, in turns in one process.

Run as a program by `Probe`; prints a list of microseconds (wall and CPU) a candidate.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pykka

from actors.config import load_config
from actors.kernel.actor import AsyncioActor
from tests.benchmarks.echo import Echo, make_context
from tests.benchmarks.probe import probed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.kernel.ref import ActorRef

# Messages under way at a time: as many as wrk keeps under way at the edge.
WINDOW = 64


class ThreadEcho(pykka.ThreadingActor):
    """The same actor as `Echo`, on pykka's own threads."""

    def on_receive(self, message: Any) -> Any:
        return message


class Floor:
    """The least that can answer an awaited message: one task, a deque, futures."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[Any, asyncio.Future[Any]]] = deque()
        self._waiter: asyncio.Future[None] | None = None

    async def serve(self) -> None:
        """Answer each message with itself."""
        queue = self._queue
        while True:
            while not queue:
                self._waiter = self._loop.create_future()
                await self._waiter
                self._waiter = None
            message, reply = queue.popleft()
            reply.set_result(message)

    def ask(self, message: Any) -> asyncio.Future[Any]:
        """Send, and return the reply to come."""
        reply = self._loop.create_future()
        self._queue.append((message, reply))
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        return reply


async def awaited(ref: ActorRef, count: int) -> None:
    """Ask and await, one after the other."""
    for number in range(count):
        await ref.ask(number, block=False)


async def pipelined(ref: ActorRef, count: int) -> None:
    """Ask a window full, then await the replies."""
    for _ in range(count // WINDOW):
        replies = [ref.ask(number, block=False) for number in range(WINDOW)]
        for reply in replies:
            await reply


async def floor_awaited(floor: Floor, count: int) -> None:
    """Ask and await, one after the other."""
    for number in range(count):
        await floor.ask(number)


def threads_awaited(ref: pykka.ActorRef[ThreadEcho], count: int) -> None:
    """Ask and get, one after the other."""
    for number in range(count):
        ref.ask(number)


def threads_pipelined(ref: pykka.ActorRef[ThreadEcho], count: int) -> None:
    """Ask a window full, then get the replies."""
    for _ in range(count // WINDOW):
        replies = [ref.ask(number, block=False) for number in range(WINDOW)]
        for reply in replies:
            reply.get()


async def timed(work: Callable[[], Awaitable[None] | None], count: int) -> tuple[float, float]:
    """Return wall and CPU microseconds a message."""
    began, began_cpu = time.perf_counter(), time.process_time()
    done = work()
    if done is not None:
        await done
    wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return wall / count * 1e6, cpu / count * 1e6


async def measure(*, rounds: int, count: int) -> dict[str, list[tuple[float, float]]]:
    """Measure every candidate once a round, after a round that does not count."""
    floor = Floor()
    task = asyncio.create_task(floor.serve())
    ref: Any = AsyncioActor.start(
        Echo, context=make_context(), mailbox=load_config().mailbox, name="echo"
    )
    threads = ThreadEcho.start()
    # A thread's round trip takes several times as long, and needs no more of them to be exact.
    few = max(WINDOW, count // 4)
    candidates: dict[str, tuple[int, Callable[[], Awaitable[None] | None]]] = {
        "floor, awaited": (count, lambda: floor_awaited(floor, count)),
        "ours, awaited": (count, lambda: awaited(ref, count)),
        "ThreadingActor, awaited": (few, lambda: threads_awaited(threads, few)),
        "ours, pipelined": (count, lambda: pipelined(ref, count)),
        "ThreadingActor, pipelined": (few, lambda: threads_pipelined(threads, few)),
    }
    await asyncio.sleep(0)
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, (messages, work) in candidates.items():
            sample = await timed(work, messages)
            if turn:
                samples[name].append(sample)
    threads.stop()
    await ref.stop(block=False)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return samples


if __name__ == "__main__":
    probed(measure)
