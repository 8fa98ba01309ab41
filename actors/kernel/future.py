"""An awaitable pykka future: what an ask returns."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pykka

from actors.errors import BlockingCall, DeadlineExceeded
from actors.kernel.messages import Accepted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from actors.kernel.deadlines import Slot

    ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

T = TypeVar("T")

_NOT_PUT_OFF = object()


class AsyncioFuture(pykka.Future[T]):
    """Ends exactly once: with a reply, a refusal or a typed error, by its deadline.

    Await it on the event loop; from any other thread, `get()` blocks as pykka's does.
    """

    # pykka's base sets these in __init__; as class attributes they cost an ask nothing.
    _get_hook: Callable[[float | None], Any] | None = None
    # Where it waits for its deadline, if it has one and has not ended.
    slot: Slot | None = None
    # What the asker is told at the deadline, where the answer was put off (see Later).
    so_far: Any = _NOT_PUT_OFF

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Belong to `loop`, or to the running one."""
        if loop is None:
            loop = asyncio._get_running_loop()  # noqa: SLF001 - get_running_loop() raises instead
            if loop is None:  # made by pykka's map() and the like in another thread: all hook
                return
        self._loop = loop
        self._future: asyncio.Future[T] = loop.create_future()

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the value on the event loop. Raises what the ask ended with."""
        if self._get_hook is not None:
            self._refuse_to_block("a mapped future; await the original and compute from its value")
        return self._future.__await__()

    __iter__ = __await__

    @property
    def ended(self) -> bool:
        """Whether the value is there, or the asker has given up."""
        return self._future.done()

    def get(self, *, timeout: float | None = None) -> T:
        """Return the value, blocking this thread for up to `timeout` seconds.

        Raises BlockingCall on the loop's own thread (where nothing could then set the value),
        pykka.Timeout when the time is up, and otherwise what the ask ended with.
        """
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if not self._future.done():
            if _is_running(self._loop):
                self._refuse_to_block("Future.get(); write `await future`")
            self._wait_from_another_thread(timeout)
        return self._future.result()

    def set(self, value: T | None = None) -> None:
        """Set the value. Raises asyncio.InvalidStateError where the future has ended."""
        self._future.set_result(value)  # type: ignore[arg-type]  # pykka's own signature
        self.leave()

    def set_exception(self, exc_info: ExcInfo | None = None) -> None:
        """Set the exception of `exc_info`, or the one being handled, as pykka does."""
        error = (exc_info or sys.exc_info())[1]
        if error is None:
            error = RuntimeError("set_exception() was called with no exception to set")
        self._future.set_exception(error)
        self.leave()

    def set_get_hook(self, func: Callable[[float | None], Any]) -> None:
        """Make this a mapped future, whose value `func` computes when it is got."""
        super().__init__()  # what __init__ left out: only a hook needs it
        super().set_get_hook(func)

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the value is there or the asker has given up."""
        self._future.add_done_callback(lambda _: callback())

    def settle(self, value: Any) -> None:
        """Set the value unless the ask has ended already (it expired, or its caller left)."""
        future = self._future
        if not future.done():
            future.set_result(value)
        slot = self.slot
        if slot is not None:
            del slot[self]
            self.slot = None

    def settle_error(self, error: BaseException) -> None:
        """Set the error unless the ask has ended already."""
        if not self._future.done():
            self._future.set_exception(error)
        self.leave()

    def expire(self, after_s: float, whom: str) -> None:
        """End with DeadlineExceeded, or with what there is so far: `whom` had its `after_s`."""
        if self.so_far is not _NOT_PUT_OFF:
            self.settle(Accepted(value=self.so_far))
            return
        self.settle_error(
            DeadlineExceeded(
                f"{whom} did not reply within {after_s:.3f} s; "
                "a command may still be applied: ask again with the same key to find out"
            )
        )

    def leave(self) -> None:
        """Be told of no deadline any more."""
        if self.slot is not None:
            del self.slot[self]
            self.slot = None

    def _wait_from_another_thread(self, timeout: float | None) -> None:
        done = threading.Event()

        def watch() -> None:
            # Looked at even where nobody waits any more: the error of an ask given up is no news.
            self._future.add_done_callback(lambda f: f.cancelled() or f.exception())
            self._future.add_done_callback(lambda _: done.set())

        self._loop.call_soon_threadsafe(watch)
        if not done.wait(timeout):
            message = f"{timeout} seconds"
            raise pykka.Timeout(message)

    @staticmethod
    def _refuse_to_block(what: str) -> NoReturn:
        message = f"on the event loop's thread, a blocking call stops every actor: {what}"
        raise BlockingCall(message)


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this thread is the one that runs `loop`."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
