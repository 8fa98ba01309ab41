"""What stands for a socket where a library insists on one."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_NOWHERE = ("0.0.0.0", 0)  # noqa: S104 - what an unbound socket says, and nothing is bound


class SimulatedSocket:
    """An IPv4 TCP socket without a kernel behind it; its options are heard and ignored.

    What it does not have, such as `recv`, is not simulated: use the loop's connections.
    """

    proto = socket.IPPROTO_TCP
    type = socket.SOCK_STREAM
    family = socket.AF_INET

    def __init__(
        self, *, sockname: tuple[str, int] = _NOWHERE, peername: tuple[str, int] | None = None
    ) -> None:
        self._sockname = sockname
        self._peername = peername
        # Set by the loop's sock_connect, taken by its create_connection.
        self.end: asyncio.Transport | None = None

    def fileno(self) -> int:
        """There is no file descriptor: -1, as of a closed socket."""
        return -1

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - socket's own
        """Nothing blocks here."""

    def setsockopt(self, *options: Any) -> None:
        """No option makes a difference here."""

    def getsockopt(self, *_options: Any) -> int:
        return 0

    def getsockname(self) -> tuple[str, int]:
        return self._sockname

    def getpeername(self) -> tuple[str, int]:
        if self._peername is None:
            message = "the socket is not connected"
            raise OSError(message)
        return self._peername

    def close(self) -> None:
        """Drop a connection that nobody has taken over."""
        if self.end is not None:
            self.end.abort()
            self.end = None
