"""Takes the connections that wait at a socket: a crowd in parts, and not one by one."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

log = structlog.get_logger()

# Connections that are taken in a pass of the loop: some 3 ms, and as much and more for what each of
# them asks. uvloop's server takes one, so that the last of a crowd waits for thousands of passes,
# each full of the requests of those before it; asyncio's takes all, and the requests of those who
# were there have to wait.
PASS_CONNECTIONS_MAX: Final = 32
# The kernel has no descriptor or no memory for one more: it looks again so much later.
_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_SHORT_S: Final = 0.1


class Acceptor:
    """Makes a protocol for each connection to a socket, from now until it is closed."""

    def __init__(
        self, bound: socket.socket, make: Callable[[], asyncio.BaseProtocol], *, backlog: int
    ) -> None:
        """`backlog` connections may wait. Raises OSError where another listens there already."""
        self._loop = asyncio.get_running_loop()
        self._socket = bound
        self._make = make
        self._beginning: set[asyncio.Task[None]] = set()
        self._looks_again: asyncio.TimerHandle | None = None
        bound.listen(backlog)
        self._look()

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """As an asyncio.Server's."""
        return (self._socket,)

    def close(self) -> None:
        """Take no more; those that wait are refused. What was taken goes on."""
        if self._looks_again is not None:
            self._looks_again.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    # --- Inside ------------------------------------------------------------------------------

    def _look(self) -> None:
        self._looks_again = None
        self._loop.add_reader(self._socket, self._take)

    def _take(self) -> None:
        for _ in range(PASS_CONNECTIONS_MAX):
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return  # there is none, or it has left: whoever is behind it comes next
            except OSError as error:
                if error.errno not in _SHORT:
                    raise
                log.warning("no room to accept a connection", error=str(error))
                self._loop.remove_reader(self._socket)
                self._looks_again = self._loop.call_later(_SHORT_S, self._look)
                return
            connection.settimeout(0)
            task = self._loop.create_task(self._begin(connection))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket) -> None:
        await self._loop.connect_accepted_socket(self._make, connection)
