"""Stops a handler that runs past its budget, wherever it is: in SQL or in Python."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING, Any, Protocol

from actors.errors import HandlerTimeout

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from actors.kernel.clock import Clock


class Revocable(Protocol):
    """What a handler works on and can be taken from it: a transaction."""

    def revoke(self) -> None: ...


class _Struck(BaseException):
    """Raised inside a handler by another thread; `except Exception` does not stop it."""


def _set_async_exception(thread_id: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(_Struck))


class HandlerCall:
    """One handler at work: the message's `index` in its batch, and its start in clock seconds."""

    __slots__ = ("index", "started_s", "struck", "tx")

    def __init__(self, index: int, tx: Revocable, started_s: float) -> None:
        """Not struck yet."""
        self.index = index
        self.tx = tx
        self.started_s = started_s
        self.struck = False


class HandlerWatch:
    """Runs handlers on the store's thread, and lets another thread strike the one that hangs.

    The difficulty is to strike the handler and never the next one, or the commit that follows it.
    Each side says what it is about to do before it looks at what the other says: the striker takes
    `_strikes`, then checks that the same call is still at work; the store's thread takes down
    `call`, then waits for `_strikes` if it is held. Under the GIL every such store is seen by the
    other at once, so one of the two always sees the other. What comes too late is received before
    `run` ends.

    A strike is not a promise. A handler can catch it, and one that meets a finalizer which the
    garbage collector runs on this thread is printed by Python and lost: strike again.
    """

    def __init__(self, clock: Clock) -> None:
        """Watch nothing yet."""
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._thread_id = 0
        self._strikes = threading.Lock()
        self.call: HandlerCall | None = None

    def attach(self, connection: sqlite3.Connection | None) -> None:
        """Watch the calling thread, and this connection of it where it has one."""
        self._connection = connection
        self._thread_id = threading.get_ident()

    def run(
        self,
        index: int,
        function: Callable[[Any, Any], Any],
        tx: Revocable,
        message: Any,
    ) -> Any:
        """Call the handler of message `index`. Raises HandlerTimeout if it was struck."""
        call = HandlerCall(index, tx, self._clock.monotonic())
        try:
            self.call = call
            result = function(tx, message)
            self.call = None
            if self._strikes.locked() or call.struck:
                with self._strikes:  # let a strike in progress finish
                    pass
                self._raise_if_struck(call)
        except BaseException:
            self.call = None
            # Not in a method of its own: on the way into one, the exception would arrive outside
            # the `try`. At most one is still to come. It is received, with one of ours in its
            # place: CPython before 3.13 looks at every call for one that was taken back with None,
            # and 3.11 never returns from the first of them under a debugger.
            is_sent = False
            while not is_sent:
                try:
                    with self._strikes:  # let a strike in progress finish
                        pass
                    is_sent = True
                    while call.struck:  # until it comes: a finalizer may swallow one
                        _set_async_exception(self._thread_id)
                except _Struck:
                    continue
            self._raise_if_struck(call)
            raise
        return result

    def spent_s(self, call: HandlerCall) -> float:
        """How long ago the call started, in seconds."""
        return self._clock.monotonic() - call.started_s

    def strike(self, call: HandlerCall) -> None:
        """Interrupt this call if it is still at work. From any other thread."""
        with self._strikes:
            if self.call is call:
                call.struck = True
                if self._connection is not None:
                    self._connection.interrupt()
                _set_async_exception(self._thread_id)

    def give_up(self, call: HandlerCall) -> None:
        """Take the transaction from this call if it is still at work: no strike reaches it."""
        with self._strikes:  # which also keeps the thread from leaving the handler meanwhile
            if self.call is call:
                call.struck = True
                call.tx.revoke()

    def _raise_if_struck(self, call: HandlerCall) -> None:
        if call.struck:
            message = (
                f"the handler was interrupted after {self.spent_s(call):.2f} s, beyond its budget"
            )
            raise HandlerTimeout(message) from None
