"""A thread that runs batches of handlers, and is taken away from a handler that hangs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from actors.errors import HandlerTimeout, StoreError
from actors.kernel.behavior import BatchResult
from actors.store.handler_watch import HandlerWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.kernel.clock import Clock
    from actors.store.handler_watch import HandlerCall

# A struck handler that does not end within this many more budgets is stuck in C code, where
# nothing can reach it: its thread is given up, its transaction rolled back under it.
PATIENCE_BUDGETS = 1.0
# How long an abandoned thread may take to notice, in seconds, before its transaction is taken
# away; and how often it is struck meanwhile: a handler may survive a strike, or begin after it.
ABANDON_S = 1.0
ABANDON_STRIKES = 5


class Worker(Protocol):
    """A thread that runs functions in the order they were handed to it."""

    def submit(self, function: Callable[[], Any], /) -> asyncio.Future[Any]:
        """Queue `function`; the future is its result."""
        ...

    def finish(self) -> asyncio.Future[Any]:
        """Queue the end of the thread, behind whatever it has to do."""
        ...

    def join(self) -> None:
        """Wait for the microseconds between the last word of the thread and its end."""
        ...


W = TypeVar("W", bound=Worker)


class WatchedThread(Generic[W]):
    """A worker, with a watch over the handler that runs there."""

    def __init__(self, clock: Clock, budget_s: float, name: str) -> None:
        """No thread yet: whoever makes one sets `worker`."""
        self.watch = HandlerWatch(clock)
        self.worker: W | None = None
        self._budget_s = budget_s
        self._name = name
        self._ended: asyncio.Future[Any] | None = None
        self._pending: set[asyncio.Future[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open_worker(self) -> W:
        """The worker, where it takes orders. Raises StoreError."""
        if self.worker is None or self._ended is not None:
            message = f"{self._name} is not open"
            raise StoreError(message)
        return self.worker

    def submit(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run `function` on the thread. Raises StoreError where it is closed."""
        future = self.open_worker.submit(function)
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    async def run_batch(self, function: Callable[[], BatchResult]) -> BatchResult:
        """Run a batch of handlers; one that exceeds its budget is struck."""
        loop = asyncio.get_running_loop()
        future = self.submit(function)
        self._timer = loop.call_later(self._budget_s, self._check, loop, future)
        try:
            result: BatchResult = await future
        finally:
            self._timer.cancel()
        return result

    async def close(self) -> None:
        """End the thread in order."""
        if self.worker is not None:
            await self.finish(self.worker)
            self.worker.join()

    async def abandon(self) -> None:
        """Interrupt whatever runs, then close; a thread that does not answer loses its hold."""
        if self.worker is None:
            return
        ended = self.finish(self.worker)
        for _ in range(ABANDON_STRIKES):
            # Patience first: an abandoned batch ends after the handler at work, and most are short.
            # A strike may meet a finalizer of somebody else's object, which the garbage collector
            # happens to run in the handler, and is lost there.
            call = self.watch.call
            await asyncio.wait([ended], timeout=ABANDON_S / ABANDON_STRIKES)
            if ended.done():
                return
            if call is not None:
                self.watch.strike(call)
        # What is stuck outside a handler is SQLite itself, which ends, or a disk, which may not.
        call = self.watch.call
        if call is not None:
            await asyncio.to_thread(self.watch.give_up, call)
        for future in list(self._pending):
            if not future.done():
                future.set_exception(StoreError(f"{self._name} is stuck and was given up"))

    def finish(self, worker: W) -> asyncio.Future[Any]:
        """End the thread, once: a second order would never be read."""
        if self._ended is None:
            self._ended = worker.finish()
            # Where nobody waits for it: already closed is closed.
            self._ended.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return self._ended

    # --- Inside ------------------------------------------------------------------------------

    def _check(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[BatchResult]) -> None:
        """Strike the handler that is over its budget; else look again when it could be."""
        call = self.watch.call
        again_s = self._budget_s
        if call is not None:
            spent_s = self.watch.spent_s(call)
            if spent_s >= self._budget_s * (1 + PATIENCE_BUDGETS):
                self._give_up(call, future)
                return
            if spent_s >= self._budget_s:
                self.watch.strike(call)
                again_s = self._budget_s * PATIENCE_BUDGETS / 4
            else:
                again_s = self._budget_s - spent_s
        self._timer = loop.call_later(again_s, self._check, loop, future)

    def _give_up(self, call: HandlerCall, future: asyncio.Future[BatchResult]) -> None:
        if not future.done():
            spent_s = self.watch.spent_s(call)
            message = f"a handler did not stop {spent_s:.1f} s after its start; its thread is lost"
            future.set_result(
                BatchResult(outcomes=(), crash=HandlerTimeout(message), culprit=call.index)
            )
