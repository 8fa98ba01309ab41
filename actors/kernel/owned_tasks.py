"""The tasks of one actor: each is kept until it is done, and none is left behind unseen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from actors.kernel import lifecycle
from actors.kernel.exit import CRASHES, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.context import KernelContext

F = TypeVar("F", bound="asyncio.Future[Any]")


def error_of(task: asyncio.Future[Any]) -> BaseException | None:
    """Return what the task raised; a cancellation is like any other error here."""
    return asyncio.CancelledError() if task.cancelled() else task.exception()


class OwnedTasks:
    """Whatever runs for an actor, that of ended incarnations included."""

    __slots__ = ("_context", "_name", "_tasks")

    def __init__(self, name: str, context: KernelContext) -> None:
        """Start with none; `name` is the actor's."""
        self._name = name
        self._context = context
        self._tasks: set[asyncio.Future[Any]] | None = None

    def __len__(self) -> int:
        """How many are not done."""
        return len(self._tasks or ())

    def own(self, task: F) -> F:
        """Keep the task until it is done."""
        if self._tasks is None:
            self._tasks = set()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def run_last_hook(self, hook: Callable[..., Any], *args: Any) -> asyncio.Future[None] | None:
        """Run a hook whose failure can change nothing any more, but must be seen."""
        try:
            last = hook(*args)
        except CRASHES as error:
            self._failed(hook.__name__, error)
            return None
        if last is None:
            return None

        def done(task: asyncio.Future[None]) -> None:
            if (error := error_of(task)) is not None:
                self._failed(hook.__name__, error)

        task: asyncio.Future[None] = asyncio.ensure_future(last, loop=self._context.loop)
        self.own(task).add_done_callback(done)
        return task

    async def settled(self, limit_s: float | None) -> None:
        """Wait until none is left.

        One that swallows its cancellation is given `limit_s` seconds, then reported and left.
        """
        clock = self._context.clock
        end_s = None if limit_s is None else clock.monotonic() + limit_s
        while self._tasks:
            left_s = None if end_s is None else end_s - clock.monotonic()
            if left_s is not None and left_s <= 0:
                error = TimeoutError(f"{len(self)} tasks swallowed their cancellation")
                self._failed("cancel", error)
                return
            await asyncio.wait(self._tasks, timeout=left_s)

    def _failed(self, hook: str, error: BaseException) -> None:
        self._context.lifecycle.emit(
            lifecycle.HookFailed(name=self._name, hook=hook, error=describe(error))
        )
