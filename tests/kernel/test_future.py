from __future__ import annotations

import asyncio
import gc
from typing import Any

import pykka
import pytest

from actors.errors import BlockingCall
from actors.kernel.future import AsyncioFuture
from tests.kernel.kernel_harness import Boom, running_kernel, turns


async def test_get_on_the_loop_says_what_to_write() -> None:
    """A blocking get() of a value that is not there yet raises; one that is there is returned."""
    future: AsyncioFuture[int] = AsyncioFuture()
    with pytest.raises(BlockingCall, match="await future"):
        future.get()
    future.set(1)
    assert future.get() == 1
    assert await future == 1
    assert future.get() == 1


async def test_a_future_ends_once() -> None:
    """A second set raises, as pykka's does; a second settle changes nothing."""
    future: AsyncioFuture[int] = AsyncioFuture()
    assert not future.ended
    future.set(1)
    with pytest.raises(asyncio.InvalidStateError):
        future.set(2)
    future.settle(3)
    future.settle_error(Boom())
    assert await future == 1


async def test_set_exception_is_pykkas() -> None:
    """Without an argument it takes the exception being handled."""
    future: AsyncioFuture[int] = AsyncioFuture()

    def fail() -> None:
        raise Boom("handled")

    try:
        fail()
    except Boom:
        future.set_exception()
    with pytest.raises(Boom, match="handled"):
        await future
    other: AsyncioFuture[int] = AsyncioFuture()
    other.set_exception()
    with pytest.raises(RuntimeError, match="no exception"):
        other.get()


async def test_get_from_another_thread_waits() -> None:
    """get() blocks that thread until the loop sets the value, or raises what the ask ended with."""
    value: AsyncioFuture[int] = AsyncioFuture()
    error: AsyncioFuture[int] = AsyncioFuture()
    getting = [asyncio.create_task(asyncio.to_thread(f.get)) for f in (value, error)]
    await turns()
    value.settle(7)
    error.settle_error(Boom("ended"))
    assert await getting[0] == 7
    with pytest.raises(Boom, match="ended"):
        await getting[1]


async def test_get_from_another_thread_times_out_as_pykkas() -> None:
    """pykka.Timeout when the time is up; the value can still come, and nobody is told twice."""
    future: AsyncioFuture[int] = AsyncioFuture()
    with pytest.raises(pykka.Timeout):
        await asyncio.to_thread(future.get, timeout=0.01)
    future.settle_error(Boom("nobody waits any more"))
    await turns()
    # No "exception was never retrieved" when it goes: conftest fails the test on one.
    del future
    gc.collect()


async def test_a_blocking_ask_times_out() -> None:
    """From a thread, an ask that nobody answers raises pykka.Timeout after its timeout."""
    async with running_kernel() as kernel:
        actor = kernel.start()
        actor.ref.suspend()
        await turns()
        with pytest.raises(pykka.Timeout):
            await asyncio.to_thread(actor.ref.ask, "?", timeout=0.01)
        await kernel.advance(0.01)
        actor.ref.resume()
        await turns()
        assert actor.stats().refused == 1


async def test_mapped_futures_work_in_a_thread_and_explain_themselves_on_the_loop() -> None:
    """pykka's map, filter, join and reduce block, so on the loop they raise."""
    async with running_kernel() as kernel:
        actor = kernel.start()

        def elsewhere() -> list[Any]:
            one = actor.ref.ask(1, block=False)
            numbers = actor.ref.ask([1, 2, 3], block=False)
            return [
                one.map(lambda n: n + 1).get(timeout=100.0),
                one.join(numbers).get(timeout=100.0),
                list(numbers.filter(lambda n: n > 1).get(timeout=100.0)),
                numbers.reduce(lambda a, b: a + b, 0).get(timeout=100.0),
            ]

        assert await asyncio.to_thread(elsewhere) == [2, [1, [1, 2, 3]], [2, 3], 6]
        future = actor.ref.ask(1, block=False)
        mapped = future.map(lambda n: n + 1)
        with pytest.raises(BlockingCall, match="await"):
            await mapped
        assert await future == 1
        assert mapped.get() == 2


async def test_a_cancelled_wait_ends_the_ask_and_nothing_else() -> None:
    """Cancelling one who awaits leaves an ended future that later values do not disturb."""
    future: AsyncioFuture[int] = AsyncioFuture()

    async def wait() -> int:
        return await future

    task = asyncio.create_task(wait())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert future.ended
    future.settle(1)
