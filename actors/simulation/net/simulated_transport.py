"""One end of a simulated connection, as a protocol sees it."""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, Protocol

from actors.simulation.net.simulated_socket import SimulatedSocket

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextvars import Context

    from actors.simulation.net.medium import Medium
    from actors.simulation.net.pipe import Kind, Pipe

    class TransportOwner(Protocol):
        """The connection of which a transport is one end."""

        number: int

        def ended(self, end: SimulatedTransport) -> None: ...


# asyncio's own defaults.
_HIGH_BYTES = 65_536
_LOW_BYTES = _HIGH_BYTES // 4


class SimulatedTransport(asyncio.Transport):
    """An `asyncio.Transport` between two pipes.

    A close lets what was written leave first and then says so to the peer; a close over bytes that
    nobody read, and bytes that arrive after it, reset the peer, as a kernel does.
    """

    def __init__(
        self,
        medium: Medium,
        connection: TransportOwner,
        side: Literal[0, 1],
        *,
        outgoing: Pipe,
        incoming: Pipe,
        sockname: tuple[str, int],
        peername: tuple[str, int],
        context: Context,
    ) -> None:
        """Side 0 is the client's. The protocol's methods run in `context`."""
        socket = SimulatedSocket(sockname=sockname, peername=peername)
        super().__init__({"sockname": sockname, "peername": peername, "socket": socket})
        self.side = side
        self.context = context
        self.outgoing = outgoing
        self._incoming = incoming
        self._medium = medium
        self._loop = medium.loop
        self._connection = connection
        self._protocol: asyncio.Protocol | None = None
        self._unread: deque[bytes | None] = deque()  # None: the end
        self._reading = True
        self._draining = False
        self._writing_paused = False
        self._high, self._low = _HIGH_BYTES, _LOW_BYTES
        self._eof_written = False
        self._unread_at_close = False
        self._closing = False
        self._lost = False
        self._error: Exception | None = None

    def attach(self, protocol: asyncio.BaseProtocol) -> None:
        """Begin: tell `protocol` that it is connected, then what has arrived so far."""
        self.set_protocol(protocol)
        assert self._protocol is not None
        self._protocol.connection_made(self)
        if self._lost:
            self._loop.call_soon(self._protocol.connection_lost, self._error, context=self.context)
        elif self._unread:
            self._drain_soon()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        if not isinstance(protocol, asyncio.Protocol):
            message = f"{type(protocol).__name__} is no asyncio.Protocol; others are not simulated"
            raise TypeError(message)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None, "attach() comes first"
        return self._protocol

    # --- Reading -----------------------------------------------------------------------------

    def receive(self, kind: Kind, data: bytes) -> None:
        """Take what arrives by the incoming pipe; runs in this end's context."""
        if kind == "reset":
            self.lose(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
        elif self._closing:
            self._refuse(data)
        else:
            self._unread.append(None if kind == "eof" else data)
            if self._reading and self._protocol is not None and not self._draining:
                self._drain()

    def _refuse(self, data: bytes) -> None:
        if not data:
            return
        self._incoming.read(len(data))
        if self._lost:
            self.outgoing.reset()
        else:
            self._unread_at_close = True

    def _drain_soon(self) -> None:
        if not self._draining:
            self._draining = True
            self._loop.call_soon(self._drain, context=self.context)

    def _drain(self) -> None:
        self._draining = False
        assert self._protocol is not None
        while self._unread and self._reading and not self._closing:
            data = self._unread.popleft()
            try:
                if data is None:
                    if not self._protocol.eof_received():
                        self.close()
                else:
                    self._incoming.read(len(data))
                    self._protocol.data_received(data)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio: it ends the connection
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._loop.call_exception_handler(
            {
                "message": "Fatal error: the protocol failed to take what arrived",
                "exception": error,
                "transport": self,
                "protocol": self._protocol,
            }
        )
        self.outgoing.reset()
        self.lose(error if isinstance(error, Exception) else None)

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            if self._unread and self._protocol is not None:
                self._drain_soon()

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    # --- Writing -----------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._eof_written:
            message = "Cannot call write() after write_eof()"
            raise RuntimeError(message)
        # After a close asyncio drops it without a word, too.
        if self._closing or not data:
            return
        self.outgoing.write(memoryview(data).tobytes())
        if self.outgoing.waiting_bytes > self._high and not self._writing_paused:
            self._writing_paused = True
            assert self._protocol is not None
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.write(b"".join(list_of_data))

    def sent(self) -> None:
        """Called by the outgoing pipe, in anybody's context."""
        if self._writing_paused and self.outgoing.waiting_bytes <= self._low:
            self._writing_paused = False
            self._loop.call_soon(self._resume_writing, context=self.context)
        if self._closing and not self.outgoing.waiting_bytes:
            self._end()

    def _resume_writing(self) -> None:
        if not self._lost and self._protocol is not None and not self._writing_paused:
            self._protocol.resume_writing()

    def write_eof(self) -> None:
        if not self._eof_written and not self._closing:
            self._eof_written = True
            self.outgoing.write_eof()

    def can_write_eof(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = _HIGH_BYTES if low is None else 4 * low
        low = high // 4 if low is None else low
        if not high >= low >= 0:
            message = f"high ({high!r}) must be >= low ({low!r}) must be >= 0"
            raise ValueError(message)
        self._high, self._low = high, low

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return self.outgoing.waiting_bytes

    # --- The end -----------------------------------------------------------------------------

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._stop_reading()
            self._medium.at_turns_end(self._connection.number, self.side, self._close)

    def _close(self) -> None:
        if not self.outgoing.waiting_bytes:
            self._end()

    def abort(self) -> None:
        if not self._lost:
            self._stop_reading()
            self._medium.at_turns_end(self._connection.number, self.side, self._abort)

    def _abort(self) -> None:
        if not self._lost:
            self.outgoing.reset()
            self.lose(None)

    def _stop_reading(self) -> None:
        self._closing = True
        self._unread_at_close = any(self._unread)
        self._unread.clear()

    def _end(self) -> None:
        """Everything has left: say so, and be gone."""
        if self._lost:
            return
        if self._unread_at_close:
            self.outgoing.reset()
        elif not self._eof_written:
            self._eof_written = True
            self.outgoing.write_eof()
        self.lose(None)

    def lose(self, error: Exception | None) -> None:
        """Tell the protocol, once and soon, that the connection is over."""
        if self._lost:
            return
        self._lost = self._closing = True
        self._error = error
        self._unread.clear()
        self._connection.ended(self)
        if self._protocol is not None:
            self._loop.call_soon(self._protocol.connection_lost, error, context=self.context)

    def vanish(self) -> None:
        """Be gone without telling the protocol, whose process is gone too."""
        if not self._lost:
            self.outgoing.reset()
            self._protocol = None
            self.lose(None)
