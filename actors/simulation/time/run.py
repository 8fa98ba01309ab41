"""Runs one coroutine on a simulated loop, and leaves nothing of it behind."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from actors.simulation.time.collector import uncollected

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from actors.simulation.time.loop import SimulationLoop

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T], *, loop: SimulationLoop) -> T:
    """Run `main` to its end, then cancel what it left, oldest first, and close the loop.

    Raises what `main` raises, and Deadlock, Livelock or BudgetSpent. A leftover that raises while
    it is cancelled is told to the loop's exception handler.
    """
    with uncollected():
        try:
            result: T = loop.drive(loop.create_task(main, name="main"))
        finally:
            loop.spending.renew()  # else what ended it would end the cleaning up too
            try:
                _cancel_leftovers(loop)
                loop.drive(loop.create_task(loop.shutdown_asyncgens(), name="close generators"))
            finally:
                for task in loop.tasks():  # what cannot be ended need not say so when collected
                    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
                    _end_unbegun(task)
                loop.close()
    return result


def _end_unbegun(task: asyncio.Task[Any]) -> None:
    coroutine: Any = task.get_coro()
    if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        coroutine.close()


def _cancel_leftovers(loop: SimulationLoop) -> None:
    leftovers = loop.tasks()
    if not leftovers:
        return
    for task in leftovers:
        task.cancel()

    async def end() -> None:
        await asyncio.gather(*leftovers, return_exceptions=True)

    loop.drive(loop.create_task(end(), name="end leftovers"))
    for task in leftovers:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            context = {"message": "a leftover failed", "exception": error, "task": task}
            loop.call_exception_handler(context)
