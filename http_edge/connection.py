"""What is not HTTP gets a clean 400, and no peer learns what runs here from a stack trace."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.config import EdgeConfig
    from http_edge.gateway import Gateway


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_client_left", "_gateway", "_when_client_leaves", "send_s_max")

    def __init__(
        self,
        manager: web.Server,
        *,
        gateway: Gateway,
        send_s_max: float,
        loop: asyncio.AbstractEventLoop,
        **kwargs: Any,
    ) -> None:
        super().__init__(manager, loop=loop, **kwargs)
        self._gateway = gateway
        self.send_s_max = send_s_max
        self._client_left = False
        self._when_client_leaves: Callable[[], None] | None = None

    def when_client_leaves(self, call: Callable[[], None]) -> None:
        """Call this once the client has closed its side: for an answer that has no end."""
        self._when_client_leaves = call
        if self._client_left:
            call()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End what was done for the client alone; a request that was asked goes on, but is owned.

        aiohttp would let a body nobody sends any more linger, and forget the task it lingers in.
        """
        task = self._task_handler
        asked = self._current_request is not None
        factory = self._manager
        super().connection_lost(exc)
        self._leave()
        if task is None or task.done():
            return
        if not asked:
            task.cancel()
        if isinstance(factory, ConnectionFactory):
            factory.own(task)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio's own says bool | None
        """Answer what was asked in full before the client closed its sending side, then close.

        Of an answer without end, nobody would learn otherwise that its reader has gone.
        """
        self._leave()
        if self._when_client_leaves is not None:
            return False
        waiting = self._waiter is not None and not self._waiter.done()
        request = self._current_request
        cut = request is not None and not request.content.is_eof()
        if waiting or cut or self._request_count == 0:
            return False
        self.close()
        return True

    def _leave(self) -> None:
        self._client_left = True
        if self._when_client_leaves is not None:
            self._when_client_leaves()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Called for what aiohttp's parser refuses; the gateway lets nothing else through."""
        del request, status
        if isinstance(exc, LineTooLong):
            detail = (
                f"the request line is longer than {self.max_line_size} bytes,"
                f" or a header field is longer than {self.max_field_size}"
            )
        else:
            detail = (message or "").strip().partition("\n")[0] or "this is not HTTP/1.1"
        return self._gateway.malformed(detail)


class ConnectionFactory(web.Server):
    """Makes a `Connection` for each client that connects to one listener."""

    def __init__(self, gateway: Gateway, config: EdgeConfig) -> None:
        super().__init__(gateway)
        self._connections_max = config.connections_max
        self._send_s_max = config.send_s_max
        self._gateway = gateway
        self._orphans: set[asyncio.Task[None]] = set()
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": config.keepalive_s,
            "lingering_time": config.linger_s,
            "max_line_size": config.line_bytes_max,
            "max_field_size": config.header_bytes_max,
        }

    def __call__(self) -> Connection:
        return Connection(
            self,
            gateway=self._gateway,
            send_s_max=self._send_s_max,
            loop=self._loop,
            **self._options,
        )

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Keep the connection, or answer one too many with a 503 and close it."""
        super().connection_made(handler, transport)
        if len(self.connections) > self._connections_max:
            transport.write(self._gateway.overloaded().whole())
            transport.close()

    def own(self, task: asyncio.Task[None]) -> None:
        """Keep the task of a connection that is lost, until it ends or the edge does."""
        self._orphans.add(task)
        task.add_done_callback(self._orphans.discard)

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
