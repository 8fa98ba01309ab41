"""Tasks and futures whose hash is the number of their creation.

A set of objects is walked in the order of their hashes, by default their addresses. asyncio cancels
a task group in that order, `asyncio.wait` returns such sets, and so do many programs. With these,
the order is the same in every process.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class NumberedFuture(asyncio.Future[Any]):
    """A future of a `SimulationLoop`; equal to itself alone, as any."""

    def __init__(self, number: int, *, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class NumberedTask(asyncio.Task[Any]):
    """A task of a `SimulationLoop`; `host` is where it was created."""

    def __init__(self, number: int, coroutine: Any, *, host: str, **options: Any) -> None:
        # Before the base's own, which keeps the new task in a set.
        self._number = number
        self.host = host
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._number


class TaskList:
    """All tasks that have not ended, in the order of their creation.

    asyncio holds its tasks weakly; here one that nobody else holds would end when the garbage
    collector happens to run, so it is held until it is done.
    """

    _PRUNE_MIN = 256

    def __init__(self) -> None:
        self._tasks: list[NumberedTask] = []
        self._prune_at = self._PRUNE_MIN

    def add(self, task: NumberedTask) -> None:
        """Hold `task` until it is done."""
        self._tasks.append(task)
        if len(self._tasks) >= self._prune_at:
            self._tasks = [task for task in self._tasks if not task.done()]
            self._prune_at = max(self._PRUNE_MIN, 2 * len(self._tasks))

    def pending(self, loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
        """Return those that run, and after them any made without asking the loop."""
        known: list[asyncio.Task[Any]] = [task for task in self._tasks if not task.done()]
        held = {id(task) for task in known}
        strangers: Iterable[asyncio.Task[Any]] = (
            task for task in asyncio.all_tasks(loop) if id(task) not in held
        )
        # asyncio names them Task-1, Task-2, ...: by number, not by text.
        return known + sorted(strangers, key=lambda task: (len(task.get_name()), task.get_name()))
