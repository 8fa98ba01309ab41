"""Makes the connections of one listener, counts them, and sees them out at the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from http_edge.http_connection import HttpConnection
from http_edge.http_request import HttpRequest
from http_edge.places import Places

if TYPE_CHECKING:
    from aiohttp import StreamReader
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage

    from actors.config import EdgeConfig
    from http_edge.gateway import Gateway


class ConnectionFactory(web.Server):
    """Makes an `HttpConnection` for each client that connects to one listener."""

    def __init__(
        self, gateway: Gateway, config: EdgeConfig, *, descriptors_max: int | None = None
    ) -> None:
        """From a descriptor of the number `descriptors_max` on there is no room for another."""
        super().__init__(gateway)  # type: ignore[arg-type]  # it makes no other requests than ours
        self._config = config
        self._descriptors_max = descriptors_max
        self._gateway = gateway
        reserved = config.connections_reserved if gateway.has_vital else 0
        self._places = Places(config.connections_max, reserved)
        self._orphans: set[asyncio.Task[None]] = set()

    def __call__(self) -> HttpConnection:
        return HttpConnection(
            self,
            gateway=self._gateway,
            places=self._places,
            config=self._config,
            own=self._own,
            loop=self._loop,
        )

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Keep the connection, or answer one too many with a 503 and close it."""
        super().connection_made(handler, transport)
        assert isinstance(handler, HttpConnection)
        if not self._places.enter(handler, full=self._is_out_of_descriptors(transport)):
            handler.refuse_place()

    def _is_out_of_descriptors(self, transport: asyncio.Transport) -> bool:
        """Descriptors are numbered from below, so that the newest's number tells how many are left.

        Where none is left, nobody could even be told: the kernel's queue is reset.
        """
        if self._descriptors_max is None:
            return False
        socket = transport.get_extra_info("socket")
        return socket is not None and socket.fileno() >= self._descriptors_max

    def _make_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: HttpConnection,  # type: ignore[override]  # we make no other
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> HttpRequest:
        request = HttpRequest(message, payload, protocol, writer, task, self._loop)
        request.arrived = arrived = protocol.next_arrival()
        request.deadline = arrived + self._config.deadline_s
        request.beyond = protocol.beyond
        return request

    def _own(self, task: asyncio.Task[None]) -> None:
        """Keep the task of a connection that is lost, until it ends or the edge does."""
        self._orphans.add(task)
        task.add_done_callback(self._orphans.discard)

    def in_progress(self) -> int:
        """Return how many connections have a request that has no answer yet."""
        return sum(each._current_request is not None for each in self.connections)  # noqa: SLF001 - as `finish`

    async def finish(self) -> None:
        """Close idle connections; wait for the answers of the others, whose bodies may still come.

        aiohttp's own shutdown stops reading at once, which would cut an upload short.
        """
        busy = []
        for connection in self.connections:
            if connection._current_request is None and not connection._messages:  # noqa: SLF001 - its own shutdown looks here too
                connection.force_close()
            elif connection._task_handler is not None:  # noqa: SLF001
                busy.append(connection._task_handler)  # noqa: SLF001
        if busy:
            await asyncio.wait(busy)
        await self.shutdown()

    async def shutdown(self, timeout: float | None = None) -> None:
        """Wait for all requests, each at most `timeout` seconds, then leave no task behind."""
        await super().shutdown(timeout)
        orphans = list(self._orphans)
        for task in orphans:
            task.cancel()
        await asyncio.gather(*orphans, return_exceptions=True)
