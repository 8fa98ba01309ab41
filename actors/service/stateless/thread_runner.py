"""Runs a stateless service's handlers on a thread of their own: a batch is one hop there and back.

The loop stays free, and a handler that hangs is interrupted. It makes handlers no faster: those in
Python take turns with the rest of the process, whatever the number of replicas.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from actors.service.stateless.runner import answer_batch
from actors.store.watched_thread import WatchedThread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.kernel.behavior import BatchResult
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from actors.service.stateless.runner import Handlers, RunnerSpec


class HandlerThread:
    """One thread that runs functions in the order they were handed to it, until it is finished."""

    def __init__(self, name: str) -> None:
        """Start it."""
        self._orders: SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any] | None]]
        self._orders = SimpleQueue()
        # A handler stuck in C code must not be able to keep the process from exiting.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Queue `function`; the future is its result."""
        return self._order(function)

    def finish(self) -> asyncio.Future[Any]:
        """Queue the end of the thread, behind whatever it has to do."""
        return self._order(None)

    def join(self) -> None:
        """Wait for the microseconds between the last word of the thread and its end."""
        self._thread.join()

    # --- Inside ------------------------------------------------------------------------------

    def _order(self, function: Callable[[], Any] | None) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._orders.put((future, function))
        return future

    def _work(self) -> None:
        while True:
            future, function = self._orders.get()
            try:
                result = None if function is None else function()
            except BaseException as error:  # noqa: BLE001 - the one who ordered it is told
                self._tell(future, _fail, error)
            else:
                self._tell(future, _settle, result)
            if function is None:
                return
            del future, function  # nothing of the last order is kept while waiting for the next

    @staticmethod
    def _tell(
        future: asyncio.Future[Any], tell: Callable[[asyncio.Future[Any], Any], None], what: Any
    ) -> None:
        with suppress(RuntimeError):  # the loop is closed: a thread that was given up comes late
            future.get_loop().call_soon_threadsafe(tell, future, what)


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


class _Nothing:
    """What a handler without a transaction works on."""

    def revoke(self) -> None:
        """There is nothing to take from it."""


_NOTHING: Final = _Nothing()


class ThreadRunner:
    """The runner of a running system."""

    def __init__(self, spec: RunnerSpec, *, clock: Clock, rng: Rng) -> None:
        """No thread yet."""
        del rng
        self._spec = spec
        self._clock = clock
        self._thread: WatchedThread[HandlerThread] = WatchedThread(
            clock, spec.handler_s_max, spec.name
        )
        # Looked at by the thread, before each handler.
        self._abandoned = False

    async def open(self) -> None:
        """Start the thread."""
        self._thread.worker = HandlerThread(self._spec.name)
        await self._thread.submit(lambda: self._thread.watch.attach(None))

    async def answer(self, batch: Sequence[Envelope], handlers: Handlers) -> BatchResult:
        """Run a batch of queries. One that exceeds its budget is interrupted, and has crashed."""
        watch = self._thread.watch

        def run(index: int, handler: Callable[[Any], Any], message: Any) -> Any:
            return watch.run(index, lambda _, question: handler(question), _NOTHING, message)

        return await self._thread.run_batch(
            lambda: answer_batch(
                self._spec,
                batch,
                handlers,
                clock=self._clock,
                run=run,
                abandoned=lambda: self._abandoned,
            )
        )

    async def close(self) -> None:
        """End the thread."""
        await self._thread.close()

    async def abandon(self) -> None:
        """Stop what is running. A thread that does not answer is left to itself."""
        self._abandoned = True
        await self._thread.abandon()
