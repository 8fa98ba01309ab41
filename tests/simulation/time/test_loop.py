from __future__ import annotations

import asyncio
import contextvars
import inspect
import selectors
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors.simulation.errors import Escape
from actors.simulation.net.current_host import CURRENT_HOST, on_host
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run
from actors.simulation.time.virtual_clock import START_US
from tests.simulation.simulated import simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

YEAR_S = 365 * 86_400.0


def test_time_jumps_to_the_next_timer() -> None:
    """A year passes at once, and to the second."""

    async def main() -> float:
        await asyncio.sleep(YEAR_S)
        return asyncio.get_running_loop().time()

    assert simulated(main()) == YEAR_S


def test_time_stands_still_while_something_is_ready() -> None:
    """A thousand turns take no time."""

    async def main() -> float:
        for _ in range(1_000):
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert simulated(main()) == 0.0


async def orders(seen: list[str]) -> None:
    """Schedule in every way, and note what ran when."""
    loop = asyncio.get_running_loop()

    def note(name: str, *after: Callable[[], Any]) -> None:
        seen.append(name)
        for each in after:
            each()

    loop.call_later(0.02, note, "later, first")
    loop.call_later(0.01, note, "sooner")
    loop.call_later(0.02, note, "later, second")
    loop.call_soon(note, "soon, first", lambda: loop.call_soon(note, "from soon"))
    loop.call_soon(note, "soon, second")
    loop.call_soon(note, "cancelled").cancel()
    loop.call_later(0.015, note, "cancelled").cancel()
    loop.call_at(loop.time() - 1, note, "past")

    async def child(name: str) -> None:
        note(f"{name} begins")
        await asyncio.sleep(0)
        note(f"{name} goes on")
        await asyncio.sleep(0.03)
        note(f"{name} ends")

    tasks = [asyncio.create_task(child("a")), asyncio.create_task(child("b"))]
    future = loop.create_future()
    future.add_done_callback(lambda _: note("done"))
    loop.call_soon(future.set_result, None)
    await future
    note("awaited")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.025):
            await asyncio.gather(*tasks)
    note("timed out")
    await asyncio.wait([asyncio.create_task(child("c"))])
    note("waited")


class MovesTime(selectors.SelectSelector):
    """Where a loop would wait, its time moves instead: on a busy machine, timers would coincide."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += timeout or 0.0
        return super().select(0)


class AsyncioLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, but for its clock: a microsecond is gone whenever somebody looks."""

    def __init__(self) -> None:
        self._moves_time = MovesTime()
        super().__init__(self._moves_time)

    def time(self) -> float:
        # It never says the same twice: of equal times, asyncio's heap keeps no order.
        self._moves_time.now_s += 1e-6
        return self._moves_time.now_s


def test_callbacks_run_in_asyncios_order() -> None:
    """The same program notes the same on asyncio's own loop and on ours."""
    real: list[str] = []
    with asyncio.Runner(loop_factory=AsyncioLoop) as runner:
        runner.run(orders(real))
    ours: list[str] = []
    simulated(orders(ours))
    assert ours == real


def test_cancelled_timers_are_swept() -> None:
    """Timeouts that never fire leave nothing behind, and do not move time."""

    async def main() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulationLoop)
        for _ in range(10_000):
            async with asyncio.timeout(3600):
                await asyncio.sleep(0)
        return len(loop._timers), loop.time()

    left, time = simulated(main())
    assert left <= 256
    assert time == 0.0


def test_the_context_is_the_one_given() -> None:
    """Callbacks and tasks run in the context that they were scheduled in, or were given."""
    variable = contextvars.ContextVar("variable", default="outside")

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        seen: list[str] = []
        given = contextvars.copy_context()
        variable.set("inside")
        loop.call_soon(lambda: seen.append(variable.get()))
        loop.call_soon(lambda: seen.append(variable.get()), context=given)
        loop.call_later(1, lambda: seen.append(variable.get()), context=given)
        variable.set("changed")
        await asyncio.sleep(2)
        return seen

    assert simulated(main()) == ["inside", "outside", "outside"]


def test_tasks_know_their_host() -> None:
    """A task's host is where it was created; names count from one in each loop."""

    async def rest() -> None:
        await asyncio.sleep(1)

    async def main() -> list[tuple[str, str]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulationLoop)
        with on_host("edge"):
            kept = [asyncio.create_task(rest()), asyncio.create_task(rest(), name="poller")]
        assert loop.tasks("edge") == kept
        assert CURRENT_HOST.get() == "main"
        return [(task.get_name(), task.host) for task in loop.tasks()]  # type: ignore[attr-defined]

    expected = [("main", "main"), ("task-2", "edge"), ("poller", "edge")]
    assert simulated(main()) == expected
    assert simulated(main()) == expected


def test_sets_of_tasks_and_futures_have_one_order() -> None:
    """A set of them is walked in the order of their creation, not of their addresses."""

    async def rest() -> None:
        await asyncio.sleep(1)

    async def main() -> list[int]:
        tasks = [asyncio.create_task(rest()) for _ in range(50)]
        # What lies in memory where changes from run to run; how a set is walked must not.
        order = [tasks.index(task) for task in set(tasks)]
        done, _ = await asyncio.wait(tasks)
        assert [tasks.index(task) for task in done] == order
        return order

    assert simulated(main()) == simulated(main())


def test_leftovers_are_cancelled_in_the_order_of_their_creation() -> None:
    """What the main task leaves is cancelled oldest first, then its generators are closed."""
    ended: list[str] = []

    async def rest(number: int) -> None:
        try:
            await asyncio.sleep(YEAR_S)
        finally:
            await asyncio.sleep(1)
            ended.append(f"task {number}")

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(1)
            ended.append("generator")

    kept: list[Any] = []

    async def main() -> str:
        kept.extend(asyncio.create_task(rest(number)) for number in range(20))
        kept.append(generator := numbers())
        await anext(generator)
        return "result"

    assert simulated(main()) == "result"
    assert ended == [*(f"task {number}" for number in range(20)), "generator"]


def test_a_task_that_comes_too_late_to_begin_is_over_in_silence() -> None:
    """One that the very last step makes: else "was never awaited", whenever it is collected."""

    async def late() -> None:
        await asyncio.sleep(0)

    coroutine = late()

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.create_task, coroutine)

    kept: list[Any] = []

    async def main() -> None:
        kept.append(generator := numbers())
        await anext(generator)

    simulated(main())
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def test_a_task_that_nobody_holds_goes_on() -> None:
    """When the garbage collector runs decides nothing: a task is held until it ends."""
    ended: list[str] = []

    async def waits_for_itself() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            await future
        finally:
            ended.append("cancelled")

    async def main() -> None:
        asyncio.create_task(waits_for_itself())  # noqa: RUF006 - the point
        for _ in range(50_000):
            await asyncio.sleep(0)
        assert ended == []

    simulated(main())
    assert ended == ["cancelled"]


def test_what_main_raises_is_raised() -> None:
    """The main task's error ends the run; a failed callback and a failed leftover are kept."""

    async def main() -> None:
        message = "main failed"
        raise LookupError(message)

    loop = SimulationLoop()
    with pytest.raises(LookupError, match="main failed"):
        run(main(), loop=loop)
    assert loop.is_closed()

    async def careless() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    loop = SimulationLoop()
    run(careless(), loop=loop)
    assert [type(context["exception"]) for context in loop.unhandled] == [ZeroDivisionError]


def test_the_clock_is_the_loops() -> None:
    """The clock goes with virtual time; a step moves the wall clock and nothing else."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulationLoop)
        clock = loop.clock
        assert (clock.now_us(), clock.monotonic()) == (START_US, 0.0)
        await asyncio.sleep(1.5)
        assert (clock.now_us(), clock.monotonic()) == (START_US + 1_500_000, 1.5)
        clock.step(-3600)
        assert (clock.now_us(), clock.monotonic()) == (START_US + 1_500_000 - 3_600_000_000, 1.5)
        assert loop.time() == 1.5

    simulated(main())


REFUSED: dict[str, Callable[[SimulationLoop], Any]] = {
    "run_in_executor": lambda loop: loop.run_in_executor(None, print),
    "add_reader": lambda loop: loop.add_reader(0, print),
    "add_writer": lambda loop: loop.add_writer(0, print),
    "add_signal_handler": lambda loop: loop.add_signal_handler(15, print),
    "subprocess_exec": lambda loop: loop.subprocess_exec(asyncio.SubprocessProtocol, "true"),
    "subprocess_shell": lambda loop: loop.subprocess_shell(asyncio.SubprocessProtocol, "true"),
    "create_unix_connection": lambda loop: loop.create_unix_connection(asyncio.Protocol, "/x"),
    "create_datagram_endpoint": lambda loop: loop.create_datagram_endpoint(
        asyncio.DatagramProtocol
    ),
    "start_tls": lambda loop: loop.start_tls(None, None, None),
    "sock_recv": lambda loop: loop.sock_recv(None, 1),
    "set_default_executor": lambda loop: loop.set_default_executor(None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_loop_has_no_outside(name: str) -> None:
    """Threads, files, signals and processes are refused, naming this file."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulationLoop)
        with pytest.raises(Escape, match=r"test_loop\.py"):
            await REFUSED[name](loop)

    simulated(main())


def test_no_other_thread_gets_in() -> None:
    """A call from another thread raises there, instead of coming at some real time."""
    errors: list[BaseException] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def intrude() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except Escape as error:
                errors.append(error)

        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        loop.call_soon_threadsafe(errors.clear).cancel()

    simulated(main())
    assert [type(error) for error in errors] == [Escape]
