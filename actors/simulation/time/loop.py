"""asyncio on virtual time: callbacks in asyncio's own order, timers without waiting for them."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections import deque
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from actors.kernel.rng import Rng
from actors.simulation.errors import Deadlock
from actors.simulation.net.current_host import CURRENT_HOST
from actors.simulation.net.network_calls import NetworkCalls
from actors.simulation.sealed.watch import escape
from actors.simulation.time.budget import Budget, Spending
from actors.simulation.time.collector import uncollected
from actors.simulation.time.deadlock import describe_waiting
from actors.simulation.time.generators import Generators
from actors.simulation.time.numbered import NumberedFuture, NumberedTask, TaskList
from actors.simulation.time.order import OrderedTimetable
from actors.simulation.time.timetable import Timetable
from actors.simulation.time.virtual_clock import START_US, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

    from actors.simulation.time.order import Order

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = logging.getLogger("asyncio")

# Every private name of asyncio's that the simulation uses, and why there is no public one:
#   asyncio._set_running_loop        what makes a loop the running one; asyncio exports it for us
#   Handle._run, Handle._callback    a loop is who runs a handle; the name for a Livelock's report
#   Handle._cancelled                cancelled(), without a call a callback
#   Handle._args                     for whom a timer is, in oracles/left_timers.py
#   Handle._context                  on whose host it is to run
#   loop._timer_handle_cancelled     what TimerHandle.cancel() calls
#   Task._log_destroy_pending   what asyncio's own gather() sets, for who is left at the end
#   Task._fut_waiter, gather's _children   who waits for whom, in a Deadlock's report alone

# So that it runs at the same points of every run: see collector.py.
_COLLECT_EVERY_CALLBACKS = 20_000
_COLLECT_ALL_EVERY = 50  # collections of what is young


class SimulationLoop(NetworkCalls):
    """An event loop that never waits: time jumps to the next timer.

    Callbacks run first in, first out; of timers of one instant, the one made first, unless an
    `Order` has them otherwise. Nothing ready and nothing scheduled is a `Deadlock`, too much done
    at one instant a `Livelock`.

    `clock` is its time as the services know it. `entropy` serves libraries that are allowed to ask
    for chance (`guard.ALLOWED`).
    """

    clock: VirtualClock

    def __init__(
        self,
        *,
        seed: int | str = 0,
        start_us: int = START_US,
        budget: Budget | None = None,
        order: Order | None = None,
    ) -> None:
        """`start_us` is the wall clock at the beginning: microseconds since the epoch.

        What comes from outside comes in by `order`, as asyncio has it unless given.
        """
        self.clock = VirtualClock(self.time, start_us=start_us)
        self.entropy = Rng(f"{seed}:entropy")
        self.spending = Spending(budget or Budget())
        # What reached the default exception handler: what nobody awaited, or a failed callback.
        self.unhandled: list[dict[str, Any]] = []
        self._now_s = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers = OrderedTimetable(order, self.time) if order else Timetable()
        # By host: what was to run there since it was paused, in its order.
        self._paused: dict[str, list[asyncio.Handle]] = {}
        self._numbers = 0
        # Sets of tasks have no order of their own: by their addresses it is in asyncio.
        self._scattered = order.priorities if order else 0
        self._task_numbers = 0
        self._tasks = TaskList()
        self._generators = Generators(self)
        self._handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None
        self._task_factory: Any = None
        self._thread = get_ident()
        self._running = self._stopping = self._closed = False
        self._ending: BaseException | None = None

    # --- Callbacks and timers ----------------------------------------------------------------

    def time(self) -> float:
        """Seconds of virtual time since the loop was made."""
        return self._now_s

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self._check_open()
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As call_soon: there is no other thread. Raises Escape if there is one after all."""
        if get_ident() != self._thread:
            raise escape("a call from another thread")
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self._check_open()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._timers.add(when, handle)
        return handle

    def timers(self, host: str) -> list[asyncio.TimerHandle]:
        """Return those of one host that are to come, in no order."""
        live = self._timers.live()
        return [each for each in live if _context_of(each).get(CURRENT_HOST) == host]

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        self._timers.cancelled()

    # --- Futures and tasks -------------------------------------------------------------------

    def create_future(self) -> asyncio.Future[Any]:
        self._numbers += 1
        return NumberedFuture(self._numbers ^ self._scattered, loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[Any]:
        """As asyncio's. Unnamed tasks are `task-1`, `task-2`, ... of this loop, not the process."""
        self._check_open()
        self._numbers += 1
        self._task_numbers += 1
        name = name or f"task-{self._task_numbers}"
        if self._task_factory is not None:
            made: asyncio.Task[Any] = self._task_factory(self, coro, context=context, **options)
            made.set_name(name)
            return made
        host = (
            CURRENT_HOST.get() if context is None else context.get(CURRENT_HOST, CURRENT_HOST.get())
        )
        number = self._numbers ^ self._scattered
        task = NumberedTask(
            number, coro, host=host, loop=self, name=name, context=context, **options
        )
        self._tasks.add(task)
        return task

    def tasks(self, host: str | None = None) -> list[asyncio.Task[Any]]:
        """Return the tasks that have not ended, of one host or of all, oldest first."""
        pending = self._tasks.pending(self)
        return [task for task in pending if host is None or getattr(task, "host", None) == host]

    def set_task_factory(self, factory: Any) -> None:
        """Let `factory` make tasks; their order in sets is then its own affair."""
        self._task_factory = factory

    def get_task_factory(self) -> Any:
        return self._task_factory

    # --- Running -----------------------------------------------------------------------------

    def drive(self, future: asyncio.Future[T]) -> T:
        """Run until `future` is done and return its result.

        Raises what it ended with, Deadlock, Livelock and BudgetSpent. Turns of the loop are as
        asyncio's: those callbacks run that are ready when a turn begins, and the last turn ends.
        """
        future.add_done_callback(self._stop_soon)
        try:
            self._run()
        finally:
            future.remove_done_callback(self._stop_soon)
        return future.result()

    def run_until_complete(self, future: Any) -> Any:
        """As `drive`, for who knows loops only: takes a coroutine too."""
        return self.drive(asyncio.ensure_future(future, loop=self))

    def run_forever(self) -> None:
        """Run until `stop()`."""
        self._run()

    def _run(self) -> None:
        self._check_open()
        if self._running:
            message = "this loop is running already"
            raise RuntimeError(message)
        with uncollected(), self._hooked():
            while not self._stopping:
                self._turn()
        if self._ending is not None:
            ending, self._ending = self._ending, None
            raise ending

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        """Be the running loop, and who hears of asynchronous generators."""
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._generators.begun, finalizer=self._generators.dropped)
        self._running, self._thread = True, get_ident()
        asyncio._set_running_loop(self)  # noqa: SLF001 - see above
        try:
            yield
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001
            self._running = self._stopping = False
            sys.set_asyncgen_hooks(*hooks)

    def _turn(self) -> None:
        ready = self._ready
        if not ready:
            self._jump()
        self._move_on(self._timers.move_due(self._now_s, ready))
        if self._paused:
            self._hold_back(ready)
        count = len(ready)
        spending = self.spending
        collections = spending.callbacks // _COLLECT_EVERY_CALLBACKS
        spending.spend(ready, count)
        for _ in range(count):
            handle = ready.popleft()
            if not handle._cancelled:  # noqa: SLF001
                handle._run()  # noqa: SLF001
        if spending.callbacks // _COLLECT_EVERY_CALLBACKS != collections:
            gc.collect(2 if (collections + 1) % _COLLECT_ALL_EVERY == 0 else 1)

    def pause(self, host: str) -> None:
        """Let nothing run on that host, whatever is ready or becomes due, until `go_on`."""
        self._paused.setdefault(host, [])

    def go_on(self, host: str) -> None:
        """Let all run that should have run there meanwhile, in its order."""
        self._ready.extend(self._paused.pop(host, ()))

    def _hold_back(self, ready: deque[asyncio.Handle]) -> None:
        for _ in range(len(ready)):
            handle = ready.popleft()
            held = self._paused.get(_context_of(handle).get(CURRENT_HOST) or "")
            (ready if held is None else held).append(handle)

    def _jump(self) -> None:
        """Let it be the next timer's time, unless one is due already."""
        next_s = self._timers.next_s()
        if next_s is None:
            raise Deadlock(self._now_s, self.describe_waiting())
        self._move_on(next_s)

    def _move_on(self, now_s: float) -> None:
        if now_s > self._now_s:
            self._now_s = now_s
            self.spending.begin_instant()

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Let nothing come in before its time while the block waits: it takes no time at all."""
        self._timers.held = True
        try:
            yield
        finally:
            self._timers.held = False

    def describe_waiting(self) -> list[str]:
        """Return who waits for what: every task, and what is stuck in the network."""
        lines = describe_waiting(self.tasks())
        return lines + list(self.network.describe() if self.network is not None else ())

    @property
    def early(self) -> int:
        """How often something came in before asyncio would have had it."""
        return self._timers.early

    def stop(self) -> None:
        """End `run_forever` after this turn."""
        self._stopping = True

    def end_with(self, error: BaseException) -> None:
        """Let what drives the loop raise `error` after this turn."""
        self._ending = error
        self._stopping = True

    def _stop_soon(self, _future: asyncio.Future[Any]) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Forget what was scheduled. Raises RuntimeError while it runs."""
        if self._running:
            message = "cannot close a running loop"
            raise RuntimeError(message)
        if self.network is not None:
            self.network.close()
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    def _check_open(self) -> None:
        if self._closed:
            message = "this loop is closed"
            raise RuntimeError(message)

    async def shutdown_asyncgens(self) -> None:
        """Close every asynchronous generator that was left half-way, the oldest first."""
        await self._generators.close()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    # --- Errors and debugging ----------------------------------------------------------------

    def set_exception_handler(
        self, handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None
    ) -> None:
        self._handler = handler

    def get_exception_handler(self) -> Any:
        return self._handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell the handler that was set; what it raises itself is not caught."""
        (self._handler or type(self).default_exception_handler)(self, context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what failed in `unhandled`, and log it as asyncio does."""
        self.unhandled.append(context)
        message = context.get("message", "unhandled exception in the event loop")
        log.error("%s", message, exc_info=context.get("exception"))

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - asyncio's
        """Debugging would measure real time; what it looks for, `escapes.forbid` finds."""


def _context_of(handle: asyncio.Handle) -> Context:
    return handle._context  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001 - see above
