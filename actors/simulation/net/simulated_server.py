"""A listener on simulated hosts' addresses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from actors.simulation.net.simulated_socket import SimulatedSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import Context


class SimulatedServer(asyncio.AbstractServer):
    """What `create_server` returns. `wait_closed` waits for the connections too, as from 3.12."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        *,
        host: str,
        addresses: Sequence[tuple[str, int]],
        context: Context,
        closed: Callable[[SimulatedServer], None],
    ) -> None:
        """Accept on `addresses` of `host`; the protocols run in copies of `context`.

        `closed(self)` is called once, when it accepts nobody any more.
        """
        self.host = host
        self.addresses = tuple(addresses)
        self.context = context
        self.make_protocol = protocol_factory
        self._loop = loop
        self._tell_closed = closed
        self._ends: dict[asyncio.Transport, None] = {}
        self._serving = False
        self._closed = False
        self._waiters: list[asyncio.Future[None]] = []
        self._forever: asyncio.Future[None] | None = None

    @property
    def sockets(self) -> tuple[SimulatedSocket, ...]:
        """One an address, to ask for its name; none after the close."""
        if self._closed:
            return ()
        return tuple(SimulatedSocket(sockname=address) for address in self.addresses)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def is_serving(self) -> bool:
        return self._serving

    async def start_serving(self) -> None:
        self.begin()
        await asyncio.sleep(0)

    def begin(self) -> None:
        """Accept from now on."""
        if self._closed:
            message = f"server {self!r} is closed"
            raise RuntimeError(message)
        self._serving = True

    async def serve_forever(self) -> None:
        self.begin()
        self._forever = self.get_loop().create_future()
        try:
            await self._forever
        finally:
            self.close()
            await self.wait_closed()

    def close(self) -> None:
        if self._closed:
            return
        self._closed, self._serving = True, False
        self._tell_closed(self)
        if self._forever is not None:
            self._forever.cancel()
        self._wake()

    async def wait_closed(self) -> None:
        if self._closed and not self._ends:
            return
        waiter = self.get_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def attach(self, end: asyncio.Transport) -> None:
        """Count a connection that was accepted."""
        self._ends[end] = None

    def detach(self, end: asyncio.Transport) -> None:
        """Count a connection that is over."""
        self._ends.pop(end, None)
        self._wake()

    def _wake(self) -> None:
        if self._closed and not self._ends:
            waiters: list[asyncio.Future[Any]] = [each for each in self._waiters if not each.done()]
            self._waiters.clear()
            for waiter in waiters:
                waiter.set_result(None)
