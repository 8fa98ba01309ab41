"""Stops a handler that runs past its budget, wherever it is: in SQL or in Python."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING, Any

from actors.errors import HandlerTimeout

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from actors.kernel.clock import Clock


class _Struck(BaseException):
    """Raised inside a handler by another thread; `except Exception` does not stop it."""


def _set_async_exception(thread_id: int, exception: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_id), None if exception is None else ctypes.py_object(exception)
    )


class HandlerWatch:
    """Runs handlers on the store's thread, and lets another thread strike the one that hangs.

    The difficulty is to strike the handler and never the commit that follows it. Each side says
    what it is about to do before it looks at what the other says: the striker raises `_striking`,
    then checks that the same handler is still running; the store's thread takes down `_running`,
    then waits while `_striking` is up. Under the GIL every such store is seen by the other at once,
    so one of the two always sees the other; what was struck too late is taken back.
    """

    def __init__(self, clock: Clock) -> None:
        """Watch nothing yet."""
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._thread_id = 0
        self._calls = 0
        self._running: int | None = None
        self._striking = False
        self._struck: int | None = None
        self.index: int | None = None
        self.started_s = 0.0

    def attach(self, connection: sqlite3.Connection) -> None:
        """Watch the calling thread and this connection of it."""
        self._connection = connection
        self._thread_id = threading.get_ident()

    def run(self, index: int, function: Callable[[Any, Any], Any], tx: Any, message: Any) -> Any:
        """Call the handler of message `index`. Raises HandlerTimeout if it was struck."""
        self._calls = call = self._calls + 1
        self.index = index
        self.started_s = self._clock.monotonic()
        try:
            self._running = call
            result = function(tx, message)
            self._running = None
            if self._striking or self._struck == call:
                self._stand_down()
                self._raise_if_struck(call)
        except BaseException:
            self._running = None
            self._stand_down()
            self._raise_if_struck(call)
            raise
        return result

    def running_s(self) -> float | None:
        """How long the present handler has been running, in seconds; None between handlers."""
        return None if self._running is None else self._clock.monotonic() - self.started_s

    def strike(self) -> None:
        """Interrupt the handler that is running now, if one is. From any other thread."""
        call = self._running
        self._striking = True
        try:
            if call is not None and self._running == call:
                self._struck = call
                if self._connection is not None:
                    self._connection.interrupt()
                _set_async_exception(self._thread_id, _Struck)
        finally:
            self._striking = False

    def _stand_down(self) -> None:
        """Let a strike in progress finish, and take it back if it has not arrived yet."""
        while self._striking:
            pass
        _set_async_exception(self._thread_id, None)

    def _raise_if_struck(self, call: int) -> None:
        if self._struck == call:
            spent_s = self._clock.monotonic() - self.started_s
            message = f"the handler was interrupted after {spent_s:.2f} s, beyond its budget"
            raise HandlerTimeout(message) from None
